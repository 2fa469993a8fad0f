//! What is looked at: a window of moments, and one moment in it. No browser in here.

use crate::estimate::Timeline;
use std::ops::Range;

/// Fewer moments than this are not worth a chart.
const CLOSEST: usize = 24;
/// How much closer one press of a button goes.
const STEP: usize = 2;

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The window; nothing is the step with the peak.
    pub window: Option<Range<usize>>,
    /// The moment that is asked about; nothing is the peak.
    pub moment: Option<usize>,
}

impl View {
    /// The window, within the run.
    pub fn window(&self, timeline: &Timeline) -> Range<usize> {
        match &self.window {
            Some(window) => clamp(window.clone(), timeline.len()),
            None => timeline.peak_step(),
        }
    }

    /// The moment that is asked about, within the run.
    pub fn moment(&self, timeline: &Timeline) -> usize {
        let last = timeline.len().saturating_sub(1);
        self.moment.unwrap_or_else(|| timeline.peak()).min(last)
    }

    /// Another window; the moment is kept.
    pub fn look_at(&self, window: Option<Range<usize>>) -> View {
        View {
            window,
            moment: self.moment,
        }
    }

    /// The same window, another moment.
    pub fn ask(&self, moment: Option<usize>) -> View {
        View {
            window: self.window.clone(),
            moment,
        }
    }

    /// Closer to the moment, or further from it.
    pub fn zoom(&self, timeline: &Timeline, closer: bool) -> View {
        let (window, moment) = (self.window(timeline), self.moment(timeline));
        let length = if closer {
            (window.len() / STEP).max(CLOSEST)
        } else {
            window.len().saturating_mul(STEP)
        };
        let moment = moment.clamp(window.start, window.end.saturating_sub(1).max(window.start));
        // The moment stays where it is on the screen.
        let share = (moment - window.start) as f64 / window.len().max(1) as f64;
        let start = moment.saturating_sub((share * length as f64) as usize);
        self.look_at(Some(clamp(start..start + length, timeline.len())))
    }
}

/// A window of the same length within a run, or the whole run.
fn clamp(window: Range<usize>, len: usize) -> Range<usize> {
    let length = window.len().max(CLOSEST).min(len);
    let start = window.start.min(len - length);
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn zooming_keeps_the_moment_in_the_window_and_the_window_in_the_run() {
        let timeline = Timeline::of(&Scenario::default()).unwrap();
        let mut view = View::default();
        for closer in [[true; 20], [false; 20]].concat() {
            view = view.zoom(&timeline, closer);
            let window = view.window(&timeline);
            assert!(window.contains(&timeline.peak()), "{window:?}");
            assert!(window.end <= timeline.len() && window.len() >= CLOSEST);
        }
        assert_eq!(view.window(&timeline), 0..timeline.len());
    }

    #[test]
    fn windows_of_an_earlier_longer_run_are_moved_into_the_present_one() {
        assert_eq!(clamp(900..1000, 500), 400..500);
        assert_eq!(clamp(0..1000, 500), 0..500);
        assert_eq!(clamp(5..5, 10), 0..10);
    }
}
