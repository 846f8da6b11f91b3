//! Which instance a request goes to, and which instances it may go to at all.

use rand::{Rng, RngExt as _};
use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::units::{Nanos, Ratio};

named! {
    /// How the balancer chooses among the instances.
    #[derive(Default)]
    pub enum BalancerChoice {
        /// In turn, whatever their state: what makes one slow instance everyone's
        /// problem, and what most balancers do by default.
        #[default]
        RoundRobin = "round robin",
        /// The one with the fewest requests under way; of several the first after the
        /// last that was chosen.
        Least = "least",
        /// Of two that are drawn, the one with fewer requests under way.
        TwoRandom = "two random",
    }
}

/// What the balancer does beside passing requests on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BalancerSpec {
    /// How it chooses.
    pub choice: BalancerChoice,
    /// Whether and how it takes instances out that do not answer its checks.
    pub health: Option<HealthSpec>,
}

/// The balancer's health checks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// From one check of an instance to the next.
    pub every: Nanos,
    /// How long an instance has to answer one.
    pub timeout: Nanos,
    /// Checks that fail in a row until the instance is taken out.
    pub unhealthy: u32,
    /// Checks that succeed in a row until it is back.
    pub healthy: u32,
    /// Whether a check asks for `/readyz?deep=true`, which needs everything that a
    /// request needs, in place of `/readyz`, which needs a worker.
    pub deep: bool,
    /// Where fewer than this share of the instances are left, none is taken out
    /// (as Envoy's panic threshold). 0 %: however few are left.
    pub panic: Ratio,
}

impl HealthSpec {
    /// When the instance at this place of so many is first checked: they are spread
    /// evenly over the interval, so that they are not all found out at once.
    pub(crate) fn first_check(&self, index: u32, instances: u32) -> Nanos {
        let part = self.every.0 / u64::from(instances.max(1));
        Nanos(self.every.0 + part * u64::from(index))
    }
}

/// Takes the members in turn.
#[derive(Debug, Clone, Default)]
struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// The index of the next of `members` members; none where there are none.
    const fn choose(&mut self, members: usize) -> Option<usize> {
        if members == 0 {
            return None;
        }
        let chosen = self.next % members;
        self.next = (chosen + 1) % members;
        Some(chosen)
    }
}

/// Chooses an instance for each request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chooser {
    choice: BalancerChoice,
    turn: RoundRobin,
}

impl Chooser {
    /// One that chooses like this.
    pub(crate) fn new(choice: BalancerChoice) -> Self {
        Self {
            choice,
            turn: RoundRobin::default(),
        }
    }

    /// The index of one of `members` members, of which each has so many requests under
    /// way; none where there are none.
    pub(crate) fn choose(
        &mut self,
        members: usize,
        under_way: impl Fn(usize) -> u64,
        rng: &mut impl Rng,
    ) -> Option<usize> {
        let first = self.turn.choose(members)?;
        Some(match self.choice {
            BalancerChoice::RoundRobin => first,
            BalancerChoice::Least => {
                let all = (first..members).chain(0..first);
                let fewest = all.min_by_key(|member| under_way(*member));
                let chosen = fewest.unwrap_or(first);
                self.turn.next = chosen + 1;
                chosen
            }
            BalancerChoice::TwoRandom => {
                let one = rng.random_range(0..members);
                let other = rng.random_range(0..members);
                if under_way(other) < under_way(one) {
                    other
                } else {
                    one
                }
            }
        })
    }
}

/// What the health checks have found of each instance.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    spec: HealthSpec,
    instances: Vec<CheckedInstance>,
}

#[derive(Debug, Clone, Copy, Default)]
struct CheckedInstance {
    /// Checks in a row that said the opposite of what holds.
    against: u32,
    out: bool,
}

impl Health {
    /// All of so many instances are healthy.
    pub(crate) fn new(spec: HealthSpec, instances: usize) -> Self {
        Self {
            spec,
            instances: vec![CheckedInstance::default(); instances],
        }
    }

