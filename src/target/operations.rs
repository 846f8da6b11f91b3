//! What can be done to a running fleet without starting anything: releases and
//! the admission share.
//!
//! A release is decided by `model::Release` and then put to every instance
//! while the release is locked, so that no two instances ever see two releases
//! in different orders.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fleet::{Fleet, Slot};
use super::lock;
use super::message::{AdmissionShare, Members};
use crate::model::{Document, Refusal, Settings};
use crate::record::Outcome;
use crate::units::{Nanos, Ratio};

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
        let mut release = lock(&self.release);
        let released = release.push(now, author, set, schema, tested).cloned();
        self.put_release(released)
    }

    /// Restores the version before the active one, through the same checks.
    pub fn rollback(&self, now: Nanos, author: &str) -> Outcome {
        let mut release = lock(&self.release);
        let released = release.rollback(now, author).cloned();
        self.put_release(released)
    }

    /// Makes a check of releases advisory.
    pub fn waive(&self, check: &str) -> Outcome {
        match lock(&self.release).waive(check) {
            Ok(()) => Outcome::Applied {
                detail: format!("the check `{check}` is advisory from now on"),
            },
            Err(refusal) => rejected(refusal),
        }
    }

    /// Lets the balancer admit this share of the requests.
    pub fn admit(&self, share: Ratio) -> Outcome {
        match put(&self.balancer, "/admission", &AdmissionShare { share }) {
            Ok(()) => Outcome::Applied {
                detail: format!("{share} of the requests are admitted"),
            },
            Err(reason) => Outcome::Failed { reason },
        }
    }

    /// The document in force.
    #[must_use]
    pub fn document(&self) -> Document {
        lock(&self.release).active().clone()
    }

    /// Puts a released document to every instance; the caller holds the release.
    fn put_release(&self, released: Result<Document, Refusal>) -> Outcome {
        let document = match released {
            Ok(document) => document,
            Err(refusal) => return rejected(refusal),
        };
        let refused: Vec<String> = self
            .instances
            .iter()
            .filter_map(|slot| put_settings(slot, document.settings).err())
            .collect();
        let restores = document.restores.map_or_else(String::new, |version| {
            format!(", which restores version {version}")
        });
        let mut detail = format!("version {}{restores}", document.version);
        if refused.is_empty() {
            return Outcome::Applied { detail };
        }
        // An instance that is down gets the settings in force when it starts.
        detail.push_str("; not put to every instance: ");
        detail.push_str(&refused.join("; "));
        if refused.len() < self.instances.len() {
            Outcome::Applied { detail }
        } else {
            Outcome::Failed { reason: detail }
        }
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

/// Puts settings to an instance.
pub(super) fn put_settings(slot: &Slot, settings: Settings) -> Result<(), String> {
    put(slot, "/settings", &settings)
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

fn rejected(refusal: Refusal) -> Outcome {
    Outcome::Rejected {
        check: refusal.check,
        reason: refusal.reason,
    }
}
