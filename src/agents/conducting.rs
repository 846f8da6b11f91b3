//! What a conductor does about its agents; nothing of how what is sent comes and goes.
//!
//! Whatever agents tell of a load is passed on in the words of a generator's threads
//! ([`Update`]), so whoever hears it need not know that it came from afar. Each agent is
//! heard in the order of its own deliveries, each of them once.

use bytes::Bytes;

use super::order::{LoadOrder, Order, Report};
use super::packet::{Packet, PacketKind, Presence};
use super::peer::{Peer, PeerState};
use super::settings::OnAgentLost;
use super::stream::Piece;
use super::work::Work;
use crate::load::{Command, Tell, Update};
use crate::model::{FailureCause, SourceName};
use crate::plan::Portion;
use crate::record::{AgentCounters, AgentLost, Counters, Event, Measure, Sample};
use crate::units::Nanos;

/// Between two pings while clocks are measured before a load.
const PING_OFTEN: Nanos = Nanos::from_millis(20);
/// Between two pings else: several within the shortest lease, and drift is followed.
const PING: Nanos = Nanos::from_millis(250);
/// An agent that does not answer is engaged again after this.
const OPEN_AGAIN: Nanos = Nanos::from_millis(500);

/// Letters of what an agent says at most: several sentences, of which a refusal has the most.
const TEXT_MAX: usize = 1_000;
/// Kinds of warnings and of failures that are told: a run has a few.
const WARNINGS_MAX: usize = 1_000;

/// Why an agent that holds too much is lost.
const UNACKNOWLEDGED: &str = "it does not acknowledge its orders";

/// The conductor of some agents.
pub(super) struct Conducting {
    session: String,
    purpose: String,
    lease: Nanos,
    on_lost: OnAgentLost,
    pub(super) peers: Vec<Peer>,
    outgoing: Vec<(String, Bytes)>,
    /// Pings often while this is so.
    pub(super) measuring: bool,
    /// Why agents could not be had, where they could not.
    refused: Vec<String>,
    load: Option<Load>,
    pub(super) work: Option<Work>,
}

/// A load that they send.
struct Load {
    tell: Tell,
    /// Its zero, by the conductor's clock.
    zero: Nanos,
    /// Threads of all agents, at each place that is loaded.
    threads: u32,
    places: u32,
    offered: bool,
    finished: bool,
    warnings: Vec<String>,
    failures: Vec<(SourceName, FailureCause, Option<u16>)>,
}

impl Conducting {
    /// Of these agents, each with its own portion of the load.
    pub(super) fn new(
        session: String,
        purpose: String,
        (lease, on_lost): (Nanos, OnAgentLost),
        agents: Vec<Presence>,
        now: Nanos,
    ) -> Self {
        let of = u32::try_from(agents.len()).unwrap_or(u32::MAX);
        let peers = (0..).zip(agents).map(|(index, presence)| {
            let portion = Portion { index, of };
            Peer::new(presence, portion, now)
        });
        Self {
            session,
            purpose,
            lease,
            on_lost,
            peers: peers.collect(),
            outgoing: Vec::new(),
            measuring: true,
            refused: Vec::new(),
            load: None,
            work: None,
        }
    }

    /// Whether each has answered, or cannot be had.
    pub(super) fn are_open(&self) -> bool {
        self.peers
            .iter()
            .all(|peer| peer.state != PeerState::Opening)
    }

    /// Whether each could begin, or cannot be had.
    pub(super) fn are_ready(&self) -> bool {
        let decided = |peer: &Peer| matches!(peer.state, PeerState::Ready | PeerState::Lost);
        self.peers.iter().all(decided)
    }

    /// Why agents could not be had.
    pub(super) fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Whether the load has ended for every agent that counts.
    pub(super) fn has_finished(&self) -> bool {
        self.load.as_ref().is_some_and(|load| load.finished)
    }

    /// The longest of the agents' shortest round trips.
    pub(super) fn round_trip(&self) -> Nanos {
        let trips = self
            .peers
            .iter()
            .filter_map(|peer| peer.offset.round_trip_min());
        trips.max().unwrap_or_default()
    }

    /// Has every agent make ready for its portion.
    pub(super) fn prepare(&mut self, now: Nanos, order: Box<LoadOrder>) {
        // Written once, and held once: it may be long.
        let load = Bytes::from(serde_json::to_vec(&Order::Load(order)).unwrap_or_default());
        for place in 0..self.peers.len() {
            let share = Order::Share(self.peers[place].portion);
            self.order(place, now, &share);
            if self.peers[place].out.push(load.clone()).is_err() {
                self.lost(place, now, UNACKNOWLEDGED);
            }
        }
    }

