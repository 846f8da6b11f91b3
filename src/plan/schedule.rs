//! What users will do, and when: decided before anything is sent.
//!
//! Every draw comes from a stream of its own and happens once for each
//! operation, in order; so the schedule is the same for a seed whatever the
//! target does. A slice of it draws for every operation and keeps each n-th:
//! so the union of n slices is the whole, byte for byte, however many there are.
//!
//! In a closed loop there is no schedule: a user's next operation is due a
//! think time after the last has ended. Only what it asks for is drawn.

use std::collections::VecDeque;
use std::ops::Range;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::{Plan, Request};
use crate::model::{Arrivals, Replay};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// An operation that is scheduled: everything about it that chance decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// When it is to start.
    pub intended: Nanos,
    /// Which entry of the mix it is.
    pub entry: u16,
    /// The project or task that it is about.
    pub subject: u32,
    /// Which of the entry's users asks.
    pub user: u32,
    /// Its number in the load, from zero on.
    pub number: u64,
    /// What its values are drawn by; zero where none are.
    pub chance: u64,
}

/// Which part of a load a thread takes: of every `of` operations the `width`
/// from `index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Its first, from zero on.
    pub index: u32,
    /// How many neighbours it takes: its weight.
    pub width: u32,
    /// The sum of all widths.
    pub of: u32,
}

impl Slice {
    /// The whole load.
    pub const WHOLE: Self = Self::nth(0, 1);

    /// One of so many equal slices.
    pub const fn nth(index: u32, of: u32) -> Self {
        let width = 1;
        Self { index, width, of }
    }

    /// This slice's part of a whole number, so that the parts add up to it.
    pub const fn share(self, whole: u64) -> u64 {
        let (index, width, of) = (self.index as u64, self.width as u64, self.of as u64);
        let rest = (whole % of).saturating_sub(index);
        whole / of * width + if rest < width { rest } else { width }
    }

    /// Whether the operation of this number is one of its own.
    const fn has(self, number: u64) -> bool {
        let place = number % self.of as u64;
        place >= self.index as u64 && place < (self.index + self.width) as u64
    }

    /// The number in the whole load of its own operation of this number.
    const fn number(self, own: u64) -> u64 {
        let (width, of) = (self.width as u64, self.of as u64);
        own / width * of + self.index as u64 + own % width
    }
}

/// Which of a load's threads a generator has, where several generators share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// Which generator it is, from zero on.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Portion {
    /// All of them.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Its own of so many threads: neighbours, and of all generators each once.
    pub fn threads(self, all: u32) -> Range<u32> {
        let edge = |index: u32| {
            let edge = u64::from(all) * u64::from(index) / u64::from(self.of.max(1));
            u32::try_from(edge).unwrap_or(all)
        };
        edge(self.index)..edge(self.index.saturating_add(1).min(self.of))
    }
}

/// What an entry of the mix chooses from.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Sum of the weights up to and including this entry's.
    pub weight_end: u32,
    /// Projects or tasks.
    pub subjects: u32,
    /// Users of its role.
    pub users: u32,
    /// Whether values are drawn besides.
    pub values: bool,
}

/// Where each weight ends on a line of all of them.
///
/// # Errors
///
/// Why nothing can be chosen by them.
pub(crate) fn weight_ends(weights: impl Iterator<Item = u32>) -> Result<Vec<u32>, &'static str> {
    let mut end = 0u32;
    let mut ends = Vec::new();
    for weight in weights {
        end = end
            .checked_add(weight)
            .ok_or("the weights of the mix add up to more than four billion")?;
        ends.push(end);
    }
    if end == 0 || u16::try_from(ends.len()).is_err() {
        return Err("the weights of the mix must add up to more than zero");
    }
    Ok(ends)
}

/// What each entry of a fleet's mix chooses from; `users`: how many may ask for
/// the entry at this place.
///
/// # Errors
///
/// Why nothing can be chosen.
pub fn fleet_choices(
    plan: &Plan,
    users: impl Fn(usize) -> u32,
) -> Result<Vec<Choice>, &'static str> {
    let spec = plan
        .fleet
        .as_ref()
        .filter(|fleet| fleet.projects > 0 && fleet.tasks > 0)
        .ok_or("there must be at least one project and one task to ask about")?;
    let ends = weight_ends(plan.load.mix.iter().map(|entry| entry.weight))?;
    let entries = plan.load.mix.iter().zip(ends).enumerate();
    let choices = entries.map(|(place, (entry, weight_end))| Choice {
        weight_end,
        subjects: match entry.request {
            Request::UpdateTask => spec.tasks,
            _ => spec.projects,
        },
        users: users(place),
        values: false,
    });
    Ok(choices.collect())
}

/// Where the next intended start comes from.
#[derive(Debug)]
enum Source {
    Open(Box<Arrivals>),
    /// The times that were recorded.
    Recorded {
        times: Replay,
        until: Nanos,
    },
    /// Users who are free, in the order in which their think times end.
    Closed {
        free: VecDeque<Nanos>,
        think: Nanos,
        until: Nanos,
    },
}

