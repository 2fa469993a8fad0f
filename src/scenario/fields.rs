//! The fields of a scenario by name, each read from and written as text: what URLs are made of.
//!
//! `model`, `stack` and `method` are not among them: they come first and decide the defaults of the rest.

use super::field_value::FieldValue;
use super::{FieldError, ModelRef, Scenario};
use serde::Serialize;

/// A field that can be read and set as text. What [`Field::text`] gives, [`Field::set`] takes as the same value.
pub(super) struct Field {
    pub name: &'static str,
    /// Where it is in the scenario, and so in JSON: `lora.rank`.
    path: &'static str,
    get: fn(&Scenario) -> &dyn FieldValue,
    get_mut: fn(&mut Scenario) -> &mut dyn FieldValue,
}

impl Field {
    /// The value as text.
    pub fn text(&self, scenario: &Scenario) -> String {
        (self.get)(scenario).write()
    }

    /// # Errors
    /// The text is no value of the field; the scenario keeps the one it has.
    pub fn set(&self, scenario: &mut Scenario, text: &str) -> Result<(), FieldError> {
        (self.get_mut)(scenario).read(self.name, text)
    }

    /// Is it one of the adapter's?
    pub fn in_lora(&self) -> bool {
        self.path.starts_with("lora")
    }
}

/// `field!(name)`, or `field!("name" path.in.scenario)` where that is not the name.
macro_rules! field {
    ($name:ident) => {
        field!(stringify!($name), $name)
    };
    ($name:expr, $($path:ident).+) => {
        Field {
            name: $name,
            path: stringify!($($path).+),
            get: |scenario| &scenario.$($path).+,
            get_mut: |scenario| &mut scenario.$($path).+,
        }
    };
}

/// Every field, in the order in which URLs name them.
pub(super) const ALL: &[Field] = &[
    field!(weights),
    field!(skip_modules),
    field!(dtype),
    field!("rank", lora.rank),
    field!("alpha", lora.alpha),
    field!("dropout", lora.dropout),
    field!("targets", lora.targets),
    field!("use_dora", lora.use_dora),
    field!("use_rslora", lora.use_rslora),
    field!("modules_to_save", lora.modules_to_save),
    field!("adapter_dtype", lora.adapter_dtype),
    field!(prepare_kbit),
    field!(seq),
    field!(batch),
    field!(grad_accum),
    field!(optimizer),
    field!(checkpointing),
    field!(attention),
    field!(sdpa_backend),
    field!(autocast),
    field!(padding),
    field!(padding_free),
    field!(packing),
    field!(lengths),
    field!(objective),
    field!(loader),
    field!(release),
    field!(qat),
    field!(transformers),
    field!(clip),
    field!(use_cache),
    field!(harness),
    field!(keep_outputs),
    field!(liger),
    field!(float8),
    field!(expandable_segments),
    field!(compute_capability),
    field!(memory_gib),
    field!(gpu),
];

/// The field of this name.
pub(super) fn named(name: &str) -> Option<&'static Field> {
    ALL.iter().find(|field| field.name == name)
}

/// A field in which two scenarios differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Difference {
    /// The field, named as in URLs.
    pub field: &'static str,
    /// Its value in the first scenario, as a URL writes it.
    pub from: String,
    /// Its value in the second.
    pub to: String,
}

impl Scenario {
    /// The fields in which another run differs from this one, in the order of URLs; the model's fields count as one.
    ///
    /// ```
    /// use plimsoll::scenario::Scenario;
    /// let run = Scenario::default();
    /// let longer = Scenario { seq: 4096, ..run.clone() };
    /// let [difference] = &run.differences(&longer)[..] else { panic!("one field differs") };
    /// assert_eq!((difference.field, &*difference.from, &*difference.to), ("seq", "2048", "4096"));
    /// ```
    pub fn differences(&self, other: &Scenario) -> Vec<Difference> {
        let name = |run: &Scenario| match &run.model {
            ModelRef::Catalog(id) => id.clone(),
            ModelRef::Config(config) => format!("a {} of its own", config.label()),
        };
        let model = (self.model != other.model).then(|| ("model", name(self), name(other)));
        let first = [
            ("stack", self.stack.to_string(), other.stack.to_string()),
            ("method", self.method.to_string(), other.method.to_string()),
        ];
        let rest = ALL
            .iter()
            .map(|field| (field.name, field.text(self), field.text(other)));
        let unequal = first.into_iter().chain(rest).filter(|(_, from, to)| from != to);
        let unequal = model.into_iter().chain(unequal);
        unequal
            .map(|(field, from, to)| Difference { field, from, to })
            .collect()
    }

    /// Sets one field from text, by its name in URLs: all but `model`, `stack` and `method`, which decide the defaults
    /// of the rest.
    ///
    /// # Errors
    /// The field is not known, or cannot have this value; it keeps the one it had.
    pub fn set(&mut self, field: &str, text: &str) -> Result<(), FieldError> {
        let known = named(field).ok_or_else(|| FieldError::new(field, "is not a field of a scenario"))?;
        known.set(self, text)
    }
}
