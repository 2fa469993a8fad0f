//! Peaks by segments: a run of events is *(net, peak)*, segments follow each other, equal ones are powers.

use super::recording::{Event, Phase, Recording};

/// What the allocator rounds every request up to (`kMinBlockSize`).
pub const MIN_BLOCK: u64 = 512;

/// A request as the allocator counts it: rounded up to 512 bytes.
pub const fn rounded(bytes: u64) -> u64 {
    bytes.saturating_add(MIN_BLOCK - 1) & !(MIN_BLOCK - 1)
}

/// The change of live bytes over a run of events, and the highest point above its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Live bytes at the end less those at the start.
    pub net: i64,
    /// Highest live bytes less those at the start; at least 0.
    pub peak: i64,
}

impl Segment {
    /// Nothing happens.
    pub const EMPTY: Segment = Segment { net: 0, peak: 0 };

    /// An allocation.
    pub const fn alloc(bytes: u64) -> Self {
        let b = bytes as i64;
        Segment { net: b, peak: b }
    }

    /// A free.
    pub const fn free(bytes: u64) -> Self {
        Segment {
            net: -(bytes as i64),
            peak: 0,
        }
    }

    /// This segment, then another.
    ///
    /// ```
    /// use plimsoll_replay::segment::Segment;
    /// let layer = Segment::alloc(1024).then(Segment::alloc(4096)).then(Segment::free(4096));
    /// assert_eq!(layer, Segment { net: 1024, peak: 5120 });
    /// assert_eq!(layer.times(3), Segment { net: 3072, peak: 2048 + 5120 });
    /// ```
    pub const fn then(self, next: Segment) -> Self {
        let after = self.net.saturating_add(next.peak);
        Segment {
            net: self.net.saturating_add(next.net),
            peak: if after > self.peak { after } else { self.peak },
        }
    }

    /// This segment `n` times over.
    pub const fn times(self, n: u32) -> Self {
        if n == 0 {
            return Segment::EMPTY;
        }
        let before_last = self.net.saturating_mul(n as i64 - 1);
        Segment {
            net: self.net.saturating_mul(n as i64),
            peak: if before_last > 0 {
                before_last.saturating_add(self.peak)
            } else {
                self.peak
            },
        }
    }
}

/// Groups of layers in the order in which they happen, each with how often it does before the next: its number, from 1,
/// and the times.
pub type Order = Vec<(u32, u32)>;

/// Folds events into segments as they come: the peak without a list of what happened. What happens in a group of layers
/// is folded apart; as soon as the layers are left, the groups' segments follow each other in the model's order, or in the
/// reverse when the last group came first.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    /// The segment that grows.
    open: Segment,
    /// The group it belongs to; 0 outside the layers.
    group: u32,
    /// What happened before what repeats within a layer.
    outer: Segment,
    /// What happened before the layers were entered.
    before: Segment,
    /// The group by which they were entered.
    first: u32,
    /// What has happened in each group since then.
    groups: Vec<Segment>,
    /// The order of the groups.
    pub(super) order: Order,
    /// Layers, from the first on, whose backward pass takes no more than what is recorded for it, but may take less.
    pub(super) bounded: u32,
    /// The peak before such layers ran, until the backward pass ends.
    sure: Option<i64>,
    /// The highest point in such layers, and after them up to the end of the backward pass.
    bound: i64,
    training: bool,
    backward: bool,
    /// Bytes that stand from the first step on.
    standing: u64,
    /// The highest point of those that came before all of these stood.
    early: u64,
}

impl Fold {
    /// An allocation of this many bytes, rounded up already. Sizes are bounded long before their sums could overflow
    /// (`Scenario::problems`).
    pub fn alloc(&mut self, bytes: u64) {
        self.open.net = self.open.net.wrapping_add(bytes as i64);
        self.open.peak = self.open.peak.max(self.open.net);
    }

    /// A free of an allocation of this many bytes.
    pub fn free(&mut self, bytes: u64) {
        self.open.net = self.open.net.wrapping_sub(bytes as i64);
    }

    /// An allocation that is never freed and was made before the step that is folded.
    pub fn stand(&mut self, bytes: u64) {
        self.standing = self.standing.saturating_add(rounded(bytes));
    }

