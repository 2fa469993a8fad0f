//! A record made fit for others: nothing in it says whose machine it was.

use super::{Outcome, Record};

/// Names that must not stand in a shared record, as the machine knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's name.
    pub user: Option<String>,
    /// The machine's name.
    pub host: Option<String>,
}

/// The record without paths, user and host names, addresses and serial numbers. Its own fields hold none; what
/// libraries said in messages and settings may.
pub fn redact(record: &Record, identity: &Identity) -> Record {
    let mut record = record.clone();
    let scrub = |text: &mut String| *text = scrub(text, identity);
    match &mut record.outcome {
        Outcome::OutOfMemory { message, .. }
        | Outcome::Crashed { message, .. }
        | Outcome::DeviceLost { message }
        | Outcome::Refused { message }
        | Outcome::Garbled { message } => scrub(message),
        Outcome::Unusable { message, way_on, .. } => {
            scrub(message);
            scrub(way_on);
        }
        Outcome::Ran | Outcome::TimedOut { .. } | Outcome::Interrupted => {}
    }
    record.notes.iter_mut().for_each(scrub);
    record.machine.settings.values_mut().for_each(scrub);
    scrub(&mut record.machine.system);
    record
}

/// What ends a word: a path or a name within quotes, brackets or a list is found alone.
fn is_border(c: char) -> bool {
    c.is_whitespace() || "\"'`()[]{}<>,;=|".contains(c)
}

fn scrub(text: &str, identity: &Identity) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if is_border(c) {
            out += &clean(&word, identity);
            word.clear();
            out.push(c);
        } else {
            word.push(c);
        }
    }
    out + &clean(&word, identity)
}

fn clean(word: &str, identity: &Identity) -> String {
    let bare = word.trim_end_matches(['.', ':', '!', '?']);
    let rest = &word[bare.len()..];
    let replaced = if is_path(bare) {
        // Within a package the path is everybody's, and tells where an error arose.
        match bare.replace('\\', "/").rsplit_once("/site-packages/") {
            Some((_, inside)) => format!("…/{inside}"),
            None => "‹path›".into(),
        }
    } else if is_uuid(bare) {
        "‹id›".into()
    } else if bare.contains('@') || is_ip(bare) {
        "‹address›".into()
    } else {
        without(&without(bare, &identity.user, "‹user›"), &identity.host, "‹host›")
    };
    replaced + rest
}

fn is_path(word: &str) -> bool {
    let drive = word.as_bytes().get(1) == Some(&b':') && word.contains(['\\', '/']) && !word.contains("://");
    let absolute = word.starts_with(['/', '~']) && word.len() > 1 || word.starts_with("\\\\");
    drive || absolute || word.starts_with("file:") || word.contains(":/") && !word.contains("://")
}

/// `GPU-` and five groups of hexadecimal digits, or the groups alone.
fn is_uuid(word: &str) -> bool {
    let word = word
        .strip_prefix("GPU-")
        .or(word.strip_prefix("MIG-"))
        .unwrap_or(word);
    let groups: Vec<_> = word.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

fn is_ip(word: &str) -> bool {
    let host = word.split_once(':').map_or(word, |(host, _)| host);
    host.parse::<std::net::Ipv4Addr>().is_ok() || word.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Replaces a name where it stands as a word of its own.
fn without(text: &str, name: &Option<String>, with: &str) -> String {
    let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else {
        return text.into();
    };
    let mut out = String::new();
    let mut left = text;
    while let Some(at) = left.find(name) {
        let (before, after) = (&left[..at], &left[at + name.len()..]);
        let inside = before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        out += before;
        out += if inside { name } else { with };
        left = after;
    }
    out + left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(text: &str) -> String {
        let identity = Identity {
            user: Some("ada".into()),
            host: Some("engine-1".into()),
        };
        scrub(text, &identity)
    }

    #[test]
    fn paths_are_taken_out_but_for_what_lies_within_a_package() {
        assert_eq!(
            scrubbed("File \"/home/ada/v/lib/python3.11/site-packages/peft/tuners/lora.py\", line 3"),
            "File \"…/peft/tuners/lora.py\", line 3"
        );
        assert_eq!(
            scrubbed("cannot open /home/ada/x.bin: no"),
            "cannot open ‹path›: no"
        );
        assert_eq!(
            scrubbed("HOME=/root ~/models C:\\Users\\ada\\x"),
            "HOME=‹path› ‹path› ‹path›"
        );
        assert_eq!(scrubbed("file:///home/ada PATH:/bin:/home/ada"), "‹path› ‹path›");
    }

    #[test]
    fn names_addresses_and_serial_numbers_are_taken_out() {
        assert_eq!(
            scrubbed("ada on engine-1: adamw of ada."),
            "‹user› on ‹host›: adamw of ‹user›."
        );
        assert_eq!(
            scrubbed("GPU-5f1d2c3b-0a1b-2c3d-4e5f-60718293a4b5 at 10.0.0.7:22"),
            "‹id› at ‹address›"
        );
        assert_eq!(scrubbed("mail ada@example.org"), "mail ‹address›");
    }

    #[test]
    fn what_says_nothing_of_the_machine_stays() {
        for text in [
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.51 GiB",
            "expandable_segments:True",
            "meta-llama/Llama-3.1-8B needs transformers>=5.0, see https://pytorch.org/get-started",
        ] {
            assert_eq!(scrubbed(text), text);
        }
    }
}
