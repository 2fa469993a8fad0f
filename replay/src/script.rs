//! The requests and frees of a folded step, to be played again with the sizes of another batch.

use crate::recording::Event;
use crate::segment::{Fold, rounded};

/// One thing that a folding tape does, with unrounded sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// As [`Fold::alloc`].
    Alloc(u64),
    /// As [`Fold::free`], of the allocation of this number.
    Free(u32),
    /// As [`Fold::stand`].
    Stand(u64),
    /// As [`Fold::pass`].
    Pass(u64),
    /// As [`Fold::enter`].
    Enter(u32),
    /// As [`Fold::begin_repeat`].
    BeginRepeat,
    /// As [`Fold::end_repeat`].
    EndRepeat(u32),
    /// As [`Fold::mark`].
    Mark(Event),
}

/// The steps of a run since a tape was marked.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
    /// Is there a size that moves in steps with the batch, or goes to and fro?
    pub(crate) uneven: bool,
    /// By how much the peak must be higher than what is only bounded.
    pub(crate) margin: u64,
}

/// A size over the batch: at the first, and by how much it grows with each sequence.
type Line = (u64, i64);

/// A step whose size is a line over the batch.
#[derive(Clone, Copy, Debug)]
enum Move {
    Alloc(Line),
    Free(Line),
    /// Any other step, of which only [`Step::Pass`] and [`Step::Stand`] have a size.
    Other(Step, i64),
}

/// The steps of runs that differ in their batch alone, between two batches.
#[derive(Debug)]
pub struct Play {
    start: Fold,
    moves: Vec<Move>,
    margin: Line,
}

fn at(line: Line, further: u64) -> u64 {
    line.0.wrapping_add_signed(line.1.wrapping_mul(further as i64))
}

/// The line through three sizes, of the first batch, the next and one that is so far `apart` from the first.
fn line([first, next, last]: [u64; 3], apart: u64) -> Option<Line> {
    let signed = |size: u64| i64::try_from(size).ok();
    let slope = signed(next)? - signed(first)?;
    let all = slope.checked_mul(signed(apart)?)?;
    (signed(last)? - signed(first)? == all).then_some((first, slope))
}

impl Script {
    /// The steps of all runs with batches from that of the first script, by the next batch, to that of the last, which is so
    /// far `apart`; nothing where they are not sure to do the same in the same order with sizes that are lines over the
    /// batch. What a run does depends on its batch in three ways: in proportion; once and for all beyond some batch, which
    /// shows in the last script; or in steps, which whoever asks for it says ([`Script::uneven`]). All begin at `start`, with
    /// allocations of these sizes.
    pub(crate) fn play(scripts: [&Script; 3], apart: u64, start: &Fold, standing: Vec<u64>) -> Option<Play> {
        let [first, next, last] = scripts.map(|script| &script.steps);
        let alike = next.len() == first.len() && last.len() == first.len();
        if !alike || scripts.iter().any(|script| script.uneven) {
            return None;
        }
        let mut lines: Vec<Line> = standing.into_iter().map(|bytes| (bytes, 0)).collect();
        let mut moves = Vec::with_capacity(first.len());
        for ((&one, &two), &three) in first.iter().zip(next).zip(last) {
            moves.push(match [one, two, three] {
                [Step::Alloc(a), Step::Alloc(b), Step::Alloc(c)] => {
                    let line = line([a, b, c], apart)?;
                    lines.push(line);
                    Move::Alloc(line)
                }
                [Step::Free(number), ..] if one == two && one == three => {
                    Move::Free(*lines.get(number as usize)?)
                }
                [Step::Pass(a), Step::Pass(b), Step::Pass(c)]
                | [Step::Stand(a), Step::Stand(b), Step::Stand(c)] => {
                    Move::Other(one, line([a, b, c], apart)?.1)
                }
                _ if one == two && one == three => Move::Other(one, 0),
                _ => return None,
            });
        }
        Some(Play {
            start: start.clone(),
            moves,
            margin: line(scripts.map(|s| s.margin), apart)?,
        })
    }
}

impl Play {
    /// The peak of the run whose batch is so much larger than the first; nothing when what is only bounded might decide it.
    pub fn peak(&self, further: u64) -> Option<u64> {
        let mut fold = self.start.clone();
        for step in &self.moves {
            match *step {
                Move::Alloc(line) => fold.alloc(rounded(at(line, further))),
                Move::Free(line) => fold.free(rounded(at(line, further))),
                Move::Other(step, slope) => fold.step(step, slope.wrapping_mul(further as i64)),
            }
        }
        fold.is_sure_by(at(self.margin, further)).then(|| fold.peak())
    }
}

impl Fold {
    /// Any step but an allocation or a free of one, of which the size is more by this.
    fn step(&mut self, step: Step, more: i64) {
        match step {
            Step::Stand(bytes) => self.stand(bytes.wrapping_add_signed(more)),
            Step::Pass(bytes) => self.pass(bytes.wrapping_add_signed(more)),
            Step::Enter(group) => self.enter(group),
            Step::BeginRepeat => self.begin_repeat(),
            Step::EndRepeat(times) => self.end_repeat(times),
            Step::Mark(event) => self.mark(event),
            Step::Alloc(_) | Step::Free(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tensor of this many bytes a sequence beside one that stands, and three words a sequence in scratch.
    fn script(batch: u64) -> Script {
        let steps = [
            Step::Alloc(batch * 4096),
            Step::Alloc(batch * 24),
            Step::Free(2),
            Step::Free(0),
            Step::Alloc(100),
        ];
        Script {
            steps: steps.into(),
            ..Script::default()
        }
    }

    fn peak_of(script: &Script, standing: u64) -> u64 {
        let mut fold = Fold::default();
        let mut sizes = vec![standing];
        fold.alloc(standing);
        for step in &script.steps {
            match *step {
                Step::Alloc(bytes) => {
                    sizes.push(rounded(bytes));
                    fold.alloc(rounded(bytes));
                }
                Step::Free(number) => fold.free(sizes[number as usize]),
                other => fold.step(other, 0),
            }
        }
        fold.peak()
    }

    fn play(scripts: [&Script; 3], apart: u64) -> Option<Play> {
        let mut start = Fold::default();
        start.alloc(1024);
        Script::play(scripts, apart, &start, vec![1024])
    }

    #[test]
    fn what_is_played_is_what_is_replayed_rounding_included() {
        let play = play([&script(2), &script(3), &script(50)], 48).unwrap();
        for batch in 2..=50 {
            assert_eq!(
                play.peak(batch - 2),
                Some(peak_of(&script(batch), 1024)),
                "{batch}"
            );
        }
    }

    #[test]
    fn runs_that_do_not_do_the_same_are_not_played() {
        let (first, next, last) = (script(2), script(3), script(50));
        assert!(play([&first, &next, &last], 47).is_none());
        let uneven = Script {
            uneven: true,
            ..next.clone()
        };
        assert!(play([&first, &uneven, &last], 48).is_none());
        let mut other = last.clone();
        other.steps.swap(2, 3);
        assert!(play([&first, &next, &other], 48).is_none());
        other = last.clone();
        other.steps.pop();
        assert!(play([&first, &next, &other], 48).is_none());
        other = last;
        other.margin = 1;
        assert!(play([&first, &next, &other], 48).is_none());
    }
}
