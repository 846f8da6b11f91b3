//! Pieces of work for whoever is free: each is done once, whoever is lost meanwhile.
//!
//! A piece that an agent had when it was lost is handed out again. An agent that was thought
//! lost may do its piece all the same; the first result counts, and since a result follows
//! from the piece alone, a second would be the same.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::Sender;

/// What is told of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkDone {
    /// A piece is done.
    Piece {
        /// Its place.
        place: usize,
        /// The result, or why there is none.
        result: Result<String, String>,
    },
    /// Nobody is left who could do the rest.
    GivenUp(String),
}

/// Pieces of work.
pub(super) struct Work {
    jobs: Vec<String>,
    waiting: VecDeque<usize>,
    done: Vec<bool>,
    tell: Sender<WorkDone>,
}

impl Work {
    pub(super) fn new(jobs: Vec<String>, tell: Sender<WorkDone>) -> Self {
        Self {
            waiting: (0..jobs.len()).collect(),
            done: vec![false; jobs.len()],
            jobs,
            tell,
        }
    }

    /// The next piece that nobody has.
    pub(super) fn next(&mut self) -> Option<(usize, String)> {
        loop {
            let place = self.waiting.pop_front()?;
            if !self.done[place] {
                return Some((place, self.jobs[place].clone()));
            }
        }
    }

    /// Whoever had these has them no more.
    pub(super) fn again(&mut self, places: BTreeSet<usize>) {
        for place in places.into_iter().rev() {
            if self.done.get(place) == Some(&false) {
                self.waiting.push_front(place);
            }
        }
    }

    /// A piece is done; once.
    pub(super) fn done(&mut self, place: usize, result: Result<String, String>) {
        let Some(done) = self.done.get_mut(place).filter(|done| !**done) else {
            return;
        };
        *done = true;
        // Who no longer listens has been interrupted.
        let _ = self.tell.send(WorkDone::Piece { place, result });
    }

    /// Nobody is left.
    pub(super) fn give_up(&mut self, reason: &str) {
        if self.done.iter().any(|done| !done) {
            let _ = self.tell.send(WorkDone::GivenUp(reason.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// This worker takes a piece.
        Takes(usize),
        /// It does the first that it has.
        Does(usize),
        /// It is lost with all that it has, and may do it all the same later.
        IsLost(usize),
        /// Somebody who was lost does one of his.
        DoesLate,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0usize..3).prop_map(Step::Takes),
            3 => (0usize..3).prop_map(Step::Does),
            1 => (0usize..3).prop_map(Step::IsLost),
            1 => Just(Step::DoesLate),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        /// Whoever is lost and when: every piece is done once, and none twice.
        #[test]
        fn every_piece_is_done_once(count in 0usize..20, steps in steps()) {
            let (tell, told) = channel();
            let jobs = (0..count).map(|place| place.to_string()).collect();
            let mut work = Work::new(jobs, tell);
            let mut has: [BTreeSet<usize>; 3] = Default::default();
            let mut late = BTreeSet::new();
            let does = |work: &mut Work, place: usize| {
                work.done(place, Ok(format!("did {place}")));
            };
            for step in steps {
                match step {
                    Step::Takes(who) => {
                        if let Some((place, job)) = work.next() {
                            prop_assert_eq!(job, place.to_string());
                            has[who].insert(place);
                        }
                    }
                    Step::Does(who) => {
                        if let Some(place) = has[who].pop_first() {
                            does(&mut work, place);
                        }
                    }
                    Step::IsLost(who) => {
                        late.extend(has[who].iter().copied());
                        work.again(std::mem::take(&mut has[who]));
                    }
                    Step::DoesLate => {
                        if let Some(place) = late.pop_first() {
                            does(&mut work, place);
                        }
                    }
                }
            }
            // At last one who is never lost.
            for own in &mut has {
                work.again(std::mem::take(own));
            }
            while let Some((place, _)) = work.next() {
                does(&mut work, place);
            }
            drop(work);
            let mut done: Vec<usize> = told
                .iter()
                .map(|done| match done {
                    WorkDone::Piece { place, result } => {
                        assert_eq!(result, Ok(format!("did {place}")));
                        place
                    }
                    WorkDone::GivenUp(why) => panic!("{why}"),
                })
                .collect();
            done.sort_unstable();
            prop_assert!(done.into_iter().eq(0..count));
        }
    }
}
