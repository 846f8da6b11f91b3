//! The conductor's side: finds agents, engages some, and has them send a load or do work.
//!
//! The connection has a thread of its own. Whoever conducts talks to it through a queue, and
//! hears of the load as of any generator.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::agent::place;
use super::conducting::Conducting;
use super::link::{Link, Subscription, Unconnected};
use super::offset::{ClockOffset, Estimate};
use super::order::{LoadOrder, only_here};
use super::packet::{self, CALL_SUBJECT, Call, Presence, VERSION, session_subject};
use super::settings::{Engagement, NatsServer};
use super::work::{Work, WorkDone};
use crate::bounds::AGENTS_MAX;
use crate::clock::Clock;
use crate::error::{EXIT_INTERRUPTED, Error, Kind, Result};
use crate::load::{Command, LoadSource, Sending, Setup, Tell};
use crate::units::{Nanos, counted};

/// Who is there is asked so often, which measures their clocks too.
const CALLS: u32 = 20;
const CALL_EVERY: Duration = Duration::from_millis(50);
/// For so long answers are heard before the next call, whoever sends how many.
const HEARD_FOR: Nanos = Nanos::from_millis(40);
/// Calls after which as many as are wanted are enough.
const CALLS_LEAST: u32 = 6;
/// So often what is due is looked for.
const TICK: Duration = Duration::from_millis(10);
/// How long agents may take to answer whoever engages them: they have answered a call just now.
const OPEN_WITHIN: Nanos = Nanos::from_secs(10);
/// How long clocks are measured before a load begins.
const MEASURED_FOR: Nanos = Nanos::from_millis(600);
/// How long agents may take to make ready: names are looked up, threads are not started yet.
const READY_WITHIN: Nanos = Nanos::from_secs(30);
/// How far ahead a load begins: the order to begin is sent once more after half a second.
const LEAD: Nanos = Nanos::from_millis(1_200);
/// How long the end of a session may take to be told.
const END_WITHIN: Duration = Duration::from_secs(2);

/// An agent that is there, and how far its clock is ahead of this program's.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it says of itself.
    pub presence: Presence,
    /// Its clock; none where it answered no call in time.
    pub offset: Option<Estimate>,
}

/// Agents that are engaged, until this is dropped.
pub struct Engaged {
    asks: UnboundedSender<Ask>,
    thread: Option<JoinHandle<()>>,
    agents: Vec<Presence>,
    engagement: Engagement,
}

/// What the connection's thread is asked for.
enum Ask {
    Prepare(Box<LoadOrder>, Sender<Result<Nanos>>),
    Begin {
        /// By `CLOCK_MONOTONIC`.
        zero: u64,
        threads: u32,
        places: u32,
        tell: Tell,
        finished: Sender<()>,
    },
    Command(Command),
    HandOut(Vec<String>, Sender<WorkDone>),
    End,
}

/// Finds out who is there.
///
/// # Errors
///
/// Where the server is not there, or does not let this program in.
pub fn find(server: &NatsServer) -> Result<Vec<Found>> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| no_thread(&cause))?;
    runtime.block_on(async {
        let link = Link::connect(server, "threadbare").await;
        let link = link.map_err(Unconnected::error)?;
        call(&link, Clock::start(), None).await
    })
}

fn no_thread(cause: &dyn std::fmt::Display) -> Error {
    Error::unfit(format!(
        "failed to start the thread that talks to the NATS server: {cause}"
    ))
}

/// Calls agents, for a second; until so many are there that can be engaged.
async fn call(link: &Link, clock: Clock, wanted: Option<usize>) -> Result<Vec<Found>> {
    let answers = link.own_subject();
    let mut heard = link.subscribe(answers.clone()).await?;
    let mut found: BTreeMap<String, (Presence, ClockOffset)> = BTreeMap::new();
    let mut calls = interval(CALL_EVERY);
    for number in 0..=CALLS {
        calls.tick().await;
        let free = found.values().filter(|(it, _)| unfit(it, true).is_none());
        if wanted.is_some_and(|wanted| free.count() >= wanted && number >= CALLS_LEAST) {
            break;
        }
        if number < CALLS {
            let call = Call {
                v: VERSION,
                sent_ns: clock.now(),
            };
            let text = serde_json::to_vec(&call).unwrap_or_default();
            link.ask(CALL_SUBJECT.to_owned(), answers.clone(), text.into())
                .await;
        }
        let end = clock.now() + HEARD_FOR;
        while clock.now() < end
            && let Ok(Some(message)) = timeout(CALL_EVERY / 2, heard.next()).await
        {
            let received = clock.now();
            // A server says so where nobody hears calls.
            let Ok(presence) = packet::presence(&message.payload) else {
                continue;
            };
            if found.len() >= AGENTS_MAX && !found.contains_key(&presence.id) {
                continue;
            }
            let known = found
                .entry(presence.id.clone())
                .or_insert_with(|| (presence.clone(), ClockOffset::default()));
            let (sent, there) = (presence.sent_ns, presence.clock_ns);
            known.1.round_trip(sent, there, received);
            known.0 = presence;
        }
    }
    let now = clock.now();
    let mut found: Vec<Found> = found
        .into_values()
        .map(|(presence, offset)| Found {
            offset: offset.at(now),
            presence,
        })
        .collect();
    found.sort_by(|one, other| {
        let key = |found: &Found| (found.presence.name.clone(), found.presence.id.clone());
        key(one).cmp(&key(other))
    });
    Ok(found)
}

