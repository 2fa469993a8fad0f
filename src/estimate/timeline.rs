//! A run over time: every allocation and free of the replay with what it is, ready to be drawn at any width and to be
//! asked what is alive at any moment. Time is counted in events; the replay knows no clock.

use super::reading;
use super::{Category, EstimateError, resolve};
use crate::replay::allocator::serve::blocks;
use crate::replay::{Alloc, Event, Phase, Recording, Turns};
use crate::scenario::Scenario;
use crate::sort::sort_by_key;
use crate::stack;
use std::collections::BTreeMap;
use std::ops::Range;

/// How many categories there are.
pub const CATEGORIES: usize = Category::ALL.len();

/// Live bytes by category, in the order of [`Category::ALL`].
pub type Live = [u64; CATEGORIES];

/// One phase of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The phase.
    pub phase: Phase,
    /// The training step, 0 while loading.
    pub step: u32,
    /// The micro-batch within the step.
    pub micro: u32,
    /// Its moments.
    pub moments: Range<usize>,
}

/// What stands for a stretch of moments in a drawing: its highest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The moment.
    pub at: usize,
    /// What is alive then.
    pub live: Live,
}

impl Column {
    /// All live bytes.
    pub fn total(&self) -> u64 {
        self.live.iter().sum()
    }
}

/// What happens at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Where the run is, in a sentence.
    pub description: String,
    /// The operation that asked for the memory that comes or goes.
    pub op: &'static str,
    /// Bytes that come (positive) or go (negative).
    pub change: i64,
}

/// Tensors of one kind that are alive at a moment: equal ones of several layers stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensors {
    /// What they are.
    pub category: Category,
    /// The module they belong to, such as `self_attn.q_proj`; empty when none is known.
    pub module: &'static str,
    /// The operation that made them.
    pub op: &'static str,
    /// How many.
    pub count: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

#[derive(Clone, Debug)]
struct Tensor {
    alloc: Alloc,
    category: Category,
    bytes: u64,
    /// Its moments: alive from the first until before the last.
    alive: Range<u32>,
}

/// A run over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// At each moment the tensor that comes or goes.
    moments: Vec<u32>,
    tensors: Vec<Tensor>,
    spans: Vec<Span>,
    peak: usize,
}

impl Timeline {
    /// Replays a run event by event.
    ///
    /// # Errors
    /// As [`estimate`](super::estimate).
    pub fn of(scenario: &Scenario) -> Result<Self, EstimateError> {
        let turns = Turns::once(stack::turns(&resolve(scenario)?).list());
        let blocks = blocks(&turns).map_err(|_| EstimateError::NotModelled("the run is endless".into()))?;
        Ok(Timeline::read(turns.recording(), &blocks))
    }

    fn read(recording: &Recording, blocks: &[u64]) -> Self {
        let mut moments = Vec::with_capacity(recording.events.len());
        let mut alive = vec![0..u32::MAX; recording.allocs.len()];
        let mut spans: Vec<Span> = Vec::new();
        let (mut live, mut highest, mut peak) = (0u64, 0u64, 0usize);
        for event in &recording.events {
            let now = moments.len();
            match *event {
                Event::Phase(phase, step, micro) => {
                    let span = Span {
                        phase,
                        step: step.into(),
                        micro: micro.into(),
                        moments: now..now,
                    };
                    spans.push(span);
                }
                Event::Alloc(i) => {
                    alive[i as usize].start = now as u32;
                    live += blocks[i as usize];
                    if live > highest && spans.last().is_some_and(|span| span.phase != Phase::Load) {
                        (highest, peak) = (live, now);
                    }
                    moments.push(i);
                }
                Event::Free(i) => {
                    alive[i as usize].end = now as u32;
                    live -= blocks[i as usize];
                    moments.push(i);
                }
                Event::EmptyCache => {}
            }
            if let Some(span) = spans.last_mut() {
                span.moments.end = moments.len();
            }
        }
        let categories = recording.categories();
        let tensor = |(i, alloc): (usize, &Alloc)| Tensor {
            alloc: *alloc,
            category: categories[i],
            bytes: blocks[i],
            alive: alive[i].clone(),
        };
        let tensors = recording.allocs.iter().enumerate().map(tensor).collect();
        Timeline {
            moments,
            tensors,
            spans,
            peak,
        }
    }

    /// How many moments there are.
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// Is there no moment at all?
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The moment of the highest allocation in the training steps.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// The phases, in order.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The phase of a moment.
    pub fn span(&self, at: usize) -> Option<&Span> {
        self.spans.iter().find(|span| span.moments.contains(&at))
    }

    /// The moments of the training step in which the peak is.
    pub fn peak_step(&self) -> Range<usize> {
        let Some(peak) = self.span(self.peak) else {
            return 0..self.len();
        };
        let of_step = || self.spans.iter().filter(|span| span.step == peak.step);
        let from = of_step().map(|span| span.moments.start).min().unwrap_or(0);
        let to = of_step().map(|span| span.moments.end).max().unwrap_or(self.len());
        from..to
    }

