//! From what is recorded of one layer of each kind to the list of every layer's events.
//!
//! What a layer allocates and drops itself, each layer it stands for does likewise. What is handed from layer to layer
//! (hidden states forward, their gradients backward, a name that the optimizer's loop binds again) is allocated by one and
//! dropped by its neighbour: of two neighbours, the first's are matched with the second's in the order of their making.
//! Where this does not account for a tensor, nothing is said, and the layers have to be recorded one by one.

use super::recording::{Alloc, Event, Recording};
use super::segment::Order;
use crate::estimate::Category;
use std::ops::Range;

/// No allocation yet.
const NONE: u32 = u32::MAX;

/// Where a group of layers is entered, or left for group 0: before the event of this index.
pub(super) type Entered = (usize, u32);

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
}

/// The list of every layer's events.
pub(super) fn expanded(recording: Recording, entered: &[Entered], order: &Order) -> Option<Recording> {
    let layers: Vec<u32> = order
        .iter()
        .flat_map(|&(group, times)| std::iter::repeat_n(group, times as usize))
        .collect();
    let groups = layers.iter().copied().max()?;
    if groups as usize == layers.len() {
        return Some(recording);
    }
    let mut expansion = Expansion::of(&recording, entered, layers, groups)?;
    let mut visit: Vec<Stretch> = Vec::new();
    for stretch in stretches(recording.events.len(), entered) {
        if stretch.group != 0 {
            visit.push(stretch);
            continue;
        }
        expansion.through_layers(&std::mem::take(&mut visit))?;
        for event in &recording.events[stretch.events] {
            expansion.outside(*event)?;
        }
    }
    expansion.through_layers(&visit)?;
    Some(Recording {
        events: expansion.events,
        allocs: expansion.allocs,
        ..recording
    })
}

/// The events between one entry and the next, without what is empty inside the layers.
fn stretches(events: usize, entered: &[Entered]) -> impl Iterator<Item = Stretch> {
    let ends = entered.iter().map(|&(at, _)| at).chain([events]);
    let starts = std::iter::once((0, 0)).chain(entered.iter().copied());
    starts
        .zip(ends)
        .map(|((start, group), end)| Stretch {
            group,
            events: start..end,
        })
        .filter(|stretch| stretch.group == 0 || !stretch.events.is_empty())
}

struct Expansion<'r> {
    recording: &'r Recording,
    /// The group of each layer.
    layers: Vec<u32>,
    /// How many layers of its group come before each layer.
    number: Vec<usize>,
    /// How many layers each group stands for; of group 0, one.
    times: Vec<usize>,
    /// The group in which each allocation is made.
    born: Vec<u32>,
    dropped: Vec<Dropped>,
    /// What each group hands to the next layer, by group.
    next: Vec<Vec<u32>>,
    /// What each group takes from the next layer's backward pass.
    before: Vec<Vec<u32>>,
    /// New numbers of each allocation, one a layer, from this place of `ids` on.
    first: Vec<usize>,
    ids: Vec<u32>,
    events: Vec<Event>,
    allocs: Vec<Alloc>,
}

impl<'r> Expansion<'r> {
    fn of(recording: &'r Recording, entered: &[Entered], layers: Vec<u32>, groups: u32) -> Option<Self> {
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
        let mut expansion = Expansion {
            recording,
            layers,
            number,
            times,
            born: vec![0; allocs],
            dropped: vec![Dropped::Own; allocs],
            next: vec![Vec::new(); groups as usize + 1],
            before: vec![Vec::new(); groups as usize + 1],
            first: Vec::with_capacity(allocs),
            ids: Vec::new(),
            events: Vec::new(),
            allocs: Vec::new(),
        };
        expansion.follow_allocations(entered)?;
        let mut ids = 0;
        for &group in &expansion.born {
            expansion.first.push(ids);
            ids += expansion.times[group as usize];
        }
        expansion.ids = vec![NONE; ids];
        expansion.allocs.reserve_exact(ids);
        expansion.events.reserve(2 * ids);
        Some(expansion)
    }

