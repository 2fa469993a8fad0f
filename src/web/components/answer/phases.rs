//! The highest point of each phase, as a strip of bars.

use crate::bytes::Bytes;
use crate::estimate::PhasePeak;
use crate::web::components::desk::Desk;
use yew::prelude::*;

/// A phase and its highest point over all steps and micro-batches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Highest {
    phase: String,
    bytes: u64,
}

/// The phases in the order in which they come first, each with its highest point.
fn highest(phases: &[PhasePeak]) -> Vec<Highest> {
    let mut out: Vec<Highest> = Vec::new();
    for peak in phases {
        match out.iter_mut().find(|seen| seen.phase == peak.phase) {
            Some(seen) => seen.bytes = seen.bytes.max(peak.peak_bytes),
            None => out.push(Highest {
                phase: peak.phase.clone(),
                bytes: peak.peak_bytes,
            }),
        }
    }
    out
}

/// The phases' highest points.
pub fn phases(desk: &Desk) -> Html {
    let answer = &desk.state.answer;
    let old = answer.is_old().then_some("old");
    let Some(last) = &answer.last else {
        return Html::default();
    };
    let phases = highest(&last.1.phases);
    let most = phases.iter().map(|phase| phase.bytes).max().unwrap_or(0);
    let row = |phase: &Highest| {
        let share = phase.bytes as f64 / most.max(1) as f64;
        let peak = phase.bytes == most;
        html! {
            <tr key={phase.phase.clone()} class={classes!(peak.then_some("peak"))}>
                <th scope="row">{phase.phase.replace('_', " ")}</th>
                <td class="share" aria-hidden="true">
                    <svg><rect class="phase" width={format!("{:.2}%", share * 100.0)} height="100%" /></svg>
                </td>
                <td class="size">{Bytes(phase.bytes).to_string()}</td>
            </tr>
        }
    };
    html! {
        <section class={classes!("panel", "phases", old)} aria-labelledby="phases-title">
            <h2 id="phases-title">{"One step, phase by phase"}</h2>
            <table>
                <caption class="unseen">{"Highest allocated memory in each phase"}</caption>
                <thead class="unseen">
                    <tr><th scope="col">{"Phase"}</th><td></td><th scope="col">{"Peak allocated"}</th></tr>
                </thead>
                <tbody>{for phases.iter().map(row)}</tbody>
            </table>
            <p class="note">{"Peak of allocated in each phase, the worst of all steps."}</p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_shown_once_at_its_highest() {
        let peak = |phase: &str, step, peak_bytes| PhasePeak {
            phase: phase.into(),
            step,
            micro: 0,
            peak_bytes,
            end_bytes: 0,
        };
        let phases = [
            peak("load", 0, 5),
            peak("forward", 1, 7),
            peak("backward", 1, 9),
            peak("forward", 2, 8),
        ];
        let shown: Vec<_> = highest(&phases).into_iter().map(|h| (h.phase, h.bytes)).collect();
        assert_eq!(
            shown,
            [("load".into(), 5), ("forward".into(), 8), ("backward".into(), 9)]
        );
    }
}