    /// Has all begin at an instant of the conductor's clock.
    pub(super) fn begin(
        &mut self,
        now: Nanos,
        zero: Nanos,
        (threads, places): (u32, u32),
        mut tell: Tell,
    ) {
        let facts = self.peers.iter().map(|peer| peer.facts(threads));
        tell(Update::Happened(Event::AgentsBegan {
            agents: facts.collect(),
        }));
        self.measuring = false;
        self.load = Some(Load {
            tell,
            zero,
            threads,
            places,
            offered: false,
            finished: false,
            warnings: Vec::new(),
            failures: Vec::new(),
        });
        for place in 0..self.peers.len() {
            let peer = &mut self.peers[place];
            if peer.state == PeerState::Lost {
                // Between making ready and now: its whole share is not offered.
                self.tell_loss(place);
                continue;
            }
            let taken = peer.offset.at(zero).map_or(0, |known| known.offset_ns);
            peer.taken_ns = Some(taken);
            let at_ns = Nanos(zero.0.saturating_add_signed(taken));
            peer.state = PeerState::Works;
            self.order(place, now, &Order::Begin { at_ns });
        }
        self.ends(now);
    }

    /// Tells every agent what a generator is told.
    pub(super) fn command(&mut self, now: Nanos, command: Command) {
        let order = match command {
            Command::Act(action) => Order::Act(action),
            Command::EndLoad { at, drained } => Order::EndLoad {
                at_ns: at,
                drained_ns: drained,
            },
            Command::Stop => Order::Stop,
        };
        for place in 0..self.peers.len() {
            if self.peers[place].counts() {
                self.order(place, now, &order);
            }
        }
    }

    /// Tells an agent something that it must not miss: one that takes nothing any more does not
    /// do what the others do.
    fn order(&mut self, place: usize, now: Nanos, order: &Order) {
        if !self.peers[place].tell(order) {
            self.lost(place, now, UNACKNOWLEDGED);
        }
    }

    /// Hands out work.
    pub(super) fn hand_out(&mut self, work: Work) {
        self.measuring = false;
        self.work = Some(work);
        // Whoever was lost since it was engaged tells nobody any more.
        self.without_agents();
        self.fill();
    }

    /// The session is over for all.
    pub(super) fn leave(&mut self, reason: &str) {
        let session = self.session.clone();
        for peer in &mut self.peers {
            if peer.state != PeerState::Lost {
                let what = PacketKind::Leave {
                    reason: reason.to_owned(),
                };
                self.outgoing
                    .push(peer.packet(&session, what, Bytes::new()));
            }
        }
    }

    /// What is to be published now, each with its subject.
    pub(super) fn outgoing(&mut self) -> Vec<(String, Bytes)> {
        std::mem::take(&mut self.outgoing)
    }

    /// An agent sent something.
    pub(super) fn arrived(&mut self, now: Nanos, bytes: &Bytes) {
        let Ok(packet) = Packet::decode(bytes) else {
            return;
        };
        let header = packet.header;
        if header.session != self.session {
            return;
        }
        let mut peers = self.peers.iter_mut();
        let Some(place) = peers.position(|peer| peer.presence.id == header.from) else {
            return;
        };
        let session = self.session.clone();
        let peer = &mut self.peers[place];
        if peer.state == PeerState::Lost {
            // It comes too late: its share counts as not offered already.
            if !matches!(header.what, PacketKind::Leave { .. }) {
                let what = PacketKind::Leave {
                    reason: peer.lost_because.clone(),
                };
                self.outgoing
                    .push(peer.packet(&session, what, Bytes::new()));
            }
            return;
        }
        peer.heard = now;
        peer.out.acknowledged(header.ack);
        match header.what {
            PacketKind::Pong { sent_ns, clock_ns } => {
                peer.offset.round_trip(sent_ns, clock_ns, now);
            }
            PacketKind::Ack if peer.state == PeerState::Opening => peer.state = PeerState::Open,
            PacketKind::Piece { number, last } => {
                peer.owes_ack = true;
                let piece = Piece {
                    number,
                    last,
                    payload: packet.payload,
                };
                match peer.inbox.take(piece) {
                    Ok(messages) => {
                        for message in messages {
                            self.reported(place, now, &message);
                        }
                    }
                    Err(why) => self.lost(place, now, &why),
                }
            }
            PacketKind::Leave { reason } => self.lost(place, now, &told(&reason)),
            PacketKind::Ack | PacketKind::Open { .. } | PacketKind::Ping { .. } => {}
        }
        self.pump(now);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Nanos) {
        for place in 0..self.peers.len() {
            let peer = &self.peers[place];
            if peer.counts() && now.saturating_sub(peer.heard) > self.lease {
                let reason = format!("nothing was heard of it for {}", self.lease);
                self.lost(place, now, &reason);
            }
        }
        // Of what an agent held too much for it has room again.
        self.fill();
        self.pump(now);
    }

