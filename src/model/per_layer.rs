//! What a model holds beside its layers, and the embedding that every layer has of its own (Gemma 4 and 3n).

use super::{Architecture, Family, HfConfig, Part, PartKind};

/// An embedding of every layer's own, all of them in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerLayer {
    /// Width of one layer's.
    pub width: u64,
    /// Entries.
    pub vocab: u64,
}

impl PerLayer {
    /// The embeddings of a configuration, where its family knows them.
    pub(super) fn of(config: &HfConfig, family: Family) -> Option<Self> {
        let width = config.hidden_size_per_layer_input.filter(|&width| width > 0)?;
        matches!(family, Family::Gemma3n | Family::Gemma4).then(|| PerLayer {
            width,
            vocab: config.vocab_size_per_layer_input.unwrap_or(config.vocab_size),
        })
    }
}

/// Projections between the residual streams, of which there are four.
const STREAMS: [&str; 6] = [
    "altup_projections.0",
    "altup_projections.1",
    "altup_projections.2",
    "altup_unembed_projections.0",
    "altup_unembed_projections.1",
    "altup_unembed_projections.2",
];

impl Architecture {
    /// The parts of the model beside its layers, in the order of registration, without embedding, norm and head.
    pub fn beside_layers(&self) -> Vec<Part> {
        let Some(PerLayer { width, vocab }) = self.per_layer else {
            return Vec::new();
        };
        let all = self.layers.saturating_mul(width);
        let mut parts = vec![
            Part {
                path: "embed_tokens_per_layer",
                kind: PartKind::Weight([vocab, all, 0]),
            },
            Part::linear("per_layer_model_projection", self.hidden, all, false),
            Part::vector("per_layer_projection_norm", width),
        ];
        if self.family == Family::Gemma3n {
            let square = |path: &'static str| Part::linear(path, self.hidden, self.hidden, false);
            parts.extend(STREAMS.map(square));
        }
        parts
    }

    /// All parts that hold weights, with the index of a layer that has them and how many layers do; those beside the
    /// layers come once, with no index.
    pub fn parts(&self) -> impl Iterator<Item = (Option<u64>, u64, Part)> {
        let beside = self.beside_layers().into_iter().map(|part| (None, 1, part));
        let of_layers = self.kinds().into_iter().flat_map(|(index, count)| {
            self.layer(index)
                .into_iter()
                .map(move |part| (Some(index), count, part))
        });
        beside.chain(of_layers)
    }
}
