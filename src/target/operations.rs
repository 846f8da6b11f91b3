//! What can be done to a running fleet without starting anything: releases and
//! the admission share.
//!
//! A release is decided by `model::Release` and then put to every instance
//! while the release is locked, so that no two instances ever see two releases
//! in different orders. It holds for all of them or for none: an instance that
//! is down gets the settings in force when it starts, and where one that runs
//! cannot be reached the release is taken back, so that the document in force
//! is the one that is obeyed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::fleet::{Fleet, Slot};
use super::lock;
use super::message::{AdmissionShare, Members, SettingsPut};
use super::part;
use crate::model::{Action, Document, Refusal, Release, Settings};
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
struct Put {
    /// Instances that are down.
    down: Vec<String>,
    /// Instances that run and did not accept them, with the causes.
    unreached: Vec<String>,
}

/// Why an instance did not accept settings.
enum Missed {
    Down,
    Unreached(String),
}

impl Fleet {
    /// Releases the active settings with some changed, in `schema` or the
    /// active one, and puts them to every instance.
    pub fn push(
        &self,
        now: Nanos,
        author: &str,
        set: &BTreeMap<String, String>,
        schema: Option<u32>,
        tested: bool,
    ) -> Outcome {
        self.release(|release| release.push(now, author, set, schema, tested).cloned())
    }

    /// Restores the version before the active one, through the same checks.
    pub fn rollback(&self, now: Nanos, author: &str) -> Outcome {
        self.release(|release| release.rollback(now, author).cloned())
    }

    /// Makes a check of releases advisory.
    pub fn waive(&self, check: &str) -> Outcome {
        match lock(&self.release).waive(check) {
            Ok(()) => Outcome::Applied {
                detail: Action::Waive {
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
                detail: Action::Admit { share }.done(self.instances.len()),
            },
            Err(reason) => Outcome::Failed { reason },
        }
    }

    /// The document in force.
    #[must_use]
    pub fn document(&self) -> Document {
        lock(&self.release).active().clone()
    }

    /// Decides on a release and puts it to every instance.
    fn release(&self, decide: impl FnOnce(&mut Release) -> Result<Document, Refusal>) -> Outcome {
        let mut release = lock(&self.release);
        let before = release.clone();
        let document = match decide(&mut release) {
            Ok(document) => document,
            Err(refusal) => return refusal.into(),
        };
        let mut detail = document.named();
        let put = self.put_to_all(document.settings, PUT_TRIES);
        if put.unreached.is_empty() {
            if !put.down.is_empty() {
                detail.push_str("; to be in force when they start: ");
                detail.push_str(&put.down.join(", "));
            }
            return Outcome::Applied { detail };
        }
        *release = before;
        let put_back = self.put_to_all(release.active().settings, 1);
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

    /// Puts settings to every instance at once; the caller holds the release.
    fn put_to_all(&self, settings: Settings, tries: u32) -> Put {
        let message = self.next_put(settings);
        let mut put = Put {
            down: Vec::new(),
            unreached: Vec::new(),
        };
        thread::scope(|scope| {
            let puts: Vec<_> = self
                .instances
                .iter()
                .map(|slot| {
                    let put = scope.spawn(move || self.put_to(slot, message, tries));
                    (slot, put)
                })
                .collect();
            for (slot, result) in puts {
                match result.join().expect("putting settings does not panic") {
                    Ok(()) => {}
                    Err(Missed::Down) => put.down.push(slot.name.clone()),
                    Err(Missed::Unreached(cause)) => {
                        put.unreached.push(format!("{}: {cause}", slot.name));
                    }
                }
            }
        });
        put
    }

    /// The message that puts these settings after all that were put before.
    pub(super) fn next_put(&self, settings: Settings) -> SettingsPut {
        SettingsPut {
            order: self.puts.fetch_add(1, Ordering::Relaxed) + 1,
            settings,
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
                let part = state.part.as_mut().ok_or(Missed::Down)?;
                if part.ended() {
                    return Err(Missed::Down);
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
