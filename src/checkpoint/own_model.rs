//! What comes out of a model's own files.

use super::gguf::Gguf;
use super::nearest::nearest;
use super::{Check, ConfigFile, Inventory, Quantization, Role, Tensor, layers};
use crate::catalog;
use crate::model::{Architecture, HfConfig};
use crate::scenario::{ModelRef, Scenario, WeightFormat};
use crate::words::count;
use serde::Serialize;

/// A model outside the catalog, as its files describe it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnModel {
    /// The architecture, with what its files say beside it.
    pub config: HfConfig,
    /// The dtype of what is not quantized, as the configuration says.
    pub dtype: Option<String>,
    /// How the weights are stored, where they are quantized.
    pub quantization: Option<Quantization>,
    /// Modules of the language model that quantization left in 16 bit.
    pub skip_modules: Vec<String>,
    /// What the files hold, once their headers are read.
    pub inventory: Option<Inventory>,
    /// Weights of the language model, by the configuration.
    pub parameters: Option<u64>,
    /// How configuration and files agree.
    pub check: Option<Check>,
    /// Why no run of it can be replayed.
    pub refused: Option<String>,
    /// The known type that is nearest, where its own is not known.
    pub nearest: Option<&'static str>,
    /// What is worth knowing, one sentence each.
    pub remarks: Vec<String>,
}

impl OwnModel {
    /// The model of a `config.json` and the tensors of its headers; `complete` says that all of them are there.
    pub(super) fn new(name: &str, file: &ConfigFile, tensors: &[Tensor], complete: bool) -> Self {
        let mut model = OwnModel {
            config: file.config.clone(),
            dtype: file.dtype.clone(),
            quantization: file.quantization.clone(),
            skip_modules: Vec::new(),
            inventory: None,
            parameters: None,
            check: None,
            refused: None,
            nearest: None,
            remarks: Vec::new(),
        };
        model.config.name = (!name.is_empty()).then(|| name.to_owned());
        let complete = complete && !tensors.is_empty();
        if let Some(towers) = file.towers.filter(|_| !complete) {
            model.config.tower_params = Some(towers);
            model.config.vision_config = None;
            model.remarks.push(format!(
                "its vision tower with the projector has {} weights by the configuration",
                count(towers)
            ));
        }
        model.describe(tensors, complete);
        model
    }

    /// The model of a GGUF header.
    pub(super) fn of_gguf(name: &str, gguf: &Gguf) -> Self {
        let file = ConfigFile {
            config: gguf.config.clone(),
            quantization: None,
            dtype: None,
            classes: Vec::new(),
            towers: None,
        };
        let mut model = OwnModel::new(name, &file, &gguf.tensors, true);
        let text = "a GGUF file is turned into 16 bit before it is trained: estimates are of that, not of what the file holds";
        model.remarks.push(text.into());
        model
    }

    fn describe(&mut self, tensors: &[Tensor], complete: bool) {
        let bits = self
            .quantization
            .as_ref()
            .map_or(4, |quantization| quantization.bits);
        if complete {
            let inventory = Inventory::of(tensors.iter(), self.config.num_hidden_layers, bits);
            let towers = inventory.weights(Role::Towers);
            if towers > 0 || self.config.vision_config.is_some() {
                self.config.tower_params = Some(towers);
                self.config.vision_config = None;
            }
            self.inventory = Some(inventory);
        }
        match Architecture::from_config(&self.config) {
            // Products of fields that are not sound could overflow.
            Err(reason) => self.refuse(reason, if self.is_sound() { tensors } else { &[] }),
            Ok(arch) if self.is_sound() => {
                self.parameters = Some(arch.parameters());
                self.skip(&arch, if complete { tensors } else { &[] });
                if let Some(inventory) = &self.inventory {
                    self.check = Some(Check::new(&arch, inventory, tensors, bits));
                }
            }
            Ok(_) => {}
        }
        let words = self
            .quantization
            .as_ref()
            .map(|q| format!("its weights are stored in {}", q.words));
        self.remarks.extend(words);
        self.config.stored_as =
            self.quantization
                .as_ref()
                .filter(|q| !q.dequantized)
                .map(|q| match q.format {
                    Some(format) => format.to_string(),
                    None => q.method.clone(),
                });
    }

