//! What can be done to a running fleet without starting anything: releases,
//! slowness and the admission share.
//!
//! A release is decided by `model::Release` and then put to every instance
//! while the release is locked, so that no two instances ever see two releases
//! in different orders. It holds for all of them or for none: an instance that
//! is down gets the settings in force when it starts, one that is paused gets
//! them when it goes on, and where one that runs
//! cannot be reached the release is taken back, so that the document in force
//! is the one that is obeyed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::fleet::{Fleet, InForce, Slot};
use super::part;
use crate::fleet::lock;
use crate::fleet::message::{AdmissionShare, Members, SettingsPut, SlowPut};
use crate::model::{Document, FleetAction, Refusal, Release, SlowPart};
use crate::record::Outcome;
use crate::units::{Nanos, Ratio};

/// How long an instance may take to accept settings: four times what it gets
/// for its gauges, which can be missed where a release cannot.
pub(super) const PUT_MAX: Duration = Duration::from_secs(2);
/// How often settings are put to an instance that does not answer.
const PUT_TRIES: u32 = 3;
/// The pause between two tries: a process whose connections were closed by its
/// end can be seen to have ended by then.
const PUT_PAUSE: Duration = Duration::from_millis(200);

/// What became of settings that were put to every instance.
struct SettingsDelivery {
    /// Instances that are down.
    down: Vec<String>,
    /// Instances that are paused.
    paused: Vec<String>,
    /// Instances that run and did not accept them, with the causes.
    unreached: Vec<String>,
}

/// Why an instance did not accept settings.
enum Missed {
    Down,
    Paused,
    Unreached(String),
}

impl Fleet {
    /// Releases the active settings with some changed, in `schema` or the
    /// active one, and puts them to every instance that they are to reach.
    pub fn push(
        &self,
        now: Nanos,
        author: &str,
        set: &BTreeMap<String, String>,
        schema: Option<u32>,
        tested: bool,
        canary: Option<Ratio>,
    ) -> Outcome {
        self.release(|release| {
            let pushed = release.push(now, author, set, schema, tested, canary);
            pushed.cloned()
        })
    }

    /// Restores the version before the active one, through the same checks.
    pub fn rollback(&self, now: Nanos, author: &str) -> Outcome {
        self.release(|release| release.rollback(now, author).cloned())
    }

    /// Makes a check of releases advisory.
    pub fn waive(&self, check: &str) -> Outcome {
        match lock(&self.in_force).release.waive(check) {
            Ok(()) => Outcome::Applied {
                detail: FleetAction::Waive {
                    check: check.to_owned(),
                }
                .done(self.instances.len()),
            },
            Err(refusal) => refusal.into(),
        }
    }

    /// Lets the balancer admit this share of the requests.
    pub fn admit(&self, share: Ratio) -> Outcome {
        match put(&self.balancer, "/admission", &AdmissionShare { share }) {
            Ok(()) => Outcome::Applied {
                detail: FleetAction::Admit { share }.done(self.instances.len()),
            },
            Err(reason) => Outcome::Failed { reason },
        }
    }

    /// The document in force.
    #[must_use]
    pub fn document(&self) -> Document {
        lock(&self.in_force).release.active().clone()
    }

    /// Lets everything that a part draws from now on take this many times as
    /// long; 1 ends it.
    pub fn slow(&self, part: SlowPart, factor: f64) -> Outcome {
        let mut in_force = lock(&self.in_force);
        let before = in_force.clone();
        in_force.slow.set(part, factor);
        let done = FleetAction::Slow { part, factor }.done(self.instances.len());
        if part != SlowPart::Identity {
            return self.put_in_force(&mut in_force, before, done);
        }
        let slow = in_force.slow;
        match put(&self.identity, "/slow", &SlowPut { slow }) {
            Ok(()) => Outcome::Applied { detail: done },
            Err(reason) => {
                *in_force = before;
                Outcome::Failed { reason }
            }
        }
    }

    /// Decides on a release and puts it to every instance.
    fn release(&self, decide: impl FnOnce(&mut Release) -> Result<Document, Refusal>) -> Outcome {
        let mut in_force = lock(&self.in_force);
        let before = in_force.clone();
        match decide(&mut in_force.release) {
            Ok(document) => {
                let detail = document.named_in(self.instances.len());
                self.put_in_force(&mut in_force, before, detail)
            }
            Err(refusal) => refusal.into(),
        }
    }