    /// An agent reported something.
    fn reported(&mut self, place: usize, now: Nanos, message: &[u8]) {
        let report: Report = match serde_json::from_slice(message) {
            Ok(report) => report,
            Err(cause) => {
                let why = format!("what it reports cannot be read: {cause}");
                return self.lost(place, now, &why);
            }
        };
        let peer = &mut self.peers[place];
        match report {
            Report::Ready if matches!(peer.state, PeerState::Open) => peer.state = PeerState::Ready,
            Report::Ready => {}
            Report::Refused { reason } | Report::Failed(reason) => {
                let reason = told(&reason);
                self.lost(place, now, reason.trim_end_matches('.'));
            }
            // It has told its end: nothing of it counts any more.
            Report::Samples(_) if peer.state == PeerState::Finished => {}
            Report::Samples(samples) => {
                for sample in samples {
                    match Sample::try_from(sample) {
                        Ok(sample) => self.counted(place, sample),
                        Err(why) => return self.lost(place, now, &why),
                    }
                }
            }
            Report::LoadEnded => {
                peer.load_ended = true;
                self.ends(now);
            }
            Report::Finished => {
                peer.load_ended = true;
                peer.state = PeerState::Finished;
                self.ends(now);
            }
            Report::FirstFailure(failure) => {
                let Some(load) = &mut self.load else { return };
                let kind = (failure.source.clone(), failure.cause, failure.status);
                if load.failures.len() < WARNINGS_MAX && !load.failures.contains(&kind) {
                    load.failures.push(kind);
                    (load.tell)(Update::FirstFailure(failure));
                }
            }
            Report::Slowest(operations) => {
                let Some(load) = &mut self.load else { return };
                (load.tell)(Update::Slowest(operations));
            }
            Report::Warning(text) => {
                let text = format!("The agent {}: {}", peer.name(), told(&text));
                let Some(load) = &mut self.load else { return };
                if load.warnings.len() < WARNINGS_MAX && !load.warnings.contains(&text) {
                    load.warnings.push(text.clone());
                    (load.tell)(Update::Warning(text));
                }
            }
            Report::Tried { number, result } => {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                // What it was not given is no work of this session.
                if peer.tries.remove(&number)
                    && let Some(work) = &mut self.work
                {
                    work.done(number, result.map_err(|why| told(&why)));
                }
                self.fill();
            }
        }
    }

    /// Passes a sample on, and keeps of it what tells how the agent fared.
    fn counted(&mut self, place: usize, sample: Sample) {
        let (Some(load), peer) = (&mut self.load, &mut self.peers[place]) else {
            return;
        };
        if let Some(own) = of_agent(&sample, peer.name()) {
            (load.tell)(Update::Sample(own));
        }
        match &sample.counters {
            // The conductor reads its own, and sums of several say nothing of any.
            Counters::Machine(_) => return,
            Counters::Attempts(_) if sample.source == SourceName::User => {
                let threads = peer.threads(load.threads).saturating_mul(load.places);
                peer.told_to(sample.to, threads);
            }
            _ => {}
        }
        (load.tell)(Update::Sample(sample));
    }

    /// Nothing is to be expected of an agent any more.
    fn lost(&mut self, place: usize, now: Nanos, reason: &str) {
        let peer = &mut self.peers[place];
        if !peer.counts() {
            return;
        }
        let before = std::mem::replace(&mut peer.state, PeerState::Lost);
        let what = PacketKind::Leave {
            reason: reason.to_owned(),
        };
        let packet = peer.packet(&self.session.clone(), what, Bytes::new());
        self.outgoing.push(packet);
        let tries = std::mem::take(&mut peer.tries);
        if before != PeerState::Works {
            self.refused.push(format!("{}: {reason}", peer.name()));
        }
        reason.clone_into(&mut peer.lost_because);
        self.tell_loss(place);
        self.ends(now);
        if let Some(work) = &mut self.work {
            work.again(tries);
            self.without_agents();
            self.fill();
        }
    }

    /// Gives work up that nobody is left for.
    fn without_agents(&mut self) {
        let Some(work) = &mut self.work else { return };
        if self.peers.iter().all(|peer| peer.state == PeerState::Lost) {
            let why = self
                .peers
                .iter()
                .map(|peer| format!("{}: {}", peer.name(), peer.lost_because));
            let why = why.collect::<Vec<_>>().join("; ");
            work.give_up(&format!("no agent is left ({why})"));
        }
    }