    /// Finds where each allocation is made, and who drops it.
    fn follow_allocations(&mut self, entered: &[Entered]) -> Option<()> {
        let recording = self.recording;
        let mut died = vec![NONE; self.born.len()];
        let is_phase = |event: &Event| matches!(event, Event::Phase(..));
        let last_phase = recording.events.iter().rposition(is_phase).unwrap_or(0);
        for stretch in stretches(recording.events.len(), entered) {
            for (event, at) in recording.events[stretch.events.clone()]
                .iter()
                .zip(stretch.events)
            {
                match *event {
                    Event::Alloc(i) => {
                        self.born[i as usize] = stretch.group;
                    }
                    Event::Free(i) if at > last_phase && stretch.group == 0 => {
                        self.dropped[i as usize] = Dropped::End;
                    }
                    Event::Free(i) => died[i as usize] = stretch.group,
                    Event::Phase(..) | Event::EmptyCache => {}
                }
            }
        }
        for (i, &died) in died.iter().enumerate() {
            let born = self.born[i];
            if died == NONE || died == born {
                continue;
            }
            let once = |group: u32| self.times[group as usize] == 1;
            let (list, to_next) = match (born, died) {
                (1.., died) if died == born + 1 => (&mut self.next[born as usize], true),
                (born, 1..) if born == died + 1 => (&mut self.before[died as usize], false),
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
        let size = |&i: &u32| recording.allocs[i as usize].bytes;
        let alike = |lists: &[Vec<u32>]| {
            let mut pairs = lists.iter().zip(lists.iter().skip(1));
            pairs.all(|(a, b)| a.iter().map(size).eq(b.iter().map(size)))
        };
        let between = 1..self.times.len() - 1;
        (alike(&self.next[between.clone()]) && alike(&self.before[between])).then_some(())
    }

    /// What happens once.
    fn outside(&mut self, event: Event) -> Option<()> {
        match event {
            Event::Alloc(i) => self.alloc(i, 0, None),
            Event::Free(i) => match self.dropped[i as usize] {
                Dropped::Own => self.free(i, 0)?,
                Dropped::End => {
                    for number in 0..self.times[self.born[i as usize] as usize] {
                        self.free(i, number)?;
                    }
                }
                Dropped::Next(_) | Dropped::Before(_) => return None,
            },
            other => self.events.push(other),
        }
        Some(())
    }

    /// A way through the layers, forward or backward: each does what is recorded of its group.
    fn through_layers(&mut self, visit: &[Stretch]) -> Option<()> {
        let (Some(first), Some(last)) = (visit.first(), visit.last()) else {
            return Some(());
        };
        let forward = first.group <= last.group;
        let mut pairs = visit.iter().zip(visit.iter().skip(1));
        if !pairs.all(|(a, b)| (a.group < b.group) == forward && a.group != b.group) {
            return None;
        }
        let mut stretch_of = vec![None; self.times.len()];
        for stretch in visit {
            stretch_of[stretch.group as usize] = Some(stretch.events.clone());
        }
        let layers = self.layers.len();
        let start = if forward { 0 } else { layers - 1 };
        for step in 0..layers {
            let layer = if forward { step } else { layers - 1 - step };
            let Some(events) = stretch_of[self.layers[layer] as usize].clone() else {
                continue;
            };
            for at in events {
                self.inside(self.recording.events[at], layer, start)?;
            }
        }
        Some(())
    }

    /// An event of a layer, on a way through the layers that began at `start`.
    fn inside(&mut self, event: Event, layer: usize, start: usize) -> Option<()> {
        match event {
            Event::Alloc(i) => {
                if self.recording.allocs[i as usize].category == Some(Category::CublasWorkspace) {
                    // Born once, in the layer that comes first.
                    if self.layers[start] != self.layers[layer] {
                        return None;
                    }
                    if layer != start {
                        return Some(());
                    }
                }
                self.alloc(i, self.number[layer], Some(layer as u32));
            }
            Event::Free(i) => {
                let (group, born) = (self.layers[layer], self.born[i as usize]);
                match self.dropped[i as usize] {
                    Dropped::Own if born == group => self.free(i, self.number[layer])?,
                    Dropped::Own => self.free(i, 0)?,
                    Dropped::Next(place) => {
                        let from = layer.checked_sub(1)?;
                        let handed = *self.next[self.layers[from] as usize].get(place)?;
                        self.free(handed, self.number[from])?;
                    }
                    Dropped::Before(place) => {
                        let from = layer + 1;
                        let group = *self.layers.get(from)? as usize;
                        let handed = *self.before.get(group.checked_sub(1)?)?.get(place)?;
                        self.free(handed, self.number[from])?;
                    }
                    Dropped::End => return None,
                }
            }
            // Phases do not begin inside a layer.
            _ => return None,
        }
        Some(())
    }

    fn alloc(&mut self, i: u32, number: usize, layer: Option<u32>) {
        let id = self.allocs.len() as u32;
        let mut alloc = self.recording.allocs[i as usize];
        if let (Some(named), Some(layer)) = (&mut alloc.place.layer, layer) {
            *named = layer;
        }
        self.allocs.push(alloc);
        self.events.push(Event::Alloc(id));
        if let Some(slot) = self.ids.get_mut(self.first[i as usize] + number) {
            *slot = id;
        }
    }

    /// Drops what the layer of this number in its group has made there.
    fn free(&mut self, i: u32, number: usize) -> Option<()> {
        let id = *self.ids.get(self.first[i as usize] + number)?;
        self.events.push(Event::Free(id));
        (id != NONE).then_some(())
    }
}
