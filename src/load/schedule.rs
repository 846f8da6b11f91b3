//! What users will do, and when: decided before anything is sent.
//!
//! Every draw comes from a stream of its own and happens once for each
//! operation, in order; so the schedule is the same for a seed whatever the
//! target does.

use rand::RngExt as _;

use crate::model::Arrivals;
use crate::plan::{Plan, Request};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// An operation that is scheduled: everything about it that chance decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Draft {
    /// When it is to start.
    pub(super) intended: Nanos,
    /// Which entry of the mix it is.
    pub(super) entry: u16,
    /// The project or task that it is about.
    pub(super) subject: u32,
    /// Which of the entry's users asks.
    pub(super) user: u32,
}

/// What an entry of the mix chooses from.
#[derive(Debug)]
struct Choice {
    /// Sum of the weights up to and including this entry's.
    weight_end: u32,
    subjects: u32,
    users: u32,
}

/// Scheduled operations in the order of their intended starts.
#[derive(Debug)]
pub(super) struct Schedule {
    arrivals: Arrivals,
    choices: Vec<Choice>,
    mix_rng: StdRng,
    parameters_rng: StdRng,
    next: Option<Draft>,
}

impl Schedule {
    /// The schedule of a plan whose mix and fleet were found fit; `users`: how
    /// many each entry of the mix chooses from.
    pub(super) fn new(plan: &Plan, users: &[u32]) -> Self {
        let mut weight_end = 0;
        let choices = plan
            .load
            .mix
            .iter()
            .zip(users)
            .map(|(entry, users)| {
                weight_end += entry.weight;
                let subjects = match entry.request {
                    Request::UpdateTask => plan.fleet.tasks,
                    _ => plan.fleet.projects,
                };
                Choice {
                    weight_end,
                    subjects,
                    users: *users,
                }
            })
            .collect();
        let stream = |name| rng::stream(plan.seed, name);
        let mut schedule = Self {
            arrivals: Arrivals::new(
                plan.load.process,
                &plan.load.rate,
                plan.end,
                stream("arrivals"),
            ),
            choices,
            mix_rng: stream("mix"),
            parameters_rng: stream("parameters"),
            next: None,
        };
        schedule.next = schedule.draw();
        schedule
    }

    /// When the next operation is to start; none after the last.
    pub(super) fn next_intended(&self) -> Option<Nanos> {
        self.next.map(|draft| draft.intended)
    }

    /// Takes the next operation.
    pub(super) fn take(&mut self) -> Option<Draft> {
        let taken = self.next?;
        self.next = self.draw();
        Some(taken)
    }

    fn draw(&mut self) -> Option<Draft> {
        let intended = self.arrivals.next()?;
        let weights = self.choices.last()?.weight_end;
        let chosen = self.mix_rng.random_range(0..weights);
        let entry = self
            .choices
            .partition_point(|choice| choice.weight_end <= chosen);
        let choice = &self.choices[entry];
        Some(Draft {
            intended,
            entry: u16::try_from(entry).unwrap_or(u16::MAX),
            subject: self.parameters_rng.random_range(1..=choice.subjects),
            user: self.parameters_rng.random_range(0..choice.users),
        })
    }
}