    /// Some moments in at most `most` columns of equal length, each its highest moment: no peak is lost.
    pub fn columns(&self, window: Range<usize>, most: usize) -> Vec<Column> {
        let (from, to) = (window.start.min(self.len()), window.end.min(self.len()));
        if from >= to || most == 0 {
            return Vec::new();
        }
        let length = (to - from).div_ceil(most.min(to - from));
        let mut live: Live = [0; CATEGORIES];
        let mut total = 0u64;
        let mut columns: Vec<Column> = Vec::with_capacity(most.min(to - from));
        let mut highest = 0;
        for (at, &i) in self.moments.iter().enumerate().take(to) {
            let tensor = &self.tensors[i as usize];
            let of_category = &mut live[tensor.category as usize];
            if tensor.alive.start as usize == at {
                *of_category += tensor.bytes;
                total += tensor.bytes;
            } else {
                *of_category -= tensor.bytes;
                total -= tensor.bytes;
            }
            if at < from {
                continue;
            }
            let begins = (at - from) % length == 0;
            if begins {
                columns.push(Column { at, live });
                highest = total;
            } else if total > highest
                && let Some(column) = columns.last_mut()
            {
                *column = Column { at, live };
                highest = total;
            }
        }
        columns
    }

    /// What happens at a moment.
    pub fn moment(&self, at: usize) -> Option<Moment> {
        let tensor = self.tensors.get(*self.moments.get(at)? as usize)?;
        let span = self.span(at)?;
        let born = tensor.alive.start as usize == at;
        let bytes = i64::try_from(tensor.bytes).unwrap_or(i64::MAX);
        Some(Moment {
            description: reading::describe(&tensor.alloc, tensor.category, span.phase, span.step).description,
            op: tensor.alloc.op,
            change: if born { bytes } else { -bytes },
        })
    }

    /// What is alive right after a moment, the largest first.
    pub fn alive(&self, at: usize) -> Vec<Tensors> {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let mut kinds: BTreeMap<_, (usize, u64)> = BTreeMap::new();
        for tensor in self.tensors.iter().filter(|tensor| tensor.alive.contains(&at)) {
            let kind = (tensor.category, tensor.alloc.place.module, tensor.alloc.op);
            let (count, bytes) = kinds.entry(kind).or_default();
            *count += 1;
            *bytes += tensor.bytes;
        }
        let mut alive: Vec<Tensors> = kinds
            .into_iter()
            .map(|((category, module, op), (count, bytes))| Tensors {
                category,
                module,
                op,
                count,
                bytes,
            })
            .collect();
        sort_by_key(&mut alive, |tensors| std::cmp::Reverse(tensors.bytes));
        alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::estimate;

    fn default() -> (Timeline, crate::estimate::Estimate) {
        let scenario = Scenario::default();
        (Timeline::of(&scenario).unwrap(), estimate(&scenario).unwrap())
    }

    #[test]
    fn categories_are_numbered_in_the_order_in_which_they_are_drawn() {
        for (i, category) in Category::ALL.iter().enumerate() {
            assert_eq!(*category as usize, i);
        }
    }

    #[test]
    fn the_peak_is_what_the_estimate_says_to_the_byte() {
        let (timeline, estimate) = default();
        let all = timeline.columns(timeline.peak_step(), usize::MAX);
        let peak = all.iter().find(|column| column.at == timeline.peak()).unwrap();
        assert_eq!(peak.total(), estimate.allocated_bytes);
        for (i, category) in Category::ALL.iter().enumerate() {
            assert_eq!(
                peak.live[i],
                estimate.breakdown.get(category).copied().unwrap_or(0)
            );
        }
        let alive: u64 = timeline.alive(timeline.peak()).iter().map(|t| t.bytes).sum();
        assert_eq!(alive, estimate.allocated_bytes);
    }

    #[test]
    fn few_columns_lose_no_peak() {
        let (timeline, estimate) = default();
        for most in [1, 7, 300] {
            let columns = timeline.columns(timeline.peak_step(), most);
            assert!(columns.len() <= most);
            assert_eq!(
                columns.iter().map(Column::total).max(),
                Some(estimate.allocated_bytes)
            );
        }
        assert!(timeline.columns(5..5, 10).is_empty());
        assert!(timeline.columns(0..10, 0).is_empty());
        assert_eq!(timeline.columns(usize::MAX - 1..usize::MAX, 9), vec![]);
    }

    #[test]
    fn every_moment_of_the_steps_belongs_to_a_phase_and_says_what_happens() {
        let (timeline, estimate) = default();
        let spans = timeline.spans();
        assert!(
            spans
                .windows(2)
                .all(|two| two[0].moments.end == two[1].moments.start)
        );
        assert_eq!(spans.last().map(|span| span.moments.end), Some(timeline.len()));
        let peak = timeline.moment(timeline.peak()).unwrap();
        assert_eq!(peak.description, estimate.peak.description);
        assert!(peak.change > 0);
        assert_eq!(timeline.moment(timeline.len()), None);
    }
}