/// Scheduled operations in the order of their intended starts.
#[derive(Debug)]
pub(crate) struct Schedule {
    source: Source,
    slice: Slice,
    /// Operations drawn so far; in an open loop, other slices' included.
    drawn: u64,
    /// Draws at most.
    limit: u64,
    /// Nothing is scheduled from this instant on, whatever the plan says.
    until: Nanos,
    choices: Vec<Choice>,
    mix_rng: StdRng,
    parameters_rng: StdRng,
    next: Option<Draft>,
}

impl Schedule {
    /// A slice of the schedule of a plan that was found fit; `choices`: what
    /// each entry of the mix chooses from.
    pub(crate) fn new(plan: &Plan, choices: Vec<Choice>, slice: Slice) -> Self {
        let stream = |name| rng::stream(plan.seed, name);
        let drive = plan.load.drive;
        let source = if let Some(closed) = drive.closed {
            Source::Closed {
                free: (0..slice.share(closed.users.into()))
                    .map(|_| Nanos::ZERO)
                    .collect(),
                think: closed.think,
                until: plan.end,
            }
        } else if let Some(times) = &plan.load.replay {
            Source::Recorded {
                times: times.clone(),
                until: plan.end,
            }
        } else {
            let (load, rng) = (&plan.load, stream("arrivals"));
            let arrivals = Arrivals::new(load.process, &load.rate, plan.end, rng);
            Source::Open(Box::new(arrivals))
        };
        let mut schedule = Self {
            source,
            slice,
            drawn: 0,
            limit: match (drive.operations, drive.closed) {
                (None, _) => u64::MAX,
                (Some(all), None) => all,
                (Some(all), Some(_)) => slice.share(all),
            },
            until: Nanos::MAX,
            choices,
            mix_rng: stream("mix"),
            parameters_rng: stream("parameters"),
            next: None,
        };
        schedule.next = schedule.draw();
        schedule
    }

    /// When the next operation is to start; none after the last, and none in a
    /// closed loop while every user waits.
    pub(crate) fn next_intended(&self) -> Option<Nanos> {
        self.next.map(|draft| draft.intended)
    }

    /// Takes the next operation.
    pub(crate) fn take(&mut self) -> Option<Draft> {
        let taken = self.next?;
        self.next = self.draw();
        Some(taken)
    }

    /// An operation has ended at `now`: in a closed loop its user is free again, after
    /// thinking for a while, or `rest` where that is longer.
    pub(crate) fn ended(&mut self, now: Nanos, rest: Nanos) {
        if let Source::Closed { free, think, .. } = &mut self.source {
            let at = now.saturating_add(rest.max(*think));
            // Those who rest are free later than others who end after them, also where one of
            // them is the next already.
            let at = match &mut self.next {
                Some(next) if next.intended > at => std::mem::replace(&mut next.intended, at),
                _ => at,
            };
            let later = free.iter().rev().take_while(|free| **free > at).count();
            free.insert(free.len() - later, at);
            if self.next.is_none() {
                self.next = self.draw();
            }
        }
    }

