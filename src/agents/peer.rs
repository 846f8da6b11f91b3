//! One agent, as its conductor sees it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::offset::{ClockOffset, Estimate, skew_ns};
use super::order::Order;
use super::packet::{Header, Packet, PacketKind, Presence, VERSION, agent_subject};
use super::stream::{Inbox, Outbox};
use crate::plan::Portion;
use crate::record::{AgentFacts, AgentMeasured};
use crate::units::Nanos;

/// Intervals that some of an agent's threads have told and others have not: they are never
/// apart by as many.
const PARTLY_MAX: usize = 64;

/// How an agent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PeerState {
    /// It has not answered yet.
    Opening,
    /// It waits.
    Open,
    /// It could begin.
    Ready,
    /// It has a load, or work.
    Works,
    /// It has ended its load.
    Finished,
    /// It cannot be counted on any more.
    Lost,
}

/// One agent.
pub(super) struct Peer {
    pub(super) presence: Presence,
    pub(super) portion: Portion,
    pub(super) state: PeerState,
    pub(super) out: Outbox,
    pub(super) inbox: Inbox,
    pub(super) offset: ClockOffset,
    /// When something of it arrived last.
    pub(super) heard: Nanos,
    pub(super) pinged: Option<Nanos>,
    pub(super) opened: Option<Nanos>,
    pub(super) owes_ack: bool,
    /// The offset by which it was told when to begin.
    pub(super) taken_ns: Option<i64>,
    /// Up to where its load is known, from the load's zero.
    pub(super) covered: Nanos,
    /// Threads that have told an interval, by its end, where not all of them have.
    partly: BTreeMap<Nanos, u32>,
    /// Whether its last operation was scheduled.
    pub(super) load_ended: bool,
    /// Why it was lost, where it was.
    pub(super) lost_because: String,
    /// Pieces of work that it has.
    pub(super) tries: BTreeSet<usize>,
}

impl Peer {
    pub(super) fn new(presence: Presence, portion: Portion, now: Nanos) -> Self {
        Self {
            presence,
            portion,
            state: PeerState::Opening,
            out: Outbox::default(),
            inbox: Inbox::default(),
            offset: ClockOffset::default(),
            heard: now,
            pinged: None,
            opened: None,
            owes_ack: false,
            taken_ns: None,
            covered: Nanos::ZERO,
            partly: BTreeMap::new(),
            load_ended: false,
            lost_because: String::new(),
            tries: BTreeSet::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.presence.name
    }

    /// Whether anything is still expected of it.
    pub(super) fn counts(&self) -> bool {
        !matches!(self.state, PeerState::Lost | PeerState::Finished)
    }

    /// Work that it has at a time: for each of its cores.
    pub(super) fn tries_max(&self) -> usize {
        usize::try_from(self.presence.machine.cores.max(1)).unwrap_or(1)
    }

    /// Has it told something, once; false where it holds too much that was not
    /// acknowledged.
    pub(super) fn tell(&mut self, order: &Order) -> bool {
        let text = serde_json::to_vec(order).unwrap_or_default();
        self.out.push(text).is_ok()
    }

    /// One of so many threads has told an interval that ends there. Its load is known up to
    /// where all of them have.
    pub(super) fn told_to(&mut self, to: Nanos, threads: u32) {
        if to <= self.covered {
            return;
        }
        let told = self.partly.entry(to).or_default();
        *told += 1;
        if *told >= threads {
            self.covered = to;
            self.partly = self.partly.split_off(&Nanos(to.0.saturating_add(1)));
        } else if self.partly.len() > PARTLY_MAX {
            self.partly.pop_first();
        }
    }

    /// A packet for it.
    pub(super) fn packet(
        &mut self,
        session: &str,
        what: PacketKind,
        payload: Bytes,
    ) -> (String, Bytes) {
        self.owes_ack = false;
        let header = Header {
            v: VERSION,
            session: session.to_owned(),
            from: String::new(),
            ack: self.inbox.through(),
            what,
        };
        let subject = agent_subject(&self.presence.id);
        (subject, Packet { header, payload }.encode())
    }

    /// Its threads of so many.
    pub(super) fn threads(&self, all: u32) -> u32 {
        u32::try_from(self.portion.threads(all).len()).unwrap_or(u32::MAX)
    }

    pub(super) fn facts(&self, all: u32) -> AgentFacts {
        AgentFacts {
            agent: self.name().to_owned(),
            cores: self.presence.machine.cores,
            threads: self.threads(all),
            of_threads: all,
        }
    }

    /// What was measured of it, where the load's zero was at this instant and now is the end.
    pub(super) fn measured(&self, zero: Nanos, now: Nanos) -> Option<AgentMeasured> {
        let taken = self.taken_ns?;
        let skew = |at: Nanos| {
            let known: Estimate = self.offset.at(at)?;
            Some((skew_ns(taken, known), known.bound_ns))
        };
        let (skew_at_begin, begin_bound) = skew(zero)?;
        // One that was lost is known up to where it was heard.
        let (skew_at_end, end_bound) = skew(now.min(self.heard))?;
        Some(AgentMeasured {
            agent: self.name().to_owned(),
            skew_ns: skew_at_begin,
            skew_bound_ns: begin_bound,
            end_skew_ns: skew_at_end,
            end_skew_bound_ns: end_bound,
            drift_ppb: self.offset.drift_ppb(),
            round_trips: self.offset.round_trips(),
            round_trip_min_ns: self.offset.round_trip_min().unwrap_or_default().0,
            deliveries: self.inbox.messages(),
            repeated: self.inbox.repeated(),
        })
    }
}
