//! What an agent does about what it is sent; nothing of how that comes and goes.
//!
//! It is engaged by one conductor at a time. What it hears of it keeps the lease; without a
//! word for that long it lets go of everything by itself: the load stops, and what was being
//! tried is given up. It starts nothing of its own accord.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use super::loading::Loading;
use super::order::{LoadOrder, Order, Report};
use super::packet::{self, Header, Packet, PacketKind, Presence, VERSION, session_subject};
use super::sent::SentSample;
use super::settings::LEASES;
use super::stream::{Inbox, Outbox, Piece};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::load::{Command, Setup, Update};
use crate::plan::{Plan, Portion};
use crate::record::{MachineFacts, Observer};
use crate::units::Nanos;

/// Pieces of work that are under way at a time at most; conductors hand out one for each core.
const TRIES_MAX: usize = 1024;
/// Letters of what a conductor says in words: what it engages an agent for, why it leaves.
const TEXT_MAX: usize = 120;

/// The result of a piece of work. One that panics came to nothing, and whoever waits for it
/// must hear that.
fn carried_out(what: impl FnOnce() -> Result<String>) -> std::result::Result<String, String> {
    match catch_unwind(AssertUnwindSafe(what)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("a thread of it died, which is a bug; please report it".to_owned()),
    }
}

/// What a conductor says in words, as it may be shown: it may be anybody who can publish at
/// the server.
fn told(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(TEXT_MAX).collect()
}

/// Finds out whether a machine has room for the load of a plan.
pub(super) type Fit = Arc<dyn Fn(&Plan) -> Result<()> + Send + Sync>;

/// What the work of an agent is carried out by, besides the load generator.
#[derive(Clone)]
pub struct Hands {
    /// Finds out whether this machine has room for a load.
    pub fit: Fit,
    /// Carries out a piece of work, of so many at a time, until the flag is raised.
    pub try_one: TryOne,
    /// Who hears on this machine of the load of a plan, of which it has a share.
    pub watch: Watch,
}

/// Whoever watches a load of this plan; nobody where it gives none.
pub(super) type Watch = Arc<dyn Fn(&Plan) -> Option<Box<dyn Observer + Send>> + Send + Sync>;

/// Carries out a piece of work.
pub(super) type TryOne = Arc<dyn Fn(&str, usize, &AtomicBool) -> Result<String> + Send + Sync>;

/// Who an agent is.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// Another at each start.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) secure: bool,
    pub(super) allowed: Vec<String>,
    pub(super) machine: MachineFacts,
    /// The same on one machine and in one network.
    pub(super) place: String,
}

/// `ThreadReport` by the agent's own threads.
pub(super) struct ThreadReport {
    /// During which engagement: what comes of an earlier one is nobody's.
    engagement: u64,
    what: Telling,
}

#[expect(clippy::large_enum_variant, reason = "a few a second, each moved once")]
enum Telling {
    Update(Update),
    Tried {
        number: u64,
        result: std::result::Result<String, String>,
    },
}

/// An agent.
pub(super) struct Serving {
    own: Own,
    clock: Clock,
    hands: Hands,
    told: UnboundedSender<ThreadReport>,
    engaged: Option<Engaged>,
    /// Engagements so far.
    engagements: u64,
    outgoing: Vec<(String, Bytes)>,
    said: Vec<String>,
}

/// A conductor that has engaged it.
struct Engaged {
    session: String,
    purpose: String,
    lease: Nanos,
    heard: Nanos,
    out: Outbox,
    inbox: Inbox,
    /// Whether something arrived that was not acknowledged yet.
    owes_ack: bool,
    /// Its share of the next load, once it knows.
    portion: Option<Portion>,
    duty: Duty,
}

/// What it does.
enum Duty {
    Waits,
    /// It could begin.
    Ready(Vec<(Setup, u32)>, Portion),
    Loads(Box<Loading>),
    Tries {
        stop: Arc<AtomicBool>,
        under_way: usize,
    },
}