    /// A check of the instance ended like this.
    pub(crate) fn checked(&mut self, index: usize, succeeded: bool) {
        let Some(instance) = self.instances.get_mut(index) else {
            return;
        };
        if succeeded != instance.out {
            instance.against = 0;
            return;
        }
        instance.against += 1;
        let needed = if instance.out {
            self.spec.healthy
        } else {
            self.spec.unhealthy
        };
        if instance.against >= needed {
            *instance = CheckedInstance {
                against: 0,
                out: !instance.out,
            };
        }
    }

    /// The places among the members, which are instances by their numbers, that requests
    /// may go to.
    pub(crate) fn usable(&self, members: impl ExactSizeIterator<Item = usize>) -> Vec<usize> {
        let all = members.len();
        let is_out = |index: &usize| self.instances.get(*index).is_some_and(|it| it.out);
        let healthy: Vec<usize> = members
            .enumerate()
            .filter(|(_, index)| !is_out(index))
            .map(|(place, _)| place)
            .collect();
        let share = healthy.len() as f64 / all.max(1) as f64;
        if share < self.spec.panic.get() {
            return (0..all).collect();
        }
        healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn chosen(choice: BalancerChoice, under_way: &[u64], count: usize) -> Vec<usize> {
        let mut chooser = Chooser::new(choice);
        let mut rng = rng::stream(1, "balancer");
        let mut choose = || chooser.choose(under_way.len(), |at| under_way[at], &mut rng);
        (0..count).map_while(|_| choose()).collect()
    }

    #[test]
    fn each_choice_takes_the_members_that_it_says() {
        assert_eq!(
            chosen(BalancerChoice::RoundRobin, &[9, 0, 0], 4),
            [0, 1, 2, 0]
        );
        // Of the two with the fewest the first after the last that was chosen.
        assert_eq!(
            chosen(BalancerChoice::Least, &[9, 4, 4], 5),
            [1, 2, 1, 2, 1]
        );
        assert_eq!(chosen(BalancerChoice::Least, &[], 3), [0; 0]);
        let of_two = chosen(BalancerChoice::TwoRandom, &[9, 1], 1_000);
        let busier = of_two.iter().filter(|at| **at == 0).count();
        // Only where both that are drawn are the busier: a quarter.
        assert!((200..300).contains(&busier), "{busier}");
        let mut turn = RoundRobin { next: 2 };
        assert_eq!(turn.choose(1), Some(0)); // a member left
    }

    #[test]
    fn an_instance_is_out_until_it_answers_again_unless_too_few_are_left() {
        let spec = HealthSpec {
            every: Nanos::from_secs(1),
            timeout: Nanos::from_secs(1),
            unhealthy: 2,
            healthy: 3,
            deep: false,
            panic: Ratio::new(0.5).unwrap(),
        };
        let mut health = Health::new(spec, 4);
        let usable = |health: &Health| health.usable(0..4);
        for (succeeded, expected) in [
            (false, vec![0, 1, 2, 3]),
            (true, vec![0, 1, 2, 3]), // no two in a row
            (false, vec![0, 1, 2, 3]),
            (false, vec![0, 2, 3]),
            (true, vec![0, 2, 3]),
            (true, vec![0, 2, 3]),
            (true, vec![0, 1, 2, 3]),
        ] {
            health.checked(1, succeeded);
            assert_eq!(usable(&health), expected);
        }
        for index in [0, 0, 1, 1] {
            health.checked(index, false);
        }
        assert_eq!(usable(&health), [2, 3]);
        // Members are called by their numbers, and chosen by their places.
        assert_eq!(health.usable([1, 2].into_iter()), [1]);
        health.checked(3, false);
        health.checked(3, false);
        assert_eq!(usable(&health), [0, 1, 2, 3], "a quarter is less than half");
    }
}