/// Why an agent cannot be engaged, in a clause; `load`: for a load, which holds secrets.
fn unfit(agent: &Presence, load: bool) -> Option<String> {
    let own = env!("CARGO_PKG_VERSION");
    if agent.v != VERSION || agent.version != own {
        return Some(format!("is version {}, and this is {own}", agent.version));
    }
    if let Some(busy) = &agent.busy {
        return Some(format!("is busy: {busy}"));
    }
    (load && !agent.secure).then(|| {
        "reaches the NATS server over a connection that others can read, so it may be told no \
         request; use tls://"
            .to_owned()
    })
}

/// Those that are engaged, of those that are there.
///
/// # Errors
///
/// Where there are not enough.
fn chosen(found: Vec<Found>, engagement: &Engagement, load: bool) -> Result<Vec<Presence>> {
    let mut why = Vec::new();
    let mut free = Vec::new();
    for Found { presence, .. } in found {
        match unfit(&presence, load) {
            None => free.push(presence),
            Some(reason) => why.push(format!("{} {reason}", presence.name)),
        }
    }
    let wanted = engagement.agents.map(|wanted| wanted as usize);
    if free.len() < wanted.unwrap_or(1) {
        let wanted = wanted.map_or_else(String::new, |wanted| {
            format!(", and {} wanted", are(wanted as u64))
        });
        let why = if why.is_empty() {
            "; start more with `threadbare agent`".to_owned()
        } else {
            format!("; {}", why.join("; "))
        };
        return Err(Error::unfit(format!(
            "{} free at {}{wanted}{why}",
            are(free.len() as u64),
            engagement.server.address()
        )));
    }
    free.truncate(wanted.unwrap_or(usize::MAX));
    if let Some(pair) = free.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::unfit(format!(
            "two agents are called {}, so nobody could tell which of them failed; give each its \
             own --name",
            pair[0].name
        )));
    }
    Ok(free)
}

fn are(count: u64) -> String {
    let are = if count == 1 { "is" } else { "are" };
    format!("{} {are}", counted(count, "agent"))
}

impl Engaged {
    /// Engages agents for a load.
    ///
    /// # Errors
    ///
    /// Where the server is not there, there are too few agents, or what the load asks for
    /// could be read by others.
    pub fn for_load(engagement: &Engagement, purpose: &str) -> Result<Self> {
        if !engagement.server.is_secure() {
            return Err(Error::usage(format!(
                "what a load asks for may be secret, and {} is neither encrypted nor on this \
                 machine; use tls://",
                engagement.server.address()
            )));
        }
        Self::engage(engagement, purpose, true)
    }

    /// Engages agents for work that holds no secrets.
    ///
    /// # Errors
    ///
    /// Where the server is not there, or there are too few agents.
    pub fn for_work(engagement: &Engagement, purpose: &str) -> Result<Self> {
        Self::engage(engagement, purpose, false)
    }

