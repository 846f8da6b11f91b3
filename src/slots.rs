//! Slots and queues of slots: what is under way, and in which order it is due.
//!
//! A timer heap with lazy cancellation was the obvious way and is not taken:
//! timeouts and deadlines have one length each, so their order is the order of
//! their starts, and a linked list through an array arms and disarms in
//! constant time, holds nothing that is over, and allocates nothing once it
//! has grown to what is under way at a time. Retries are the exception: their
//! pauses have any length, so a tree keeps them.

use std::collections::BTreeSet;

use crate::units::Nanos;

/// No slot.
const NONE: u32 = u32::MAX;

/// Values in reusable slots.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab.
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts a value into a free slot. The slot freed last is taken first: its memory is warm.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = Some(value);
            return slot;
        }
        let slot = u32::try_from(self.entries.len()).unwrap_or(NONE);
        assert!(slot < NONE, "fewer than four billion things are under way");
        self.entries.push(Some(value));
        slot
    }

    /// Takes the value out and frees its slot.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.entries.get_mut(slot as usize)?.take();
        if value.is_some() {
            self.free.push(slot);
        }
        value
    }

    /// The value in a slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.entries.get(slot as usize)?.as_ref()
    }

    /// The value in a slot, to be changed.
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    /// Values in it.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether it holds none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots that hold a value, lowest first.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        (0..)
            .zip(&self.entries)
            .filter_map(|(slot, entry)| entry.as_ref().map(|_| slot))
    }
}

#[derive(Debug, Clone, Copy)]
struct Node {
    previous: u32,
    next: u32,
    at: Nanos,
    queued: bool,
}

/// Slots in the order of an instant; those of one instant in the order they came.
#[derive(Debug)]
pub(crate) struct SlotQueue {
    nodes: Vec<Node>,
    head: u32,
    tail: u32,
    len: usize,
}

impl Default for SlotQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl SlotQueue {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            head: NONE,
            tail: NONE,
            len: 0,
        }
    }

    /// Queues a slot for an instant. Constant time where no queued instant is
    /// later, which is the rule; otherwise it passes those that are.
    ///
    /// # Panics
    ///
    /// Where the slot is queued already.
    pub(crate) fn push(&mut self, slot: u32, at: Nanos) {
        let empty = Node {
            previous: NONE,
            next: NONE,
            at: Nanos::ZERO,
            queued: false,
        };
        if self.nodes.len() <= slot as usize {
            self.nodes.resize(slot as usize + 1, empty);
        }
        assert!(!self.nodes[slot as usize].queued, "a slot is queued once");
        let mut previous = self.tail;
        while previous != NONE && self.nodes[previous as usize].at > at {
            previous = self.nodes[previous as usize].previous;
        }
        let next = if previous == NONE {
            self.head
        } else {
            self.nodes[previous as usize].next
        };
        self.nodes[slot as usize] = Node {
            previous,
            next,
            at,
            queued: true,
        };
        self.link(previous, next, slot, slot);
        self.len += 1;
    }

    /// Takes a slot out of the queue, with its instant; none where it was not in it.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Nanos> {
        let node = self.nodes.get_mut(slot as usize)?;
        if !std::mem::take(&mut node.queued) {
            return None;
        }
        let Node {
            previous, next, at, ..
        } = *node;
        self.link(previous, next, next, previous);
        self.len -= 1;
        Some(at)
    }

    /// Makes `first` the successor of `previous` and `last` the predecessor of `next`.
    fn link(&mut self, previous: u32, next: u32, first: u32, last: u32) {
        match previous {
            NONE => self.head = first,
            slot => self.nodes[slot as usize].next = first,
        }
        match next {
            NONE => self.tail = last,
            slot => self.nodes[slot as usize].previous = last,
        }
    }

    /// The earliest, with its instant.
    pub(crate) fn front(&self) -> Option<(Nanos, u32)> {
        self.nodes
            .get(self.head as usize)
            .map(|node| (node.at, self.head))
    }

    /// Takes the earliest, with its instant.
    pub(crate) fn pop_front(&mut self) -> Option<(Nanos, u32)> {
        let front = self.front()?;
        self.remove(front.1);
        Some(front)
    }

    /// Takes the latest: for idle connections, the warmest.
    pub(crate) fn pop_back(&mut self) -> Option<u32> {
        let slot = self.tail;
        self.remove(slot).map(|_| slot)
    }

    /// Slots in it.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Slots in the order of instants that come in any order, as those of retries
/// do whose pauses grow or have jitter: a [`SlotQueue`] would walk past all that
/// are later. Those of one instant keep the order they came in.
#[derive(Debug, Default)]
pub(crate) struct SlotTree {
    order: BTreeSet<(Nanos, u64, u32)>,
    /// Of each slot that is in it, its place in the order.
    queued: Vec<Option<(Nanos, u64)>>,
    pushed: u64,
}

impl SlotTree {
    /// Puts a slot in for an instant.
    ///
    /// # Panics
    ///
    /// Where the slot is in it already.
    pub(crate) fn push(&mut self, slot: u32, at: Nanos) {
        if self.queued.len() <= slot as usize {
            self.queued.resize(slot as usize + 1, None);
        }
        self.pushed += 1;
        let before = self.queued[slot as usize].replace((at, self.pushed));
        assert!(before.is_none(), "a slot is queued once");
        self.order.insert((at, self.pushed, slot));
    }

    /// Takes a slot out: its instant, where it was in.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Nanos> {
        let (at, number) = self.queued.get_mut(slot as usize)?.take()?;
        self.order.remove(&(at, number, slot));
        Some(at)
    }

    /// The earliest, with its instant.
    pub(crate) fn front(&self) -> Option<(Nanos, u32)> {
        self.order.first().map(|(at, _, slot)| (*at, *slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slots_are_reused_and_forgotten() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.insert('c'), a);
        assert_eq!(
            (slab.get(a), slab.get(b), slab.len()),
            (Some(&'c'), Some(&'b'), 2)
        );
        assert_eq!(slab.slots().collect::<Vec<_>>(), [0, 1]);
    }

    proptest! {
        /// Against a plain sorted list: (slot, instant) to push, or a slot to remove.
        #[test]
        fn a_queue_and_a_tree_are_stable_sorted_lists(
            steps in proptest::collection::vec((0u32..12, proptest::option::of(0u64..6)), 0..200),
        ) {
            let (mut queue, mut tree) = (SlotQueue::new(), SlotTree::default());
            let mut model: Vec<(Nanos, u32)> = Vec::new();
            for (slot, at) in steps {
                let present = model.iter().position(|entry| entry.1 == slot);
                match (at, present) {
                    (Some(at), None) => {
                        queue.push(slot, Nanos(at));
                        tree.push(slot, Nanos(at));
                        model.push((Nanos(at), slot));
                        model.sort_by_key(|entry| entry.0);
                    }
                    (None, _) => {
                        let expected = present.map(|place| model[place].0);
                        prop_assert_eq!(queue.remove(slot), expected);
                        prop_assert_eq!(tree.remove(slot), expected);
                        if let Some(place) = present {
                            model.remove(place);
                        }
                    }
                    (Some(_), Some(_)) => {}
                }
                prop_assert_eq!(queue.front(), model.first().copied());
                prop_assert_eq!(tree.front(), queue.front());
                prop_assert_eq!(queue.len(), model.len());
            }
            prop_assert_eq!(queue.pop_back(), model.pop().map(|entry| entry.1));
            for entry in model {
                prop_assert_eq!(queue.pop_front(), Some(entry));
            }
            prop_assert!(queue.is_empty());
        }
    }
}