    /// Outside the layers: an allocation that is freed at once, while only part of what will stand stands already.
    pub fn pass(&mut self, bytes: u64) {
        let live = (self.open.net.max(0) as u64).saturating_add(self.standing);
        self.early = self.early.max(live.saturating_add(rounded(bytes)));
    }

    /// In the first layers since the others were left: bytes that are live below the highest point so far.
    pub fn below_highest(&self) -> u64 {
        let now = self.before.then(self.open);
        (now.peak - now.net).max(0) as u64
    }

    /// What follows, up to [`Fold::end_repeat`], happens several times.
    pub fn begin_repeat(&mut self) {
        self.outer = std::mem::take(&mut self.open);
    }

    /// What has happened since [`Fold::begin_repeat`] happens this many times in all.
    pub fn end_repeat(&mut self, times: u32) {
        self.open = self.outer.then(self.open.times(times));
    }

    /// What follows happens in this group of layers, or outside of them.
    pub fn enter(&mut self, group: u32) {
        if self.group == 0 {
            self.before = self.open;
            self.first = group;
            self.groups.clear();
        } else {
            let at = self.group as usize;
            if self.groups.len() <= at {
                self.groups.resize(at + 1, Segment::EMPTY);
            }
            self.groups[at] = self.open;
        }
        self.open = if group != 0 {
            self.groups.get(group as usize).copied().unwrap_or_default()
        } else if self.backward && self.bounded > 0 && self.sure.is_none() {
            let (others, bounded) = self.layers_backward();
            let surely = self.before.then(others);
            self.sure = Some(surely.peak);
            // From here to the end of the backward pass, the open segment has the peak of what is bounded.
            Segment {
                net: surely.net.saturating_add(bounded.net),
                peak: surely.net.saturating_add(bounded.peak),
            }
        } else {
            self.before.then(self.all_layers())
        };
        self.group = group;
    }

    /// The segments of all groups in the order of the layers; the group left last says which way they went.
    fn all_layers(&self) -> Segment {
        let follow = |all: Segment, &(group, times): &(u32, u32)| match self.groups.get(group as usize) {
            Some(segment) => all.then(segment.times(times)),
            None => all,
        };
        if self.first <= self.group {
            self.order.iter().fold(Segment::EMPTY, follow)
        } else {
            self.order.iter().rev().fold(Segment::EMPTY, follow)
        }
    }

    /// The segments of the groups from the last layer to the first: those before the bounded ones, and these.
    fn layers_backward(&self) -> (Segment, Segment) {
        let mut left: u32 = self.order.iter().map(|run| run.1).sum();
        let (mut others, mut bounded) = (Segment::EMPTY, Segment::EMPTY);
        for &(group, times) in self.order.iter().rev() {
            let segment = self.groups.get(group as usize).copied().unwrap_or_default();
            let surely = times.min(left.saturating_sub(self.bounded));
            others = others.then(segment.times(surely));
            bounded = bounded.then(segment.times(times - surely));
            left -= times;
        }
        (others, bounded)
    }

    /// Any other event.
    pub fn mark(&mut self, event: Event) {
        if let Event::Phase(phase, ..) = event {
            if let Some(sure) = self.sure.take() {
                self.bound = self.bound.max(self.open.peak);
                self.open.peak = sure;
            }
            self.backward = phase == Phase::Backward;
            if !self.training && phase != Phase::Load {
                // The peak of loading is not a training step's.
                self.training = true;
                self.open.peak = self.open.net;
            }
        }
    }

    /// The highest live bytes of the training steps.
    pub fn peak(&self) -> u64 {
        let peak = (self.open.peak.max(0) as u64).saturating_add(self.standing);
        peak.max(self.early)
    }

    /// Is the peak surely higher, by this much, than whatever layers take that are only bounded?
    pub fn is_sure_by(&self, bytes: u64) -> bool {
        self.sure.is_none() && self.bound.saturating_add_unsigned(bytes) <= self.open.peak
    }
}

/// The highest live bytes (each request rounded up to 512) of the training steps of a full recording: everything after the
/// first phase that is not loading.
pub fn peak(recording: &Recording) -> u64 {
    let mut fold = Fold::default();
    for event in &recording.events {
        match *event {
            Event::Alloc(i) => fold.alloc(rounded(recording.allocs[i as usize].bytes)),
            Event::Free(i) => fold.free(rounded(recording.allocs[i as usize].bytes)),
            other => fold.mark(other),
        }
    }
    fold.peak()
}