    fn engage(engagement: &Engagement, purpose: &str, load: bool) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| no_thread(&cause))?;
        let (asks, asked) = unbounded_channel();
        let (engaged, told) = mpsc::channel();
        let own = engagement.clone();
        let purpose = purpose.to_owned();
        let thread = thread::Builder::new()
            .name("agents".into())
            .spawn(move || {
                runtime.block_on(async {
                    match begin(&own, purpose, load).await {
                        Ok(session) => {
                            let agents = session.agents();
                            // Who engages waits for this.
                            let _ = engaged.send(Ok(agents));
                            session.conduct(asked).await;
                        }
                        Err(error) => _ = engaged.send(Err(error)),
                    }
                });
                runtime.shutdown_background();
            })
            .map_err(|cause| no_thread(&cause))?;
        let agents = told.recv().unwrap_or_else(|_| Err(ended()))?;
        Ok(Self {
            asks,
            thread: Some(thread),
            agents,
            engagement: engagement.clone(),
        })
    }

    /// How many they are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.agents.len()).unwrap_or(u32::MAX)
    }

    /// Has all these done by whoever is free, each once: the result of them, in their order.
    /// `progress` is told how many are done, and may ask for an end.
    ///
    /// # Errors
    ///
    /// The first that came to nothing; that nobody is left, or an end was asked for.
    pub fn work(
        &self,
        jobs: Vec<String>,
        progress: &dyn Fn(usize, usize) -> bool,
    ) -> Result<Vec<String>> {
        let all = jobs.len();
        let (tell, told) = mpsc::channel();
        self.asks
            .send(Ask::HandOut(jobs, tell))
            .map_err(|_| ended())?;
        let mut results: Vec<Option<String>> = vec![None; all];
        for done in 1..=all {
            let piece = loop {
                match told.recv_timeout(Duration::from_millis(200)) {
                    Ok(piece) => break piece,
                    Err(mpsc::RecvTimeoutError::Timeout) if progress(done - 1, all) => {}
                    Err(mpsc::RecvTimeoutError::Timeout) => return Err(interrupted()),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return Err(ended()),
                }
            };
            match piece {
                WorkDone::Piece { place, result } => {
                    results[place] = Some(result.map_err(Error::failed)?);
                }
                WorkDone::GivenUp(why) => return Err(Error::failed(why)),
            }
            if !progress(done, all) {
                return Err(interrupted());
            }
        }
        results.into_iter().map(|it| it.ok_or_else(ended)).collect()
    }
}

fn ended() -> Error {
    Error::failed("the thread that talks to the agents has ended, which is a bug of threadbare")
}

fn interrupted() -> Error {
    let kind = Kind::Interrupted {
        signal: EXIT_INTERRUPTED - 128,
    };
    Error::new(kind, "interrupted; nothing was written")
}

impl Drop for Engaged {
    fn drop(&mut self) {
        let _ = self.asks.send(Ask::End);
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already.
            let _ = thread.join();
        }
    }
}

impl LoadSource for Engaged {
    fn prepare(&mut self, targets: &[(Setup, u32)]) -> Result<()> {
        let order = LoadOrder::of(targets, &self.engagement.allowed)?;
        if let Some(address) = only_here(targets) {
            let here = place();
            let mut elsewhere = self.agents.iter().filter(|agent| agent.place != here);
            if let Some(agent) = elsewhere.next() {
                return Err(Error::usage(format!(
                    "the load goes to {address}, which is this machine's alone, and the agent {} \
                     runs elsewhere; name the target by an address that all of them reach, or use \
                     agents on this machine",
                    agent.name
                )));
            }
        }
        let (tell, told) = mpsc::channel();
        self.asks
            .send(Ask::Prepare(Box::new(order), tell))
            .map_err(|_| ended())?;
        told.recv().unwrap_or_else(|_| Err(ended()))?;
        Ok(())
    }

    fn lead(&self) -> Nanos {
        LEAD
    }

    fn patience(&self) -> Nanos {
        // One that is cut off at the end counts as lost after its lease.
        self.engagement.lease + Nanos::from_secs(5)
    }

    fn start(&mut self, targets: &[(Setup, u32)], tell: Tell) -> Result<Box<dyn Sending>> {
        let (first, _) = targets.first().ok_or_else(ended)?;
        let (finished, has_finished) = mpsc::channel();
        let begin = Ask::Begin {
            zero: first.clock.origin(),
            threads: first.plan.load.drive.threads,
            places: u32::try_from(targets.len()).unwrap_or(u32::MAX),
            tell,
            finished,
        };
        self.asks.send(begin).map_err(|_| ended())?;
        Ok(Box::new(SentByAgents {
            asks: self.asks.clone(),
            finished: has_finished,
        }))
    }
}

/// A load that agents send.
struct SentByAgents {
    asks: UnboundedSender<Ask>,
    finished: Receiver<()>,
}

impl Sending for SentByAgents {
    fn command(&self, command: Command) {
        let _ = self.asks.send(Ask::Command(command));
    }

    fn join(self: Box<Self>) -> Result<()> {
        // The other end is dropped where its thread ends.
        self.finished.recv().map_err(|_| ended())
    }
}

impl Drop for SentByAgents {
    fn drop(&mut self) {
        // Without effect once it has finished.
        let _ = self.asks.send(Ask::Command(Command::Stop));
    }
}

