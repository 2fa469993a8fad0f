//! A scenario as a link: everything is in the URL's fragment, so that nothing is sent to a server.

use crate::scenario::Scenario;

/// What a fragment holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The scenario; what could not be read has its default.
    pub scenario: Scenario,
    /// What the user should know about the link, one sentence each.
    pub notices: Vec<String>,
}

/// Reads a fragment, with or without its `#`. Never fails: what cannot be used keeps its default, and a notice says so.
pub fn read(fragment: &str) -> Link {
    let parsed = Scenario::from_fragment(fragment);
    let defaults = parsed
        .problems
        .iter()
        .map(|problem| format!("{problem} (the link's value is not used)"));
    Link {
        scenario: parsed.scenario,
        notices: defaults.chain(parsed.notices).collect(),
    }
}

/// The fragment of a scenario, without `#`.
pub fn write(scenario: &Scenario) -> String {
    scenario.to_fragment()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_gives_the_scenario_that_was_written() {
        let scenario = Scenario {
            seq: 3000,
            gpu: None,
            ..Scenario::default()
        };
        let link = read(&format!("#{}", write(&scenario)));
        assert_eq!(
            link,
            Link {
                scenario,
                notices: vec![]
            }
        );
    }

    #[test]
    fn what_a_link_says_in_vain_is_told() {
        let link = read("#seq=1e999&colour=red&batch=3");
        assert_eq!(
            link.scenario,
            Scenario {
                batch: 3,
                ..Scenario::default()
            }
        );
        assert_eq!(
            link.notices,
            [
                "seq: '1e999' is not a whole number between 1 and 4194304 (the link's value is not used)",
                "'colour' is not a field of a scenario and was passed over",
            ]
        );
    }
}
