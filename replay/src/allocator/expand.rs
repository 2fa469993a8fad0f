//! From what is recorded of one layer of each kind to every layer's turn.
//!
//! What a layer allocates and drops itself, each layer it stands for does likewise. What is handed from layer to layer
//! (hidden states forward, their gradients backward, a name that the optimizer's loop binds again) is allocated by one and
//! dropped by its neighbour: of two neighbours, the first's are matched with the second's in the order of their making.
//! Where this does not account for a tensor, nothing is said, and the layers have to be recorded one by one.

use super::turns::{Of, Step, Turn, Turns, What};
use crate::category::Category;
use crate::recording::{Event, Recording};
use crate::segment::Order;
use std::ops::Range;

/// No group.
const NONE: u32 = u32::MAX;

/// Where a group of layers is entered, or left for group 0: before the event of this index.
pub(crate) type Entered = (usize, u32);

/// Who drops an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    /// Whoever made it, or something that happens once.
    Own,
    /// The next layer; its number among what is handed there.
    Next(usize),
    /// The layer before, alike.
    Before(usize),
    /// The end of the run, which drops what every layer has made.
    End,
}

/// Consecutive events of one group.
struct Stretch {
    group: u32,
    events: Range<usize>,
    /// The way through the layers that it is of, or that comes behind it: another begins with each stretch outside the layers,
    /// and where layers are gone through twice without one between.
    way: u32,
}

/// Where an allocation is made or dropped: the group, and the way through the layers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Where {
    group: u32,
    way: u32,
}

/// A way through the layers, at one of them.
#[derive(Clone, Copy)]
struct Way {
    number: u32,
    /// From the first layer to the last?
    forward: bool,
    /// Does it begin with this layer?
    starts: bool,
}

/// The turns of every layer.
pub(crate) fn expanded(recording: Recording, entered: &[Entered], order: &Order) -> Option<Turns> {
    let layers: Vec<u32> = order
        .iter()
        .flat_map(|&(group, times)| std::iter::repeat_n(group, times as usize))
        .collect();
    let groups = layers.iter().copied().max()?;
    if groups as usize == layers.len() {
        return Some(Turns::once(recording));
    }
    let stretches = stretches(recording.events.len(), entered);
    let mut expansion = Expansion::of(recording, &stretches, layers, groups)?;
    for way in stretches.chunk_by(|a, b| a.way == b.way) {
        match way.split_first()? {
            (outside, layers) if outside.group == 0 => {
                expansion.outside(outside.events.clone())?;
                expansion.through_layers(layers)?;
            }
            _ => expansion.through_layers(way)?,
        }
    }
    Some(expansion.turns)
}

/// The events between one entry and the next, without what is empty inside the layers.
fn stretches(events: usize, entered: &[Entered]) -> Vec<Stretch> {
    let ends = entered.iter().map(|&(at, _)| at).chain([events]);
    let starts = std::iter::once((0, 0)).chain(entered.iter().copied());
    let mut ways = 0;
    // The group that the way began with.
    let mut begun = 0;
    let stretch = |((start, group), end)| {
        if group == 0 || group == begun {
            ways += 1;
        }
        if group == 0 || begun == 0 {
            begun = group;
        }
        Stretch {
            group,
            events: start..end,
            way: ways,
        }
    };
    let mut stretches: Vec<Stretch> = starts.zip(ends).map(stretch).collect();
    stretches.retain(|stretch| stretch.group == 0 || !stretch.events.is_empty());
    stretches
}

struct Expansion {
    turns: Turns,
    /// The group of each layer.
    layers: Vec<u32>,
    /// How many layers of its group come before each layer.
    number: Vec<u32>,
    /// How many layers each group stands for; of group 0, one.
    times: Vec<u32>,
    /// Where each allocation is made.
    born: Vec<Where>,
    dropped: Vec<Dropped>,
    /// What each group hands to the next layer, by group.
    next: Vec<Vec<u32>>,
    /// What each group takes from the next layer's backward pass.
    before: Vec<Vec<u32>>,
    /// Slots of each allocation, one a layer, from this one on.
    first: Vec<u32>,
    /// The bytes of each allocation.
    sizes: Vec<u64>,
    /// What each allocation is.
    categories: Vec<Category>,
}