/// The connection and its session.
struct Session {
    link: Link,
    packets: Subscription,
    clock: Clock,
    conducting: Conducting,
    finished: Option<Sender<()>>,
}

/// Engages agents, and measures their clocks.
async fn begin(engagement: &Engagement, purpose: String, load: bool) -> Result<Session> {
    let clock = Clock::start();
    let link = Link::connect(&engagement.server, "threadbare").await;
    let link = link.map_err(Unconnected::error)?;
    let wanted = engagement.agents.map(|wanted| wanted as usize);
    let found = call(&link, clock, wanted).await?;
    let agents = chosen(found, engagement, load)?;
    let id = format!("{:032x}", rand::random::<u128>());
    let packets = link.subscribe(session_subject(&id)).await?;
    let how = (engagement.lease, engagement.on_lost);
    let mut session = Session {
        conducting: Conducting::new(id, purpose, how, agents, clock.now()),
        link,
        packets,
        clock,
        finished: None,
    };
    let within = engagement.lease.min(OPEN_WITHIN);
    let opened = session.until(within, Conducting::are_open).await;
    session.check(opened, "did not answer")?;
    if load {
        session.until(MEASURED_FOR, |_| false).await;
    }
    Ok(session)
}

impl Session {
    fn agents(&self) -> Vec<Presence> {
        let peers = self.conducting.peers.iter();
        peers.map(|peer| peer.presence.clone()).collect()
    }

    /// Does what is due until something holds; whether it does, in time.
    async fn until(&mut self, within: Nanos, holds: impl Fn(&Conducting) -> bool) -> bool {
        let end = self.clock.now() + within;
        let mut ticks = interval(TICK);
        loop {
            if holds(&self.conducting) {
                return true;
            }
            if self.clock.now() >= end {
                return false;
            }
            tokio::select! {
                biased;
                packet = self.packets.next() => match packet {
                    Some(packet) => self.arrived(&packet.payload),
                    None => return false,
                },
                _ = ticks.tick() => self.conducting.tick(self.clock.now()),
            }
            self.publish().await;
        }
    }

    /// Whether every agent is there as it should.
    fn check(&self, in_time: bool, otherwise: &str) -> Result<()> {
        match self.conducting.refused() {
            [] if in_time => Ok(()),
            [] => Err(Error::unfit(format!("an agent {otherwise} in time"))),
            refused => Err(Error::unfit(format!(
                "agents cannot be had: {}",
                refused.join("; ")
            ))),
        }
    }

    fn arrived(&mut self, payload: &Bytes) {
        self.conducting.arrived(self.clock.now(), payload);
    }

    async fn publish(&mut self) {
        for (subject, payload) in self.conducting.outgoing() {
            if !self.link.publish(subject, payload).await {
                break; // what has to arrive is sent again
            }
        }
    }

    /// Does what it is asked for, until the end.
    async fn conduct(mut self, mut asked: UnboundedReceiver<Ask>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                packet = self.packets.next() => match packet {
                    Some(packet) => self.arrived(&packet.payload),
                    None => break,
                },
                ask = asked.recv() => match ask {
                    None | Some(Ask::End) => break,
                    Some(ask) => self.asked(ask).await,
                },
                _ = ticks.tick() => self.conducting.tick(self.clock.now()),
            }
            self.publish().await;
            if self.conducting.has_finished()
                && let Some(finished) = self.finished.take()
            {
                // Whoever waits for it may have gone.
                let _ = finished.send(());
            }
        }
        self.conducting.leave("the conductor has ended");
        let end = async {
            self.publish().await;
            self.link.flush().await;
        };
        let _ = timeout(END_WITHIN, end).await;
    }

    async fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Prepare(order, tell) => {
                self.conducting.prepare(self.clock.now(), order);
                let ready = self.until(READY_WITHIN, Conducting::are_ready).await;
                let checked = self.check(ready, "did not make ready");
                let _ = tell.send(checked.map(|()| self.conducting.round_trip()));
            }
            Ask::Begin {
                zero,
                threads,
                places,
                tell,
                finished,
            } => {
                let zero = Nanos(zero.saturating_sub(self.clock.origin()));
                self.finished = Some(finished);
                let now = self.clock.now();
                self.conducting.begin(now, zero, (threads, places), tell);
            }
            Ask::Command(command) => self.conducting.command(self.clock.now(), command),
            Ask::HandOut(jobs, tell) => self.conducting.hand_out(Work::new(jobs, tell)),
            Ask::End => {}
        }
    }
}
