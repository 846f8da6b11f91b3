//! The job queue in front of the workers: order, bound, expiry, exact gauges.
//!
//! A job that was accepted outlives the connection that brought it, unless the
//! policy drops expired jobs or its caller told how long they wait: that is what
//! makes zombie work possible.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Level, LevelReading, Patience};
use crate::units::{Nanos, UnitError};

/// Which waiting job a free worker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The one that has waited longest.
    #[default]
    Fifo,
    /// The one that came last.
    Lifo,
}

/// How the queue treats its jobs. As text: `"unbounded"`, `"bounded(64)"` or
/// the bound alone, `"64"`, with `"silent"`, `"lifo"` and `"expire 500ms"` added
/// after commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueuePolicy {
    /// Which job is taken first.
    pub order: Order,
    /// Jobs that may wait; one more is rejected. None: no bound.
    pub bound: Option<u32>,
    /// Whether a job past the bound is dropped without an answer, as by a full
    /// accept queue, where it would be rejected.
    #[serde(default)]
    pub silent: bool,
    /// A job that has waited longer than this is dropped when its turn comes.
    pub expire: Option<Nanos>,
}

const EXPECTED: &str = "a queue policy: \"unbounded\" or \"bounded(64)\", \
     followed if wanted by \", lifo\", \", expire 500ms\" and, with a bound, \", silent\"";
const SILENT_UNBOUNDED: &str = "a queue with a bound, and one without is never full, so that it \
     has nothing to be silent about; for example \"bounded(64), silent\"";

impl QueuePolicy {
    /// A queue of so many jobs, in the order in which they came.
    pub fn bounded(bound: u32) -> Self {
        Self {
            bound: Some(bound),
            ..Self::default()
        }
    }
}

impl FromStr for QueuePolicy {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match parse(text) {
            None => Err(UnitError::new(text, EXPECTED)),
            Some(policy) if policy.silent && policy.bound.is_none() => {
                Err(UnitError::new(text, SILENT_UNBOUNDED))
            }
            Some(policy) => Ok(policy),
        }
    }
}

fn parse(text: &str) -> Option<QueuePolicy> {
    let mut parts = text.split(',').map(str::trim);
    let mut policy = QueuePolicy {
        bound: match parts.next()? {
            "unbounded" => None,
            bounded => {
                let bound = match bounded.strip_prefix("bounded(") {
                    Some(rest) => rest.strip_suffix(')')?.trim(),
                    // The bound alone, as a sweep over bounds writes it.
                    None => bounded,
                };
                Some(bound.parse().ok()?)
            }
        },
        ..QueuePolicy::default()
    };
    for part in parts {
        match part {
            "silent" => policy.silent = true,
            "fifo" => policy.order = Order::Fifo,
            "lifo" => policy.order = Order::Lifo,
            expire => {
                let limit = expire.strip_prefix("expire")?;
                policy.expire = Some(limit.trim().parse().ok()?);
            }
        }
    }
    Some(policy)
}

impl fmt::Display for QueuePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bound {
            None => f.write_str("unbounded")?,
            Some(bound) => {
                write!(f, "bounded({bound})")?;
                if self.silent {
                    f.write_str(", silent")?;
                }
            }
        }
        if self.order == Order::Lifo {
            f.write_str(", lifo")?;
        }
        if let Some(expire) = self.expire {
            write!(f, ", expire {expire}")?;
        }
        Ok(())
    }
}

/// A job taken from the queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueuedJob<T> {
    /// The job.
    pub job: T,
    /// How long it waited.
    pub wait: Nanos,
}

/// A job in the queue.
#[derive(Debug)]
struct Waiting<T> {
    since: Nanos,
    patience: Patience,
    job: T,
}