impl Expansion {
    fn of(recording: Recording, stretches: &[Stretch], layers: Vec<u32>, groups: u32) -> Option<Self> {
        let mut times = vec![0; groups as usize + 1];
        times[0] = 1;
        let mut number = Vec::with_capacity(layers.len());
        for &group in &layers {
            number.push(times[group as usize]);
            times[group as usize] += 1;
        }
        // The first and the last layer stand for themselves: what goes in and out of the layers is as it is recorded.
        let once = |group: u32| times[group as usize] == 1;
        if layers.first() != Some(&1) || layers.last() != Some(&groups) || !once(1) || !once(groups) {
            return None;
        }
        let allocs = recording.allocs.len();
        let mut turns = Turns::begin(recording);
        let mut expansion = Expansion {
            sizes: turns.sizes(),
            categories: turns.recording().categories(),
            turns: {
                turns.steps.reserve(4 * allocs);
                turns
            },
            layers,
            number,
            times,
            born: vec![Where { group: 0, way: 0 }; allocs],
            dropped: vec![Dropped::Own; allocs],
            next: vec![Vec::new(); groups as usize + 1],
            before: vec![Vec::new(); groups as usize + 1],
            first: Vec::with_capacity(allocs),
        };
        expansion.follow_allocations(stretches)?;
        for at in &expansion.born {
            expansion.first.push(expansion.turns.slots as u32);
            expansion.turns.slots += expansion.times[at.group as usize] as usize;
        }
        u32::try_from(expansion.turns.slots).ok()?;
        Some(expansion)
    }

    /// Finds where each allocation is made, and who drops it.
    fn follow_allocations(&mut self, stretches: &[Stretch]) -> Option<()> {
        let nowhere = Where { group: NONE, way: 0 };
        let mut died = vec![nowhere; self.born.len()];
        let events = &self.turns.recording().events;
        let is_phase = |event: &Event| matches!(event, Event::Phase(..));
        let last_phase = events.iter().rposition(is_phase).unwrap_or(0);
        for stretch in stretches {
            let here = Where {
                group: stretch.group,
                way: stretch.way,
            };
            for (event, at) in events[stretch.events.clone()].iter().zip(stretch.events.clone()) {
                match *event {
                    Event::Alloc(i) => self.born[i as usize] = here,
                    Event::Free(i) if at > last_phase && stretch.group == 0 => {
                        self.dropped[i as usize] = Dropped::End;
                    }
                    Event::Free(i) => died[i as usize] = here,
                    Event::Phase(..) | Event::EmptyCache => {}
                }
            }
        }
        for (i, died) in died.iter().enumerate() {
            let born = self.born[i];
            if *died == nowhere || died.group == born.group {
                continue;
            }
            let once = |group: u32| self.times[group as usize] == 1;
            let (list, to_next) = match (born.group, died.group) {
                (1.., died) if died == born.group + 1 => (&mut self.next[born.group as usize], true),
                (born, 1..) if born == died.group + 1 => (&mut self.before[died.group as usize], false),
                (born, died) if once(born) && once(died) => continue,
                _ => return None,
            };
            let place = list.len();
            list.push(i as u32);
            self.dropped[i] = match to_next {
                true => Dropped::Next(place),
                false => Dropped::Before(place),
            };
        }
        let size = |&i: &u32| self.sizes[i as usize];
        let alike = |lists: &[Vec<u32>]| {
            let mut pairs = lists.iter().zip(lists.iter().skip(1));
            pairs.all(|(a, b)| a.iter().map(size).eq(b.iter().map(size)))
        };
        let between = 1..self.times.len() - 1;
        (alike(&self.next[between.clone()]) && alike(&self.before[between])).then_some(())
    }

    /// A step about an allocation, which is what `like` is.
    fn push(&mut self, what: What, of: Of, alloc: u32, slot: u32, like: u32) {
        self.turns.steps.push(Step {
            what,
            of,
            category: self.categories[like as usize],
            alloc,
            slot,
            bytes: self.sizes[alloc as usize],
        });
    }

    /// What happens once.
    fn outside(&mut self, events: Range<usize>) -> Option<()> {
        let first = self.turns.steps.len();
        for at in events {
            match self.turns.recording().events[at] {
                Event::Alloc(i) => self.push(What::Take, Of::Once, i, self.first[i as usize], i),
                Event::Free(i) => {
                    let slot = self.first[i as usize];
                    match self.dropped[i as usize] {
                        Dropped::Own => self.push(What::Drop, Of::Once, i, slot, i),
                        Dropped::End => {
                            for number in 0..self.times[self.born[i as usize].group as usize] {
                                self.push(What::Drop, Of::Once, i, slot + number, i);
                            }
                        }
                        Dropped::Next(_) | Dropped::Before(_) => return None,
                    }
                }
                _ => self.turns.steps.push(Step::mark(at)),
            }
        }
        self.turns.turns.push(Turn::once(first, self.turns.steps.len()));
        Some(())
    }