    /// Tells that the share of an agent counts as not offered.
    fn tell_loss(&mut self, place: usize) {
        let (Some(load), peer) = (&mut self.load, &self.peers[place]) else {
            return;
        };
        let lost = AgentLost {
            agent: peer.name().to_owned(),
            threads: peer.threads(load.threads).saturating_mul(load.places),
            of_threads: load.threads.saturating_mul(load.places),
            from: peer.covered,
            reason: peer.lost_because.clone(),
            missing: peer.inbox.missing(),
            stops: self.on_lost == OnAgentLost::Stop,
        };
        (load.tell)(Update::Happened(Event::AgentLost(lost)));
    }

    /// Tells the end of the load once every agent that counts has told its own.
    fn ends(&mut self, now: Nanos) {
        let Some(load) = &mut self.load else { return };
        let mut waited_for = self.peers.iter().filter(|peer| peer.counts());
        if !load.offered && waited_for.clone().all(|peer| peer.load_ended) {
            load.offered = true;
            (load.tell)(Update::LoadEnded);
        }
        if !load.finished && waited_for.next().is_none() {
            load.finished = true;
            let measured = self
                .peers
                .iter()
                .filter_map(|it| it.measured(load.zero, now));
            let agents = measured.collect();
            (load.tell)(Update::Happened(Event::AgentsEnded { agents }));
            (load.tell)(Update::Finished);
        }
    }

    /// Gives every agent as much work as it has cores.
    fn fill(&mut self) {
        let Some(work) = &mut self.work else { return };
        loop {
            let free = self.peers.iter_mut().filter(|peer| {
                matches!(peer.state, PeerState::Open | PeerState::Works)
                    && peer.tries.len() < peer.tries_max()
            });
            // Whoever has least to do gets the next.
            let Some(peer) = free.min_by_key(|peer| peer.tries.len()) else {
                return;
            };
            let Some((number, job)) = work.next() else {
                return;
            };
            let order = Order::Try {
                number: number as u64,
                job,
            };
            if !peer.tell(&order) {
                // It holds too much already: it, or another, gets it when there is room.
                return work.again([number].into());
            }
            peer.state = PeerState::Works;
            peer.tries.insert(number);
        }
    }

    /// Sends what is due.
    fn pump(&mut self, now: Nanos) {
        let every = if self.measuring { PING_OFTEN } else { PING };
        let due = |last: Option<Nanos>, every: Nanos| {
            last.is_none_or(|last| now.saturating_sub(last) >= every)
        };
        let session = self.session.clone();
        for peer in &mut self.peers {
            match peer.state {
                PeerState::Lost => continue,
                PeerState::Opening => {
                    if due(peer.opened, OPEN_AGAIN) {
                        peer.opened = Some(now);
                        let what = PacketKind::Open {
                            lease_ns: self.lease,
                            purpose: self.purpose.clone(),
                        };
                        self.outgoing
                            .push(peer.packet(&session, what, Bytes::new()));
                    }
                    continue;
                }
                _ => {}
            }
            if due(peer.pinged, every) {
                peer.pinged = Some(now);
                let what = PacketKind::Ping { sent_ns: now };
                self.outgoing
                    .push(peer.packet(&session, what, Bytes::new()));
            }
            for piece in peer.out.due(now) {
                let what = PacketKind::Piece {
                    number: piece.number,
                    last: piece.last,
                };
                self.outgoing
                    .push(peer.packet(&session, what, piece.payload));
            }
            if peer.owes_ack {
                self.outgoing
                    .push(peer.packet(&session, PacketKind::Ack, Bytes::new()));
            }
        }
    }
}

/// What an agent says in words, as it may be shown and written down: who sends it may be
/// anybody who can publish at the server.
fn told(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(TEXT_MAX).collect()
}

/// What a sample of an agent tells of the agent itself.
fn of_agent(sample: &Sample, name: &str) -> Option<Sample> {
    let length = sample.to.saturating_sub(sample.from).0;
    let (counters, histograms) = match &sample.counters {
        Counters::Generator(own) => (
            AgentCounters {
                thread_ns: own.threads.saturating_mul(length),
                cpu_ns: own.cpu_ns,
                delayed_ns: own.delayed_ns,
                ..AgentCounters::default()
            },
            sample
                .histogram(Measure::SendLag)
                .map(|lag| (Measure::SendLag, lag.clone()))
                .into_iter()
                .collect(),
        ),
        Counters::Machine(own) => (
            AgentCounters {
                machine_total_ns: own.total_ns,
                machine_busy_ns: own.busy_ns,
                machine_steal_ns: own.steal_ns,
                ..AgentCounters::default()
            },
            Vec::new(),
        ),
        _ => return None,
    };
    Some(Sample {
        source: SourceName::of_agent(name),
        counters: Counters::Agent(counters),
        histograms,
        ..sample.clone()
    })
}