/// Waiting jobs under a [`QueuePolicy`], with exact gauges.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    policy: QueuePolicy,
    jobs: VecDeque<Waiting<T>>,
    depth: Level,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(crate) fn new(policy: QueuePolicy) -> Self {
        Self {
            policy,
            jobs: VecDeque::new(),
            depth: Level::default(),
        }
    }

    /// How it treats its jobs.
    pub(crate) const fn policy(&self) -> QueuePolicy {
        self.policy
    }

    /// Adds a job at `now`, for whoever waits this long for it.
    ///
    /// # Errors
    ///
    /// Gives the job back where the queue is full.
    pub(crate) fn push(&mut self, now: Nanos, patience: Patience, job: T) -> Result<(), T> {
        let full = self
            .policy
            .bound
            .is_some_and(|bound| self.jobs.len() >= bound as usize);
        if full {
            return Err(job);
        }
        self.jobs.push_back(Waiting {
            since: now,
            patience,
            job,
        });
        self.depth.set(now, self.jobs.len() as u64);
        Ok(())
    }

    /// Takes the next job at `now`; jobs found expired on the way go to `expired`:
    /// those that waited past the policy's limit, and those that nobody waits for.
    pub(crate) fn pop(&mut self, now: Nanos, expired: &mut Vec<T>) -> Option<QueuedJob<T>> {
        let popped = loop {
            let next = match self.policy.order {
                Order::Fifo => self.jobs.pop_front(),
                Order::Lifo => self.jobs.pop_back(),
            };
            let Some(Waiting {
                since,
                patience,
                job,
            }) = next
            else {
                break None;
            };
            let wait = now.saturating_sub(since);
            if patience.over(now) || self.policy.expire.is_some_and(|limit| wait > limit) {
                expired.push(job);
            } else {
                break Some(QueuedJob { job, wait });
            }
        };
        self.depth.set(now, self.jobs.len() as u64);
        popped
    }

    /// Every job that waits, in the order in which they came, expired or not.
    pub(crate) fn into_jobs(self) -> impl Iterator<Item = T> {
        self.jobs.into_iter().map(|waiting| waiting.job)
    }

    /// Jobs waiting.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether no job is waiting.
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The queue's depth up to `now`; its maximum then starts afresh.
    pub(crate) const fn mark_depth(&mut self, now: Nanos) -> LevelReading {
        self.depth.mark(now)
    }

    /// The queue's depth up to `now`.
    pub(crate) const fn read_depth(&self, now: Nanos) -> LevelReading {
        self.depth.read(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(policy: &str) -> Queue<u32> {
        let mut queue = Queue::new(policy.parse().unwrap());
        for job in 0..3 {
            let _ = queue.push(Nanos(u64::from(job)), Patience::ENDLESS, job);
        }
        queue
    }

    fn order(queue: &mut Queue<u32>, now: Nanos) -> (Vec<u32>, Vec<u32>) {
        let mut expired = Vec::new();
        let mut taken = Vec::new();
        while let Some(popped) = queue.pop(now, &mut expired) {
            taken.push(popped.job);
        }
        (taken, expired)
    }

    #[test]
    fn policies_do_what_they_say() {
        for (policy, taken, expired) in [
            ("unbounded", vec![0, 1, 2], vec![]),
            ("unbounded, lifo", vec![2, 1, 0], vec![]),
            ("bounded(2)", vec![0, 1], vec![]),
            ("bounded(2), silent", vec![0, 1], vec![]), // what is said of it is not the queue's
            ("unbounded, expire 8ns", vec![2], vec![0, 1]), // waited 10, 9 and 8 ns
        ] {
            assert_eq!(policy, policy.parse::<QueuePolicy>().unwrap().to_string());
            assert_eq!(
                order(&mut queue(policy), Nanos(10)),
                (taken, expired),
                "{policy}"
            );
        }
        for policy in [
            "",
            "bounded",
            "bounded(-1)",
            "unbounded, random",
            "lifo",
            "silent",
            "unbounded, silent",
        ] {
            assert!(policy.parse::<QueuePolicy>().is_err(), "{policy}");
        }
    }

    #[test]
    fn what_nobody_waits_for_is_dropped_when_its_turn_comes() {
        let mut queue = Queue::new(QueuePolicy::default());
        for (job, left_ms) in [(0, Some(5)), (1, None), (2, Some(10))] {
            let patience = Patience::told(Nanos::ZERO, left_ms);
            queue.push(Nanos::ZERO, patience, job).unwrap();
        }
        let found = order(&mut queue, Nanos::from_millis(8));
        assert_eq!(found, (vec![1, 2], vec![0]));
    }

    #[test]
    fn depth_is_a_time_integral() {
        let mut queue = queue("unbounded"); // depth 1, 2, 3 from 0, 1, 2 ns
        let reading = queue.mark_depth(Nanos(4));
        assert_eq!(
            (reading.level, reading.area, reading.max),
            (3, 1 + 2 + 3 + 3, 3)
        );
    }
}