    /// Are its fields such that a forward pass can be computed?
    fn is_sound(&self) -> bool {
        let problems = self.in_run(&Scenario::default()).problems();
        !problems.iter().any(|problem| problem.field.starts_with("model"))
    }

    fn in_run(&self, run: &Scenario) -> Scenario {
        Scenario {
            model: ModelRef::Config(Box::new(self.config.clone())),
            ..run.clone()
        }
    }

    fn refuse(&mut self, reason: String, tensors: &[Tensor]) {
        let near = nearest(&self.config, tensors);
        let lacks = match near.lacking.len() {
            0 => String::new(),
            1..=6 => format!(
                "; of its layer {} would be missing there",
                near.lacking.join(", ")
            ),
            n => format!(
                "; {n} modules of its layer would be missing there, such as {}",
                near.lacking[0]
            ),
        };
        self.nearest = Some(near.name);
        self.refused = Some(format!(
            "{reason}. The nearest type that is known is '{}'{lacks}",
            near.name
        ));
    }

    /// Which linear layers stay in 16 bit: what the headers show, under the names of the settings where these agree.
    fn skip(&mut self, arch: &Architecture, tensors: &[Tensor]) {
        let Some(quantization) = &self.quantization else {
            return;
        };
        let stated = layers::that_matter(&quantization.skip, arch);
        self.skip_modules = match layers::kept_in_files(tensors, arch) {
            Some(kept) if !layers::agree(&kept, &stated, arch) => {
                self.remarks.push(
                    "the headers show other layers in 16 bit than the settings name; what the headers show is counted".into(),
                );
                kept
            }
            _ => stated,
        };
    }

    /// Notes the size that an index states, where the headers say otherwise.
    pub(super) fn notice_size(&mut self, stated: Option<u64>) {
        let (Some(stated), Some(inventory)) = (stated, &self.inventory) else {
            return;
        };
        let total = inventory.total();
        if total != stated {
            self.remarks.push(format!(
                "the index states {stated} bytes, and the headers name {total}"
            ));
        }
    }

    /// The id in the catalog, where that model's architecture is this one's and nothing is quantized.
    pub fn catalog_id(&self) -> Option<&'static str> {
        let known = catalog::model(self.config.name.as_deref()?)?;
        let plain = self.quantization.is_none() && self.config.treat_as.is_none();
        (plain && same(&known.config, &self.config)).then_some(known.id.as_str())
    }

    /// Puts the model into a run, with the storage of its weights where that decides how they are trained on.
    pub fn apply(&self, run: &mut Scenario) {
        if let Some(id) = self.catalog_id() {
            run.model = ModelRef::Catalog(id.into());
            return;
        }
        run.model = ModelRef::Config(Box::new(self.config.clone()));
        run.skip_modules.clear();
        match &self.quantization {
            Some(Quantization {
                format: Some(format), ..
            }) => {
                run.set_weights(*format);
                run.skip_modules.clone_from(&self.skip_modules);
            }
            Some(Quantization {
                dequantized: true, ..
            }) => run.set_weights(WeightFormat::Bf16),
            _ => {}
        }
    }
}

/// Have two configurations one architecture?
fn same(one: &HfConfig, other: &HfConfig) -> bool {
    let (Ok(mut one), Ok(mut other)) = (Architecture::from_config(one), Architecture::from_config(other))
    else {
        return false;
    };
    let layers = |arch: &Architecture| {
        (0..arch.layers)
            .map(|i| arch.kind_of_layer(i))
            .collect::<Vec<_>>()
    };
    if one.layers != other.layers || layers(&one) != layers(&other) {
        return false;
    }
    // A pattern may be written in several ways, or not at all.
    one.attention.windowed_layers.clear();
    other.attention.windowed_layers.clear();
    one == other
}
