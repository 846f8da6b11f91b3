//! What a responder does to a running fleet, carried out.
//!
//! What an action comes to is decided by [`Responder`], as it is for the simulated
//! fleet. A release is put to every instance while what is in force is locked, so
//! that no two instances ever see two releases in different orders. It holds for
//! all of them or for none: an instance that is down gets the settings in force
//! when it starts, one that is paused gets them when it goes on, and where one that
//! runs cannot be reached the release is taken back, so that the document in force
//! is the one that is obeyed.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::fleet::{Fleet, Slot};
use super::part;
use crate::fleet::lock;
use crate::fleet::message::{AdmissionShare, FaultsPut, Member, Members, SettingsPut, SlowPut};
use crate::fleet::wire::Client;
use crate::model::fault::FaultPlace;
use crate::model::{Action, FleetOrder, Release, Responder, applied_later};
use crate::record::{Event, Outcome};
use crate::units::Nanos;

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
    /// Does what this author wants done; a restart tells `on_event` what becomes of
    /// the instances.
    ///
    /// A restart returns when all serve again; [`Fleet::stop`] cuts it short and
    /// waits for it, so `on_event` must not call that.
    pub fn act(
        &self,
        now: Nanos,
        author: &str,
        action: &Action,
        on_event: &dyn Fn(Event),
    ) -> Outcome {
        let within = lock(&self.in_force).verified_within(action);
        if let Some(within) = within
            && !self.verifies_the_releaser(within)
        {
            return Release::unverified(within).into();
        }
        // Held until it is carried out, so that orders reach the parts as they were
        // given; a restart alone takes long, and lets others in.
        let mut in_force = lock(&self.in_force);
        let before = in_force.clone();
        let (order, done) = match in_force.decide(now, author, action) {
            Some(Ok(decided)) => decided,
            Some(Err(refusal)) => return refusal.into(),
            None => return Outcome::of_another_target(action),
        };
        match order {
            FleetOrder::Nothing => Outcome::Applied { detail: done },
            FleetOrder::PutSettings => self.put_in_force(&mut in_force, before, done),
            FleetOrder::SlowIdentity => {
                let slow = in_force.slow();
                let put = put(&self.identity, "/slow", &SlowPut { slow });
                if put.is_err() {
                    *in_force = before;
                }
                put.map(|()| done).into()
            }
            FleetOrder::PutFaults(place) => {
                let slot = match place {
                    FaultPlace::Instances => {
                        return self.put_in_force(&mut in_force, before, done);
                    }
                    FaultPlace::Identity => &self.identity,
                    FaultPlace::Balancer => &self.balancer,
                };
                let faults = in_force.faults().clone();
                let put = put(slot, "/faults", &FaultsPut { faults });
                if put.is_err() {
                    *in_force = before;
                }
                put.map(|()| done).into()
            }
            FleetOrder::Admit(share) => {
                let share = AdmissionShare { share };
                put(&self.balancer, "/admission", &share)
                    .map(|()| done)
                    .into()
            }
            FleetOrder::Pause(first) => self.pause_first(first, done),
            FleetOrder::Continue(first) => self.continue_first(first, done, &in_force),
            FleetOrder::Restart(order) => {
                drop(in_force);
                self.restart_all(order, on_event)
            }
        }
    }

    /// Whether the identity service verifies in time who releases: a call like that of a
    /// worker, in the same line.
    fn verifies_the_releaser(&self, within: Nanos) -> bool {
        let state = lock(&self.identity.state);
        let Some(address) = state.part.as_ref().map(|part| part.address) else {
            return false;
        };
        drop(state);
        let target = format!("/verify?user={}&held=true", self.spec.service_user());
        let mut client = Client::new(address, None, within.to_duration());
        let answer = client.call("GET", &target, &[]);
        answer.is_ok_and(|(status, _)| status == 200)
    }

    /// Whether an action waits for the identity service before it is carried out.
    pub(crate) fn waits_for_identity(&self, action: &Action) -> bool {
        lock(&self.in_force).verified_within(action).is_some()
    }

    /// The document in force.
    #[cfg(feature = "testing")]
    pub fn document(&self) -> crate::model::Document {
        lock(&self.in_force).document().clone()
    }

    /// Puts what is in force now to every instance, or else puts back what was
    /// before; `done` says what it is.
    fn put_in_force(&self, in_force: &mut Responder, before: Responder, done: String) -> Outcome {
        let put = self.put_to_all(in_force, PUT_TRIES);
        if put.unreached.is_empty() {
            return applied_later(done, &put.down, &put.paused);
        }
        *in_force = before;
        let put_back = self.put_to_all(in_force, 1);
        let mut reason = format!(
            "{done} was reverted, because running instances did not accept it: {}",
            put.unreached.join("; ")
        );
        if !put_back.unreached.is_empty() {
            // Where it accepts what was put to it after all, the last put wins.
            reason.push_str("; it was not confirmed that they reverted: ");
            reason.push_str(&put_back.unreached.join("; "));
        }
        Outcome::Failed { reason }
    }

    /// Puts to every instance at once what is in force on it; the caller holds it.
    fn put_to_all(&self, in_force: &Responder, tries: u32) -> SettingsDelivery {
        let mut put = SettingsDelivery {
            down: Vec::new(),
            paused: Vec::new(),
            unreached: Vec::new(),
        };
        thread::scope(|scope| {
            let puts: Vec<_> = self
                .instances
                .iter()
                .take(in_force.instances())
                .enumerate()
                .map(|(index, slot)| {
                    let message = self.next_put(in_force, index);
                    let put = scope.spawn(move || self.put_to(slot, &message, tries));
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
    pub(super) fn next_put(&self, in_force: &Responder, index: usize) -> SettingsPut {
        SettingsPut {
            order: self.puts.fetch_add(1, Ordering::Relaxed) + 1,
            settings: in_force.settings_of(index),
            slow: in_force.slow(),
            faults: in_force.faults().of(index),
            forgotten: in_force.forgotten(index),
        }
    }

    /// Puts it to an instance that has just gone on.
    pub(super) fn catch_up(&self, slot: &Slot, message: &SettingsPut) -> Result<(), String> {
        match self.put_to(slot, message, PUT_TRIES) {
            Ok(()) | Err(Missed::Down | Missed::Paused) => Ok(()),
            Err(Missed::Unreached(cause)) => Err(cause),
        }
    }

    fn put_to(&self, slot: &Slot, message: &SettingsPut, tries: u32) -> Result<(), Missed> {
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
            match part::call::<Value>(&mut control, "PUT", "/settings", message) {
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
        let members = rotation.iter().enumerate();
        let members = members.filter_map(|(index, address)| {
            let address = (*address)?;
            Some(Member { index, address })
        });
        let members = members.collect();
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