    /// Whether operations start when users are free, and not by themselves.
    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.source, Source::Closed { .. })
    }

    /// Whether no operation will be scheduled any more, although its time is not over.
    pub(crate) const fn exhausted(&self) -> bool {
        self.drawn >= self.limit && self.next.is_none()
    }

    /// Schedules nothing from `at` on.
    pub(crate) fn end_at(&mut self, at: Nanos) {
        self.until = self.until.min(at);
        self.next = self.next.filter(|draft| draft.intended < at);
    }

    fn draw(&mut self) -> Option<Draft> {
        loop {
            if self.drawn >= self.limit {
                return None;
            }
            // What is scheduled is drawn by every slice; a slice's users are its own.
            let (intended, by_all) = match &mut self.source {
                Source::Open(arrivals) => (arrivals.next()?, true),
                Source::Recorded { times, until } => {
                    let at = times.get(self.drawn).filter(|at| at < until)?;
                    (at, true)
                }
                Source::Closed { free, until, .. } => {
                    let at = free.pop_front().filter(|at| at < until)?;
                    (at, false)
                }
            };
            if intended >= self.until {
                return None;
            }
            let number = if by_all {
                self.drawn
            } else {
                self.slice.number(self.drawn)
            };
            self.drawn += 1;
            let draft = self.choose(intended, number)?;
            if self.slice.has(number) {
                return Some(draft);
            }
        }
    }

    fn choose(&mut self, intended: Nanos, number: u64) -> Option<Draft> {
        let weights = self.choices.last()?.weight_end;
        let chosen = match self.choices.len() {
            1 => 0,
            _ => self.mix_rng.random_range(0..weights),
        };
        let entry = self
            .choices
            .partition_point(|choice| choice.weight_end <= chosen);
        let choice = &self.choices[entry];
        let mut any = |of: u32, first: u32| match of {
            1 => first,
            of => self.parameters_rng.random_range(first..first + of),
        };
        Some(Draft {
            intended,
            entry: u16::try_from(entry).unwrap_or(u16::MAX),
            subject: any(choice.subjects, 1),
            user: any(choice.users, 0),
            number,
            chance: if choice.values {
                self.parameters_rng.random()
            } else {
                0
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ArrivalProcess, ClosedLoop, Load, Shape};
    use crate::units::Rate;

    /// Nearly the smallest plan there is.
    fn plan() -> Plan {
        let rate = Shape::Constant(Rate::per_second(1.0).unwrap());
        Plan {
            end: Nanos::from_secs(2),
            load: Load {
                rate: vec![(Nanos::ZERO, rate)],
                ..Load::default()
            },
            ..Plan::default()
        }
    }

    fn drafts(plan: &Plan, slice: Slice) -> Vec<Draft> {
        let choice = |weight_end, values| Choice {
            weight_end,
            subjects: 1_000,
            users: 9,
            values,
        };
        let choices = vec![choice(2, false), choice(7, true)];
        let mut schedule = Schedule::new(plan, choices, slice);
        std::iter::from_fn(|| schedule.take()).collect()
    }

    fn rates() -> impl Strategy<Value = Rate> {
        (0.0..500.0).prop_map(|rate| Rate::per_second(rate).unwrap())
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        prop_oneof![
            rates().prop_map(Shape::Constant),
            (rates(), rates()).prop_map(|(from, to)| Shape::Ramp { from, to }),
            (rates(), rates(), 1u64..3_000).prop_map(|(mean, amplitude, millis)| Shape::Sine {
                mean,
                amplitude,
                period: Nanos::from_millis(millis),
            }),
        ]
    }

    fn instants() -> impl Strategy<Value = Nanos> {
        (0u64..2_500).prop_map(Nanos::from_millis)
    }

    #[test]
    fn generators_have_every_thread_once() {
        for (all, of) in [(1, 1), (4, 4), (8, 3), (3, 5), (0, 2), (1024, 7)] {
            let threads = (0..of).flat_map(|index| Portion { index, of }.threads(all));
            assert!(threads.eq(0..all), "{all} threads of {of} generators");
        }
        // One that there is not has none.
        assert!(Portion { index: 2, of: 2 }.threads(8).is_empty());
    }

    proptest! {
        /// In a closed loop what is asked follows the answers; its numbers are shared.
        #[test]
        fn the_users_of_a_closed_loop_share_its_operations(
            (of, users) in (1u32..9).prop_flat_map(|of| (Just(of), of..40)),
            operations in 0u64..300,
            seed: u64,
        ) {
            let mut plan = plan();
            plan.seed = seed;
            plan.load.drive.operations = Some(operations);
            plan.load.drive.closed = Some(ClosedLoop { users, think: Nanos::ZERO });
            let mut numbers = Vec::new();
            for index in 0..of {
                let choices = vec![Choice { weight_end: 1, subjects: 1, users: 1, values: false }];
                let mut schedule = Schedule::new(&plan, choices, Slice::nth(index, of));
                while let Some(draft) = schedule.take() {
                    numbers.push(draft.number);
                    schedule.ended(draft.intended, Nanos::ZERO);
                }
            }
            numbers.sort_unstable();
            prop_assert!(numbers.into_iter().eq(0..operations));
        }

        /// Whatever the arrivals' shape, slices lose, double and change nothing.
        #[test]
        fn the_union_of_the_slices_is_the_whole(
            shapes in prop::collection::vec((instants(), shapes()), 0..4),
            recorded in prop::option::of(prop::collection::vec(instants(), 0..200)),
            poisson: bool,
            operations in prop::option::of(0u64..300),
            of in 1u32..9,
            seed: u64,
        ) {
            let mut plan = plan();
            plan.seed = seed;
            plan.load.process = if poisson { ArrivalProcess::Poisson } else { ArrivalProcess::Constant };
            plan.load.rate = shapes;
            plan.load.replay = recorded.clone().map(Replay::from);
            plan.load.drive.operations = operations;
            let whole = drafts(&plan, Slice::WHOLE);
            let mut slices: Vec<_> = (0..of)
                .map(|index| drafts(&plan, Slice::nth(index, of)).into_iter())
                .collect();
            let turns = (0..whole.len()).map(|turn| slices[turn % of as usize].next());
            prop_assert!(turns.eq(whole.iter().copied().map(Some)));
            prop_assert!(slices.iter_mut().all(|slice| slice.next().is_none()));
            prop_assert!(whole.is_sorted_by_key(|draft| draft.intended));
            prop_assert!(whole.iter().all(|draft| draft.intended < plan.end));
            if let Some(mut times) = recorded {
                times.sort();
                times.retain(|at| *at < plan.end);
                times.truncate(operations.map_or(usize::MAX, |most| usize::try_from(most).unwrap()));
                prop_assert!(whole.iter().map(|draft| draft.intended).eq(times));
            }
        }
    }
}
