//! The fields that are typed: how their text is read from and written to a scenario.

use crate::scenario::{FieldError, Scenario, Targets};

/// A field that holds typed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// LoRA rank.
    Rank,
    /// LoRA dropout.
    Dropout,
    /// LoRA target modules.
    Targets,
    /// Modules trained whole beside the adapters.
    ModulesToSave,
    /// Tokens per sequence.
    Seq,
    /// Sequences per micro-batch.
    Batch,
    /// Micro-batches per optimizer step.
    GradAccum,
    /// Documents packed into each sequence.
    Packing,
    /// Compute capability when no card is named.
    ComputeCapability,
}

impl Field {
    /// Every field.
    pub const ALL: [Field; 9] = [
        Field::Rank,
        Field::Dropout,
        Field::Targets,
        Field::ModulesToSave,
        Field::Seq,
        Field::Batch,
        Field::GradAccum,
        Field::Packing,
        Field::ComputeCapability,
    ];

    /// The name in URLs and in [`FieldError`]s.
    pub fn name(self) -> &'static str {
        match self {
            Field::Rank => "rank",
            Field::Dropout => "dropout",
            Field::Targets => "targets",
            Field::ModulesToSave => "modules_to_save",
            Field::Seq => "seq",
            Field::Batch => "batch",
            Field::GradAccum => "grad_accum",
            Field::Packing => "packing",
            Field::ComputeCapability => "compute_capability",
        }
    }

    /// The scenario's value as text.
    pub fn text(self, scenario: &Scenario) -> String {
        match self {
            Field::Rank => scenario.lora.rank.to_string(),
            Field::Dropout => scenario.lora.dropout.to_string(),
            Field::Targets => match &scenario.lora.targets {
                Targets::Word(word) => word.clone(),
                Targets::Modules(names) => names.join(", "),
            },
            Field::ModulesToSave => scenario.lora.modules_to_save.join(", "),
            Field::Seq => scenario.seq.to_string(),
            Field::Batch => scenario.batch.to_string(),
            Field::GradAccum => scenario.grad_accum.to_string(),
            Field::Packing => scenario.packing.to_string(),
            Field::ComputeCapability => scenario.compute_capability.clone().unwrap_or_default(),
        }
    }

    /// Reads a text into the scenario.
    ///
    /// # Errors
    /// Says what was found and what is accepted; the scenario is then left as it was.
    pub fn read(self, text: &str, scenario: &mut Scenario) -> Result<(), FieldError> {
        match self {
            Field::Rank => scenario.lora.rank = self.whole(text)?,
            Field::Seq => scenario.seq = self.whole(text)?,
            Field::Batch => scenario.batch = self.whole(text)?,
            Field::GradAccum => scenario.grad_accum = self.whole(text)?,
            Field::Packing => scenario.packing = self.whole(text)?,
            Field::Dropout => scenario.lora.dropout = self.share(text)?,
            Field::Targets => scenario.lora.targets = targets(text),
            Field::ModulesToSave => scenario.lora.modules_to_save = names(text),
            Field::ComputeCapability => {
                scenario.compute_capability = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            }
        }
        Ok(())
    }

    fn whole(self, text: &str) -> Result<u64, FieldError> {
        let digits: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | ',' | '_' | '\u{202f}'))
            .collect();
        if digits.is_empty() {
            return Err(FieldError::new(self.name(), "is empty; type a whole number"));
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(FieldError::new(
                self.name(),
                format!("'{}' is not a whole number", text.trim()),
            ));
        }
        digits
            .parse()
            .map_err(|_| FieldError::new(self.name(), format!("{digits} is too large")))
    }

    fn share(self, text: &str) -> Result<f64, FieldError> {
        match crate::scenario::number(text) {
            Some(share) => Ok(share),
            None => Err(FieldError::new(
                self.name(),
                format!("'{}' is not a number; type a share such as 0.05", text.trim()),
            )),
        }
    }
}

fn names(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn targets(text: &str) -> Targets {
    match names(text).as_slice() {
        [word] if word == "all-linear" => Targets::all_linear(),
        modules => Targets::Modules(modules.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_reads_back_what_it_writes() {
        let scenario = Scenario::default();
        for field in Field::ALL {
            let mut read = scenario.clone();
            field.read(&field.text(&scenario), &mut read).unwrap();
            assert_eq!(read, scenario, "{field:?}");
        }
    }

    #[test]
    fn numbers_may_be_grouped() {
        let mut scenario = Scenario::default();
        Field::Seq.read(" 131,072 ", &mut scenario).unwrap();
        assert_eq!(scenario.seq, 131_072);
    }

    #[test]
    fn a_text_that_is_no_number_is_quoted_and_changes_nothing() {
        let mut scenario = Scenario::default();
        let error = Field::Batch.read("two", &mut scenario).unwrap_err();
        assert_eq!(error.to_string(), "batch: 'two' is not a whole number");
        let error = Field::Batch.read("", &mut scenario).unwrap_err();
        assert_eq!(error.to_string(), "batch: is empty; type a whole number");
        let error = Field::Batch
            .read("99999999999999999999", &mut scenario)
            .unwrap_err();
        assert_eq!(error.to_string(), "batch: 99999999999999999999 is too large");
        let error = Field::Dropout.read("NaN", &mut scenario).unwrap_err();
        assert_eq!(
            error.to_string(),
            "dropout: 'NaN' is not a number; type a share such as 0.05"
        );
        assert_eq!(scenario, Scenario::default());
    }

    #[test]
    fn targets_are_a_word_or_a_list() {
        let mut scenario = Scenario::default();
        Field::Targets.read("q_proj,v_proj", &mut scenario).unwrap();
        assert_eq!(
            scenario.lora.targets,
            Targets::Modules(vec!["q_proj".into(), "v_proj".into()])
        );
        Field::Targets.read("all-linear", &mut scenario).unwrap();
        assert_eq!(scenario.lora.targets, Targets::all_linear());
    }
}
