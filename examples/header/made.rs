//! A header as large as any.

/// Its tensors.
pub const TENSORS: usize = 100_000;

/// The JSON of a header whose tensors have names, sizes and an order as the library writes those of many experts.
pub fn header() -> String {
    let mut names: Vec<String> = (0..TENSORS)
        .map(|i| {
            let (layer, expert, projection) = (i % 64, i / 192, ["down", "gate", "up"][i / 64 % 3]);
            format!("model.layers.{layer}.mlp.experts.{expert}.{projection}_proj.weight")
        })
        .collect();
    names.sort();
    let mut json = String::from("{\"__metadata__\":{\"format\":\"pt\"}");
    let mut end = 0u64;
    for name in names {
        let begin = end;
        end += 2 * 1536 * 4096;
        json += &format!(
            ",\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[1536,4096],\"data_offsets\":[{begin},{end}]}}"
        );
    }
    json.push('}');
    json
}