impl Drop for Engaged {
    fn drop(&mut self) {
        // A generator that is dropped stops by itself.
        if let Duty::Tries { stop, .. } = &self.duty {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

impl Serving {
    pub(super) fn new(
        own: Own,
        clock: Clock,
        hands: Hands,
        told: UnboundedSender<ThreadReport>,
    ) -> Self {
        Self {
            own,
            clock,
            hands,
            told,
            engaged: None,
            engagements: 0,
            outgoing: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Somebody asks who is there.
    pub(super) fn called(&mut self, now: Nanos, bytes: &[u8], answers: String) {
        let Ok(call) = packet::call(bytes) else {
            return; // nothing that an agent is called by
        };
        let own = &self.own;
        let presence = Presence {
            v: VERSION,
            sent_ns: call.sent_ns,
            clock_ns: now,
            id: own.id.clone(),
            name: own.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            busy: self.engaged.as_ref().map(|engaged| engaged.purpose.clone()),
            machine: own.machine.clone(),
            place: own.place.clone(),
            secure: own.secure,
        };
        let text = serde_json::to_vec(&presence).unwrap_or_default();
        self.outgoing.push((answers, text.into()));
    }

    /// A conductor sent something.
    pub(super) fn arrived(&mut self, now: Nanos, bytes: &Bytes) {
        // A machine that stood still finds old packets: they do not bring a lease back. Nor
        // does whoever sends something else all the time.
        self.lapse(now);
        let Ok(packet) = Packet::decode(bytes) else {
            return; // of another version, which `called` tells
        };
        let Header {
            session, ack, what, ..
        } = packet.header;
        if let PacketKind::Open { lease_ns, purpose } = what {
            self.open(now, session, lease_ns, &purpose);
            return self.pump(now);
        }
        let own = self.engaged.as_mut();
        let Some(engaged) = own.filter(|engaged| engaged.session == session) else {
            if !matches!(what, PacketKind::Leave { .. }) {
                self.leave_to(&session, "it has let go of this session");
            }
            return;
        };
        engaged.heard = now;
        engaged.out.acknowledged(ack);
        match what {
            PacketKind::Ping { sent_ns } => {
                let pong = PacketKind::Pong {
                    sent_ns,
                    clock_ns: now,
                };
                self.send(pong, Bytes::new());
            }
            PacketKind::Piece { number, last } => {
                engaged.owes_ack = true;
                let piece = Piece {
                    number,
                    last,
                    payload: packet.payload,
                };
                match engaged.inbox.take(piece) {
                    Ok(messages) => {
                        for message in messages {
                            self.obey(now, &message);
                        }
                    }
                    Err(why) => self.let_go(&why, true),
                }
            }
            PacketKind::Leave { reason } => self.let_go(&told(&reason), false),
            PacketKind::Open { .. } | PacketKind::Pong { .. } | PacketKind::Ack => {}
        }
        self.pump(now);
    }

    /// Its own threads told something.
    pub(super) fn told(&mut self, now: Nanos, all: Vec<ThreadReport>) {
        let mut samples = Vec::new();
        for told in all {
            if told.engagement != self.engagements || self.engaged.is_none() {
                continue;
            }
            if let Telling::Update(update) = &told.what
                && let Some(loading) = self.loading()
            {
                loading.told(update);
            }
            match told.what {
                Telling::Update(Update::Sample(sample)) => {
                    samples.push(SentSample::from(&sample));
                }
                other => {
                    // What was counted before something happened comes before it.
                    self.count(&mut samples);
                    self.tell(other);
                }
            }
        }
        self.count(&mut samples);
        self.pump(now);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Nanos) {
        self.lapse(now);
        if let Some(loading) = self.loading() {
            let read = loading.pass();
            let mut samples = read.iter().map(SentSample::from).collect();
            self.count(&mut samples);
        }
        self.pump(now);
    }

    /// The load that it sends.
    fn loading(&mut self) -> Option<&mut Loading> {
        match &mut self.engaged.as_mut()?.duty {
            Duty::Loads(loading) => Some(loading),
            _ => None,
        }
    }

    /// Lets go where nothing was heard of the conductor within the lease.
    fn lapse(&mut self, now: Nanos) {
        let Some(engaged) = &self.engaged else {
            return;
        };
        if now.saturating_sub(engaged.heard) > engaged.lease {
            let reason = format!("nothing was heard of the conductor for {}", engaged.lease);
            self.let_go(&reason, true);
        }
    }

    /// It is being ended.
    pub(super) fn end(&mut self) {
        self.let_go("the agent was stopped", true);
    }

    /// What is to be published now, each with its subject.
    pub(super) fn outgoing(&mut self) -> Vec<(String, Bytes)> {
        std::mem::take(&mut self.outgoing)
    }

    /// What its user should know.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    fn open(&mut self, now: Nanos, session: String, lease: Nanos, purpose: &str) {
        let purpose = told(purpose);
        let lease = lease.clamp(LEASES.0, LEASES.1);
        match &mut self.engaged {
            Some(engaged) if engaged.session == session => {
                engaged.heard = now;
                engaged.owes_ack = true;
            }
            Some(engaged) => {
                let reason = format!("it is engaged already: {}", engaged.purpose);
                self.leave_to(&session, &reason);
            }
            None => {
                self.engagements += 1;
                self.said.push(format!("engaged: {purpose}"));
                self.engaged = Some(Engaged {
                    session,
                    purpose,
                    lease,
                    heard: now,
                    out: Outbox::default(),
                    inbox: Inbox::default(),
                    owes_ack: true,
                    portion: None,
                    duty: Duty::Waits,
                });
            }
        }
    }

    /// Does what it is told.
    fn obey(&mut self, now: Nanos, message: &[u8]) {
        let order: Order = match serde_json::from_slice(message) {
            Ok(order) => order,
            Err(cause) => {
                let text = format!("an order cannot be read: {cause}");
                return self.report(&Report::Failed(text));
            }
        };
        match order {
            Order::Share(portion) => {
                if let Some(engaged) = &mut self.engaged {
                    engaged.portion = Some(portion);
                }
            }
            Order::Load(order) => match self.ready(&order) {
                Ok(()) => self.report(&Report::Ready),
                Err(error) => self.report(&Report::Refused {
                    reason: error.to_string(),
                }),
            },
            Order::Begin { at_ns } => {
                if let Err(error) = self.begin(now, at_ns) {
                    self.report(&Report::Failed(error.to_string()));
                }
            }
            Order::Act(action) => self.command(Command::Act(action)),
            Order::EndLoad { at_ns, drained_ns } => self.command(Command::EndLoad {
                at: at_ns,
                drained: drained_ns,
            }),
            Order::Stop => self.command(Command::Stop),
            Order::Try { number, job } => self.try_one(number, job),
        }
    }

    fn ready(&mut self, order: &LoadOrder) -> Result<()> {
        if !self.own.secure {
            return Err(Error::usage(
                "its connection to the NATS server is not encrypted, and the server is not on its \
                 machine: others could read what the load asks for; use tls://",
            ));
        }
        let portion = self.engaged.as_ref().and_then(|engaged| engaged.portion);
        let portion = portion.ok_or_else(|| Error::failed("it was given no share of the load"))?;
        (self.hands.fit)(&order.own_plan(portion))?;
        let setups = order.setups(&self.own.allowed, self.clock)?;
        if let Some(engaged) = &mut self.engaged {
            engaged.duty = Duty::Ready(setups, portion);
        }
        Ok(())
    }

    fn begin(&mut self, now: Nanos, at: Nanos) -> Result<()> {
        let Some(engaged) = &mut self.engaged else {
            return Ok(());
        };
        let Duty::Ready(setups, portion) = &mut engaged.duty else {
            return Err(Error::failed("it was told to begin before it was ready"));
        };
        let late = now.saturating_sub(at);
        if late > Nanos::ZERO {
            return Err(Error::failed(format!(
                "the order to begin came {:.1} ms after the beginning",
                late.as_millis_f64()
            )));
        }
        let clock = self.clock.with_zero_at(at);
        let (told, engagement) = (self.told.clone(), self.engagements);
        let updates = move |update| {
            // The agent outlives its threads; where it does not, nobody listens.
            let _ = told.send(ThreadReport {
                engagement,
                what: Telling::Update(update),
            });
        };
        let loading = Loading::start(
            setups,
            (*portion, engaged.lease),
            clock,
            &self.hands.watch,
            updates,
        )?;
        engaged.duty = Duty::Loads(Box::new(loading));
        self.said.push("the load begins".to_owned());
        Ok(())
    }

    fn command(&mut self, command: Command) {
        if let Some(loading) = self.loading() {
            loading.command(command);
        }
    }

    fn try_one(&mut self, number: u64, job: String) {
        let Some(engaged) = &mut self.engaged else {
            return;
        };
        if matches!(engaged.duty, Duty::Waits) {
            engaged.duty = Duty::Tries {
                stop: Arc::default(),
                under_way: 0,
            };
        }
        let Duty::Tries { stop, under_way } = &mut engaged.duty else {
            return self.report(&Report::Failed("it was given work in a load".to_owned()));
        };
        let refused = *under_way >= TRIES_MAX;
        let spawned = (!refused).then(|| {
            let (stop, told, engagement) = (Arc::clone(stop), self.told.clone(), self.engagements);
            let (try_one, cores) = (Arc::clone(&self.hands.try_one), self.own.machine.cores);
            let cores = usize::try_from(cores.max(1)).unwrap_or(1);
            thread::Builder::new()
                .name(format!("try-{number}"))
                .spawn(move || {
                    let result = carried_out(|| try_one(&job, cores, &stop));
                    let what = Telling::Tried { number, result };
                    let _ = told.send(ThreadReport { engagement, what });
                })
        });
        match spawned {
            Some(Ok(_)) => *under_way += 1,
            Some(Err(cause)) => self.report(&Report::Tried {
                number,
                result: Err(format!("there is no thread for it: {cause}")),
            }),
            None => self.report(&Report::Tried {
                number,
                result: Err("the agent has too much to do already".to_owned()),
            }),
        }
    }

    /// Tells the conductor what its threads told.
    fn tell(&mut self, what: Telling) {
        let report = match what {
            Telling::Update(Update::LoadEnded) => Report::LoadEnded,
            Telling::Update(Update::Finished) => {
                self.last_reading();
                self.said.push("the load has ended".to_owned());
                Report::Finished
            }
            Telling::Update(Update::FirstFailure(failure)) => Report::FirstFailure(failure),
            Telling::Update(Update::Slowest(operations)) => Report::Slowest(operations),
            Telling::Update(Update::Warning(text)) => Report::Warning(text),
            Telling::Update(Update::Failed(text)) => Report::Failed(text),
            // Counted already; generators tell no others.
            Telling::Update(Update::Sample(_) | Update::Happened(_)) => return,
            Telling::Tried { number, result } => {
                if let Some(Engaged {
                    duty: Duty::Tries { under_way, .. },
                    ..
                }) = &mut self.engaged
                {
                    *under_way = under_way.saturating_sub(1);
                }
                Report::Tried { number, result }
            }
        };
        self.report(&report);
    }

    /// What its machine did since it was read last comes before the end.
    fn last_reading(&mut self) {
        if let Some(loading) = self.loading() {
            let read = loading.last_reading();
            let mut samples = read.iter().map(SentSample::from).collect();
            self.count(&mut samples);
        }
    }

    fn count(&mut self, samples: &mut Vec<SentSample>) {
        if !samples.is_empty() {
            self.report(&Report::Samples(std::mem::take(samples)));
        }
    }

    fn report(&mut self, report: &Report) {
        let Some(engaged) = &mut self.engaged else {
            return;
        };
        let text = serde_json::to_vec(report).unwrap_or_default();
        if engaged.out.push(text).is_err() {
            self.let_go(
                "its deliveries were not acknowledged, and it holds no more",
                true,
            );
        }
    }

    /// Lets go of all that it does; `tell`: whether the conductor may not know.
    fn let_go(&mut self, reason: &str, tell: bool) {
        if let Some(loading) = self.loading() {
            loading.end(reason);
        }
        let Some(engaged) = self.engaged.take() else {
            return;
        };
        if tell {
            self.leave_to(&engaged.session, reason);
        }
        self.said.push(format!("let go: {reason}"));
    }

    fn leave_to(&mut self, session: &str, reason: &str) {
        let what = PacketKind::Leave {
            reason: reason.to_owned(),
        };
        self.packet(session.to_owned(), 0, what, Bytes::new());
    }

    fn send(&mut self, what: PacketKind, payload: Bytes) {
        let Some(engaged) = &mut self.engaged else {
            return;
        };
        engaged.owes_ack = false;
        let (session, through) = (engaged.session.clone(), engaged.inbox.through());
        self.packet(session, through, what, payload);
    }

    fn packet(&mut self, session: String, ack: u64, what: PacketKind, payload: Bytes) {
        let subject = session_subject(&session);
        let header = Header {
            v: VERSION,
            session,
            from: self.own.id.clone(),
            ack,
            what,
        };
        self.outgoing
            .push((subject, Packet { header, payload }.encode()));
    }

    /// Sends what is due.
    fn pump(&mut self, now: Nanos) {
        let Some(engaged) = &mut self.engaged else {
            return;
        };
        for piece in engaged.out.due(now) {
            let what = PacketKind::Piece {
                number: piece.number,
                last: piece.last,
            };
            self.send(what, piece.payload);
        }
        if self
            .engaged
            .as_ref()
            .is_some_and(|engaged| engaged.owes_ack)
        {
            self.send(PacketKind::Ack, Bytes::new());
        }
    }
}
