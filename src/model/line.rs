//! Places that so many can have at a time, and a line of those who wait for one.
//!
//! A lock is a line with one place, a pool of connections one with several. Unlike a
//! [`Bulkhead`](super::Bulkhead) it lets whoever finds no place wait. Whoever never
//! comes out (a connection that leaks) has a place for ever.

use std::collections::VecDeque;

/// Who waits; how many have a place, and how many may.
#[derive(Debug, Clone)]
pub(crate) struct Line<T> {
    places: u32,
    taken: u32,
    waiting: VecDeque<T>,
}

impl<T: Copy + PartialEq> Line<T> {
    /// Nobody is there yet.
    pub(crate) const fn new(places: u32) -> Self {
        Self {
            places,
            taken: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Takes a place, or else waits at the end of the line; whether there was one.
    pub(crate) fn enter(&mut self, who: T) -> bool {
        let enters = self.taken < self.places;
        if enters {
            self.taken += 1;
        } else {
            self.waiting.push_back(who);
        }
        enters
    }

    /// A place comes free: whoever has waited for longest has it now.
    pub(crate) fn leave(&mut self) -> Option<T> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.taken = self.taken.saturating_sub(1);
        }
        next
    }

    /// Whoever waits goes away; false where they did not wait.
    pub(crate) fn give_up(&mut self, who: T) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waits| *waits != who);
        self.waiting.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_goes_to_whoever_has_waited_longest() {
        let mut line = Line::new(2);
        assert!(line.enter('a'));
        assert!(line.enter('b'));
        assert!(!line.enter('c'));
        assert!(!line.enter('d'));
        assert!(!line.enter('e'));
        assert!(line.give_up('d'));
        assert!(!line.give_up('d'));
        assert_eq!(line.leave(), Some('c')); // it has the place of whoever left
        assert_eq!(line.leave(), Some('e'));
        assert_eq!(line.leave(), None);
        assert!(line.enter('f')); // one of the two is free
        assert!(!line.enter('g'));
    }
}
