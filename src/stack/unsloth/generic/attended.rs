//! Attention of a compiled layer with adapters on frozen weights, between the layer's input and its second norm (see
//! [`super::adapted`], where it shares buffers with the MLP behind it).

use super::adapter::{Adapter, Gradients, Spares};
use super::sizes::{Arm, Buffer, Sizes};

/// Projections of queries, keys, values and output.
pub type Arms = [Arm; 4];

/// What attention keeps for its backward pass.
pub struct Attended<'t> {
    adapters: [Option<Adapter<'t>>; 4],
    first_rstd: Buffer<'t>,
    first_norm: Buffer<'t>,
    /// Before their norm, and the norm's reciprocals.
    normed: Option<[Buffer<'t>; 4]>,
    value: Buffer<'t>,
    query: Buffer<'t>,
    key: Buffer<'t>,
    attention: [Buffer<'t>; 4],
    output: Buffer<'t>,
    second_rstd: Buffer<'t>,
}

/// Forward; the second result is the second norm's output.
pub fn forward<'t>(s: &Sizes<'t>, arms: &Arms) -> (Attended<'t>, Buffer<'t>) {
    let [query_arm, key_arm, value_arm, output_arm] = arms;
    let first_rstd = s.scalars(1);
    let first_norm = s.rows(s.hidden);
    let query_weight = s.unpacked(query_arm);
    let base = s.rows(s.queries);
    s.tape.touch_workspace();
    let (query_adapter, plain_query, query_spare) = s.adapted(query_arm, base, None);
    let key_weight = s.unpacked(key_arm);
    let base = s.rows(s.keys);
    let (key_adapter, plain_key, key_spare) = s.adapted(key_arm, base, None);
    let value_weight = s.unpacked_in(key_weight, value_arm);
    let base = s.rows_in(key_spare, s.keys);
    drop(value_weight);
    let (value_adapter, value, value_spare) = s.adapted(value_arm, base, None);
    let reciprocals = s
        .query_norm
        .then(|| [s.scalars(s.attention.heads), s.scalars(s.attention.kv_heads)]);
    let query = s.rows_in(query_spare, s.queries);
    let key = s.rows_in(value_spare, s.keys);
    let normed = reciprocals.map(|[of_query, of_key]| [plain_query, plain_key, of_query, of_key]);
    let attention = s.tape.flash(s.attention);
    let output_weight = s.unpacked_in(query_weight, output_arm);
    let base = s.rows(s.hidden);
    drop(output_weight);
    let (output_adapter, output, output_spare) = s.adapted(output_arm, base, None);
    let second_rstd = s.scalars(1);
    let second_norm = s.rows_in(output_spare, s.hidden);
    let kept = Attended {
        adapters: [query_adapter, key_adapter, value_adapter, output_adapter],
        first_rstd,
        first_norm,
        normed,
        value,
        query,
        key,
        attention,
        output,
        second_rstd,
    };
    (kept, second_norm)
}

/// Backward from the gradient of the second norm's output, which is dropped last: the gradient of the layer's input, and
/// those of the adapters.
pub fn backward<'t>(
    s: &Sizes<'t>,
    arms: &Arms,
    kept: Attended<'t>,
    for_second_norm: Buffer<'t>,
) -> (Buffer<'t>, [Gradients<'t>; 4]) {
    let h = s.hidden;
    let [query_arm, key_arm, value_arm, output_arm] = arms;
    let [query_adapter, key_adapter, value_adapter, output_adapter] = kept.adapters;
    let gradient = s.rows(h);
    drop((kept.output, kept.second_rstd));
    let mut spares = Spares::default();
    let (output, through_output) = spares.through(s, output_arm, output_adapter, None, None);
    let output_weight = s.unpacked(output_arm);
    let for_attended = s.rows(s.queries);
    let [for_query, for_key, for_value] = s.tape.flash_backward(s.attention);
    drop((kept.query, kept.key, kept.attention, kept.value));
    let (for_query, for_key) = match kept.normed {
        Some([query, key, of_query, of_key]) => {
            drop((for_key, of_key));
            drop((for_query, of_query));
            (query, key)
        }
        None => (for_query, for_key),
    };
    let (value, through_value) = spares.through(s, value_arm, value_adapter, None, through_output);
    let weight = s.unpacked(value_arm);
    let from_value = s.rows_in(Some(for_attended).filter(|_| s.queries == h), h);
    drop(for_value);
    let (key, through_key) = spares.through(s, key_arm, key_adapter, None, None);
    spares.second = None;
    let weight = s.unpacked_in(weight, key_arm);
    let from_key = s.rows(h);
    drop((for_key, weight));
    let (query, through_query) = spares.through(s, query_arm, query_adapter, Some(kept.first_norm), None);
    drop(spares);
    let weight = s.unpacked_in(output_weight, query_arm);
    let from_query = s.rows(h);
    drop((for_query, weight));
    drop((
        through_value,
        from_value,
        through_key,
        from_key,
        through_query,
        from_query,
    ));
    drop((kept.first_rstd, for_second_norm));
    (gradient, [query, key, value, output])
}