    /// Puts what is in force now to every instance, or else puts back what was
    /// before; `detail` says what it is.
    fn put_in_force(&self, in_force: &mut InForce, before: InForce, mut detail: String) -> Outcome {
        let put = self.put_to_all(in_force, PUT_TRIES);
        if put.unreached.is_empty() {
            later(&mut detail, "start", &put.down);
            later(&mut detail, "go on", &put.paused);
            return Outcome::Applied { detail };
        }
        *in_force = before;
        let put_back = self.put_to_all(in_force, 1);
        let mut reason = format!(
            "{detail} was taken back, since instances that run did not accept it: {}",
            put.unreached.join("; ")
        );
        if !put_back.unreached.is_empty() {
            // Where it accepts what was put to it after all, the last put wins.
            reason.push_str("; nor was it confirmed that they are back: ");
            reason.push_str(&put_back.unreached.join("; "));
        }
        Outcome::Failed { reason }
    }

    /// Puts to every instance at once what is in force on it; the caller holds it.
    fn put_to_all(&self, in_force: &InForce, tries: u32) -> SettingsDelivery {
        let mut put = SettingsDelivery {
            down: Vec::new(),
            paused: Vec::new(),
            unreached: Vec::new(),
        };
        thread::scope(|scope| {
            let puts: Vec<_> = self
                .instances
                .iter()
                .enumerate()
                .map(|(index, slot)| {
                    let message = self.next_put(in_force, index);
                    let put = scope.spawn(move || self.put_to(slot, message, tries));
                    (slot, put)
                })
                .collect();
            for (slot, result) in puts {
                match result.join().expect("putting settings does not panic") {
                    Ok(()) => {}
                    Err(Missed::Down) => put.down.push(slot.name.clone()),
                    Err(Missed::Paused) => put.paused.push(slot.name.clone()),
                    Err(Missed::Unreached(cause)) => {
                        put.unreached.push(format!("{}: {cause}", slot.name));
                    }
                }
            }
        });
        put
    }

    /// The message that puts what is in force on an instance after all that
    /// was put before.
    pub(super) fn next_put(&self, in_force: &InForce, index: usize) -> SettingsPut {
        SettingsPut {
            order: self.puts.fetch_add(1, Ordering::Relaxed) + 1,
            settings: in_force.release.settings_of(index, self.instances.len()),
            slow: in_force.slow,
        }
    }

    /// Puts it to an instance that has just gone on.
    pub(super) fn catch_up(&self, slot: &Slot, message: SettingsPut) -> Result<(), String> {
        match self.put_to(slot, message, PUT_TRIES) {
            Ok(()) | Err(Missed::Down | Missed::Paused) => Ok(()),
            Err(Missed::Unreached(cause)) => Err(cause),
        }
    }

    fn put_to(&self, slot: &Slot, message: SettingsPut, tries: u32) -> Result<(), Missed> {
        let mut last = Missed::Down;
        for attempt in 0..tries {
            if attempt > 0 {
                self.ending.pause(PUT_PAUSE);
            }
            let mut control = {
                let mut state = lock(&slot.state);
                let state = &mut *state;
                let part = state.part.as_mut().ok_or(Missed::Down)?;
                if part.ended() {
                    return Err(Missed::Down);
                }
                if state.paused {
                    state.behind = true;
                    return Err(Missed::Paused);
                }
                part.control_within(PUT_MAX)
            };
            match part::call::<Value>(&mut control, "PUT", "/settings", &message) {
                Ok(_) => return Ok(()),
                Err(cause) => last = Missed::Unreached(cause),
            }
        }
        Err(last)
    }

    /// Takes instances out of rotation (none) or puts them in, each by its
    /// place in the fleet, in one step.
    pub(super) fn rotate(
        &self,
        changes: impl IntoIterator<Item = (usize, Option<std::net::SocketAddr>)>,
    ) -> Result<(), String> {
        let mut rotation = lock(&self.rotation);
        for (index, address) in changes {
            rotation[index] = address;
        }
        let members = rotation.iter().flatten().copied().collect();
        put(&self.balancer, "/members", &Members { members })
    }
}

/// Adds on which instances it will be in force later.
fn later(detail: &mut String, when: &str, names: &[String]) {
    if !names.is_empty() {
        for text in ["; to be in force when they ", when, ": ", &names.join(", ")] {
            detail.push_str(text);
        }
    }
}

fn put(slot: &Slot, target: &str, body: &impl serde::Serialize) -> Result<(), String> {
    let mut state = lock(&slot.state);
    let name = &slot.name;
    let part = state
        .part
        .as_mut()
        .ok_or_else(|| format!("{name} is not running"))?;
    part.call::<Value>("PUT", target, body)
        .map(drop)
        .map_err(|cause| format!("{name}: {cause}"))
}
