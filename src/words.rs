//! Numbers in words for a person: always with a name for their unit where they stand alone.

use crate::bytes::{Bytes, GIB};
use crate::scenario::{Method, ModelRef, Scenario};

/// GiB with one decimal and no unit, for rows and sentences that name it: `7.9`.
pub fn gib1(bytes: u64) -> String {
    Bytes(bytes).decimal(GIB, 10)
}

/// GiB with one decimal and its unit: `7.9 GiB`; smaller than that in MiB or KiB.
pub fn size(bytes: u64) -> String {
    if Bytes(bytes).gib() < 0.1 {
        Bytes(bytes).to_string()
    } else {
        format!("{} GiB", gib1(bytes))
    }
}

/// A count with its thousands apart: `41,943,040`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of tokens in a narrow place: `512`, `4k`, `128k` (of 1,024), `3,000`.
pub fn tokens(number: u64) -> String {
    if number >= 1024 && number.is_multiple_of(1024) {
        format!("{}k", number / 1024)
    } else {
        count(number)
    }
}

/// A number of parameters as people say it: `8.03 B`, `494 M`.
pub fn params(number: u64) -> String {
    let millions = number as f64 / 1e6;
    if millions >= 99_950.0 {
        format!("{:.0} B", millions / 1e3)
    } else if millions >= 9_995.0 {
        format!("{:.1} B", millions / 1e3)
    } else if millions >= 999.5 {
        format!("{:.2} B", millions / 1e3)
    } else {
        format!("{millions:.0} M")
    }
}

/// A run in a line: what decides most of its memory.
pub fn run(scenario: &Scenario) -> String {
    let model = match &scenario.model {
        ModelRef::Catalog(id) => id.rsplit('/').next().unwrap_or(id).to_owned(),
        ModelRef::Config(config) => config.label(),
    };
    let method = match scenario.method {
        Method::Full => "full fine-tuning".to_owned(),
        adapters => format!("{} rank {}", adapters.label(), scenario.lora.rank),
    };
    let batch = match scenario.batch {
        1 => "1 sequence".to_owned(),
        batch => format!("{} sequences", count(batch)),
    };
    format!(
        "{model} · {method} · {} · {batch} of {} tokens",
        scenario.weights,
        count(scenario.seq)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_name_their_unit() {
        assert_eq!(size(24 * GIB), "24.0 GiB");
        assert_eq!(size(8_519_680), "8.1 MiB");
        assert_eq!(gib1(GIB / 2), "0.5");
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(41_943_040), "41,943,040");
    }

    #[test]
    fn tokens_are_short_where_they_are_round() {
        assert_eq!(
            [512, 2048, 131_072, 3000].map(tokens),
            ["512", "2k", "128k", "3,000"]
        );
    }

    #[test]
    fn parameters_read_as_people_say_them() {
        assert_eq!(params(494_032_768), "494 M");
        assert_eq!(params(8_030_261_248), "8.03 B");
        assert_eq!(params(70_553_706_496), "70.6 B");
        assert_eq!(params(671_026_419_200), "671 B");
    }

    #[test]
    fn a_run_is_told_by_what_decides_most() {
        assert_eq!(
            run(&Scenario::default()),
            "Llama-3.1-8B · QLoRA rank 16 · nf4-dq · 2 sequences of 2,048 tokens"
        );
    }
}