    /// A way through the layers, forward or backward: each does what is recorded of its group.
    fn through_layers(&mut self, way: &[Stretch]) -> Option<()> {
        let (Some(first), Some(last)) = (way.first(), way.last()) else {
            return Some(());
        };
        let forward = first.group <= last.group;
        let mut pairs = way.iter().zip(way.iter().skip(1));
        if !pairs.all(|(a, b)| (a.group < b.group) == forward && a.group != b.group) {
            return None;
        }
        let layers = self.layers.len();
        let start = if forward { 0 } else { layers - 1 };
        // Layers of one group between layers of the same groups do the same steps.
        let mut known: Vec<([u32; 3], Turn)> = Vec::new();
        for step in 0..layers {
            let layer = if forward { step } else { layers - 1 - step };
            let group = self.layers[layer];
            let Some(stretch) = way.iter().find(|stretch| stretch.group == group) else {
                continue;
            };
            let group_of = |layer: Option<usize>| layer.and_then(|layer| self.layers.get(layer)).copied();
            let (before, behind) = (layer.checked_sub(1), Some(layer + 1));
            let between = [
                group,
                group_of(before).unwrap_or(NONE),
                group_of(behind).unwrap_or(NONE),
            ];
            let mut turn = match known.iter().find(|(other, _)| *other == between) {
                Some(&(_, turn)) => turn,
                None => {
                    let first = self.turns.steps.len();
                    for at in stretch.events.clone() {
                        let way = Way {
                            number: stretch.way,
                            forward,
                            starts: layer == start,
                        };
                        self.inside(at, between, way)?;
                    }
                    let turn = Turn::once(first, self.turns.steps.len());
                    known.push((between, turn));
                    turn
                }
            };
            let number = |layer: Option<usize>| layer.and_then(|layer| self.number.get(layer)).copied();
            turn.layer = Some(layer as u32);
            turn.number = [
                0,
                self.number[layer],
                number(before).unwrap_or(0),
                number(behind).unwrap_or(0),
            ];
            self.turns.turns.push(turn);
        }
        Some(())
    }

    /// An event of a layer of a group between layers of two others, on this way.
    fn inside(&mut self, at: usize, [group, before, behind]: [u32; 3], way: Way) -> Option<()> {
        // What is handed from layer to layer there and dropped like this.
        let handed =
            |list: &[Vec<u32>], group: u32, place: usize| list.get(group as usize)?.get(place).copied();
        match self.turns.recording().events[at] {
            Event::Alloc(i) => {
                let category = self.turns.recording().allocs[i as usize].category;
                // A workspace is born once, in the layer that comes first.
                if category == Some(Category::CublasWorkspace) && !way.starts {
                    return None;
                }
                let like = match self.dropped[i as usize] {
                    Dropped::Next(place) => handed(&self.next, behind.checked_sub(1)?, place)?,
                    Dropped::Before(place) => handed(&self.before, before, place)?,
                    Dropped::Own | Dropped::End => i,
                };
                self.push(What::Take, Of::Own, i, self.first[i as usize], like);
            }
            Event::Free(i) => {
                let (of, alloc) = match self.dropped[i as usize] {
                    Dropped::Own if self.born[i as usize].group == group => (Of::Own, i),
                    Dropped::Own => (Of::Once, i),
                    Dropped::Next(place) => (Of::Before, handed(&self.next, before, place)?),
                    Dropped::Before(place) => {
                        (Of::Behind, handed(&self.before, behind.checked_sub(1)?, place)?)
                    }
                    Dropped::End => return None,
                };
                // It must have been made: on an earlier way, or by the layer that came before this one.
                let made = self.born[alloc as usize].way;
                let comes_before = match of {
                    Of::Before => way.forward,
                    Of::Behind => !way.forward,
                    Of::Once | Of::Own => true,
                };
                if made > way.number || (made == way.number && !comes_before) {
                    return None;
                }
                self.push(What::Drop, of, alloc, self.first[alloc as usize], i);
            }
            // Phases do not begin inside a layer.
            _ => return None,
        }
        Some(())
    }
}
