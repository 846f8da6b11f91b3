//! The user's target: found, started, held, watched, ended, and
//! what can be done to it.
//!
//! Nothing is known of what it is inside. It is reached over HTTP, through its
//! processes, which the kernel shows, and through hooks, which are the user's
//! own tools. Whatever is done can be undone: an [`Undo`] says how, and is
//! handed to a [`Safeguard`] *before* the fault acts, so that somebody can
//! carry it out when whoever began it is gone.
//!
//! What it deliberately does not do: guess. A process is signalled by its pidfd
//! and only while it is the one that was held, by its start time; a host is
//! sent to by the one address that was checked; a command is run without a
//! shell.

mod addresses;
mod call;
mod carrier;
mod content;
mod family;
mod gauges;
mod limits;
mod process;
mod service;
mod spawn;
mod undo;
mod undos;

pub(crate) use addresses::Addresses;
pub(crate) use call::call_hook;
pub(crate) use carrier::carry_out_alone;
pub(crate) use service::{Begin, Target};
pub(crate) use undo::{Armed, Safeguard, Undo};
pub(crate) use undos::Undos;
#[cfg(feature = "testing")]
pub(crate) use undos::read_undos;

use crate::sync::lock;
