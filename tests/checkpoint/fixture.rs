//! Files of public models, made from `tests/fixtures/headers/models.jsonl`.

use serde_json::{Map, Value, json};

/// A public model.
pub struct Fixture {
    pub id: String,
    pub parameters: u64,
    pub config: Value,
    /// Names and shapes.
    pub tensors: Vec<(String, Vec<u64>)>,
}

/// All of them.
pub fn models() -> Vec<Fixture> {
    let lines = include_str!("../fixtures/headers/models.jsonl").lines();
    lines
        .map(|line| fixture(&serde_json::from_str(line).unwrap()))
        .collect()
}

/// The one of this id.
pub fn model(id: &str) -> Fixture {
    models().into_iter().find(|model| model.id == id).unwrap()
}

fn fixture(line: &Value) -> Fixture {
    let mut tensors = Vec::new();
    for row in line["tensors"].as_array().unwrap() {
        let name = row[0].as_str().unwrap();
        let shape: Vec<u64> = row[1]
            .as_array()
            .unwrap()
            .iter()
            .map(|size| size.as_u64().unwrap())
            .collect();
        let ranges = row[2].as_array().unwrap().iter();
        let layers: Vec<u64> = ranges
            .flat_map(|r| r[0].as_u64().unwrap()..r[1].as_u64().unwrap())
            .collect();
        let names: Vec<String> = match layers.is_empty() {
            true => vec![name.to_owned()],
            false => layers
                .iter()
                .map(|layer| name.replacen('*', &layer.to_string(), 1))
                .collect(),
        };
        for name in names {
            match row[3].as_u64().unwrap() {
                0 => tensors.push((name, shape.clone())),
                experts => tensors
                    .extend((0..experts).map(|e| (name.replacen('#', &e.to_string(), 1), shape.clone()))),
            }
        }
    }
    Fixture {
        id: line["id"].as_str().unwrap().into(),
        parameters: line["parameters"].as_u64().unwrap(),
        config: line["config"].clone(),
        tensors,
    }
}

/// A tensor with its dtype.
pub type Typed = (String, &'static str, Vec<u64>);

impl Fixture {
    /// `config.json`.
    pub fn config_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.config).unwrap()
    }

    /// All tensors in bf16.
    pub fn in_bf16(&self) -> Vec<Typed> {
        self.tensors
            .iter()
            .map(|(name, shape)| (name.clone(), "BF16", shape.clone()))
            .collect()
    }

    /// As bitsandbytes stores it in nf4 with double quantization: linear layers of which `keeps` is not true.
    pub fn in_nf4(&self, keeps: impl Fn(&str) -> bool) -> Vec<Typed> {
        let mut tensors = Vec::new();
        for (name, shape) in &self.tensors {
            let linear = name.contains("layers.") && shape.len() == 2 && name.ends_with("_proj.weight");
            if !linear || keeps(name) {
                tensors.push((name.clone(), "BF16", shape.clone()));
                continue;
            }
            let elements: u64 = shape.iter().product();
            tensors.push((name.clone(), "U8", vec![elements / 2, 1]));
            for (end, dtype, size) in [
                ("absmax", "U8", elements.div_ceil(64)),
                ("nested_absmax", "F32", elements.div_ceil(64 * 256)),
                ("nested_quant_map", "F32", 256),
                ("quant_map", "F32", 16),
                ("quant_state.bitsandbytes__nf4", "U8", 95),
            ] {
                tensors.push((format!("{name}.{end}"), dtype, vec![size]));
            }
        }
        tensors
    }
}

/// The first bytes of a safetensors file of these tensors: its header, and nothing behind it; and the file's length.
pub fn header(tensors: &[Typed]) -> (Vec<u8>, u64) {
    let mut entries = Map::new();
    let mut end = 0;
    for (name, dtype, shape) in tensors {
        let width = match *dtype {
            "BF16" => 2,
            "F32" | "I32" => 4,
            _ => 1,
        };
        let begin = end;
        end += shape.iter().product::<u64>() * width;
        entries.insert(
            name.clone(),
            json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}),
        );
    }
    let mut text = serde_json::to_vec(&entries).unwrap();
    text.resize(text.len().next_multiple_of(8), b' ');
    let length = 8 + text.len() as u64 + end;
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    (bytes, length)
}
