//! Something that can be picked from a list.

/// Something that can be picked.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What is committed when it is picked.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its size, beside the name.
    pub aside: String,
    /// What else is worth knowing.
    pub detail: String,
    /// Why it cannot be picked.
    pub refused: Option<String>,
    /// The heading under which it is listed.
    pub group: String,
    /// All its words in lower case.
    text: String,
}

impl Entry {
    /// An entry that can be picked.
    pub fn new(key: &str, name: &str, group: &str, aside: String, detail: String) -> Self {
        let text = [key, name, group, &aside, &detail].join(" ").to_ascii_lowercase();
        Entry {
            key: key.to_owned(),
            name: name.to_owned(),
            aside,
            detail,
            refused: None,
            group: group.to_owned(),
            text,
        }
    }

    /// Can it be picked?
    pub fn is_free(&self) -> bool {
        self.refused.is_none()
    }

    /// Is this its key or its name, upper and lower case alike?
    pub fn is_called(&self, text: &str) -> bool {
        self.key.eq_ignore_ascii_case(text) || self.name.eq_ignore_ascii_case(text)
    }
}

/// The entries with those of a group together, groups in the order in which they first occur.
pub fn grouped(entries: Vec<Entry>) -> Vec<Entry> {
    let mut groups: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match groups.iter_mut().find(|group| group[0].group == entry.group) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    groups.into_iter().flatten().collect()
}

/// The places of the entries in which all words of a text occur.
pub fn find(entries: &[Entry], text: &str) -> Vec<usize> {
    let query = text.to_ascii_lowercase();
    let holds = |entry: &Entry| query.split_whitespace().all(|word| entry.text.contains(word));
    (0..entries.len()).filter(|i| holds(&entries[*i])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_together_in_their_first_order() {
        let entry = |key, group| Entry::new(key, key, group, String::new(), String::new());
        let entries = grouped(vec![
            entry("a", "Turing"),
            entry("b", "Ampere"),
            entry("c", "Turing"),
        ]);
        assert_eq!(
            entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(),
            ["a", "c", "b"]
        );
    }

    #[test]
    fn all_words_must_occur_somewhere() {
        let entry = |key, group| Entry::new(key, key, group, "8.03 B".into(), "apache-2.0".into());
        let entries = [
            entry("meta-llama/Llama-3.1-8B", "Llama 3.1"),
            entry("Qwen/Qwen3-8B", "Qwen3"),
        ];
        assert_eq!(find(&entries, "8b LLAMA"), [0]);
        assert_eq!(find(&entries, "8b"), [0, 1]);
        assert_eq!(find(&entries, "  "), [0, 1]);
        assert_eq!(find(&entries, "8b mistral"), [0; 0]);
    }
}
