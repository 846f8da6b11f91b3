//! Agents and their conductor on a network in memory, in virtual time: what is lost, doubled
//! or cut off, who dies, and what becomes of it.

mod load;

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use rand::SeedableRng as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::load::{Voice, events};
use super::conducting::Conducting;
use super::order::Report;
use super::packet::{Call, Header, Packet, PacketKind, Presence, VERSION, presence};
use super::peer::PeerState;
use super::serving::{Hands, Own, Serving, ThreadReport};
use super::settings::OnAgentLost;
use super::stream::Outbox;
use super::work::{Work, WorkDone};
use crate::bounds::AGENT_OUTBOX_MAX;
use crate::clock::Clock;
use crate::load::{Command, Update};
use crate::record::{Event, MachineFacts};
use crate::rng::StdRng;
use crate::units::Nanos;

const LEASE: Nanos = Nanos::from_secs(4);
const STEP: Nanos = Nanos::from_millis(10);
/// How long a test goes on, by a real clock: work is done by real threads, and virtual time
/// runs while a busy machine has none for them.
const PATIENCE: Nanos = Nanos::from_secs(60);

/// An agent with what its threads tell.
struct Agent {
    serving: Serving,
    heard: UnboundedReceiver<ThreadReport>,
    /// Nothing comes or goes, and no time passes for it.
    dead: bool,
    /// Nothing comes or goes.
    cut_off: bool,
    subject: String,
}

fn agent(name: &str) -> Agent {
    let (told, heard) = unbounded_channel();
    let own = Own {
        id: format!("id-{name}"),
        name: name.into(),
        secure: true,
        allowed: Vec::new(),
        machine: MachineFacts {
            cores: 2,
            ..MachineFacts::default()
        },
        place: "here".into(),
    };
    let hands = Hands {
        fit: Arc::new(|_| Ok(())),
        try_one: Arc::new(|job: &str, _, _: &AtomicBool| {
            assert!(job != "panic", "as it is asked to");
            Ok(format!("did {job}"))
        }),
        watch: Arc::new(|_| None),
    };
    Agent {
        serving: Serving::new(own, Clock::start(), hands, told),
        heard,
        dead: false,
        cut_off: false,
        subject: super::packet::agent_subject(&format!("id-{name}")),
    }
}

fn presence_of(agent: &mut Agent) -> Presence {
    let call = Call {
        v: VERSION,
        sent_ns: Nanos(7),
    };
    let call = serde_json::to_vec(&call).unwrap();
    agent.serving.called(Nanos(9), &call, "answers".into());
    let (subject, answer) = agent.serving.outgoing().pop().unwrap();
    assert_eq!(subject, "answers");
    presence(&answer).unwrap()
}

/// A conductor, its agents, and the network between them.
struct Network {
    agents: Vec<Agent>,
    conducting: Conducting,
    now: Nanos,
    rng: StdRng,
    /// Of a hundred packets so many are lost, and as many doubled.
    bad: u32,
    /// The server is down: nothing passes.
    down: bool,
}

impl Network {
    fn of(names: &[&str], on_lost: OnAgentLost) -> Self {
        let mut agents: Vec<Agent> = names.iter().map(|name| agent(name)).collect();
        let present = agents.iter_mut().map(presence_of).collect();
        let how = (LEASE, on_lost);
        let conducting =
            Conducting::new("5e5510".into(), "a test".into(), how, present, Nanos::ZERO);
        Self {
            agents,
            conducting,
            now: Nanos::ZERO,
            rng: StdRng::seed_from_u64(1),
            bad: 0,
            down: false,
        }
    }

    /// How often a packet arrives.
    fn arrivals(&mut self) -> u32 {
        match self.rng.random_range(0..100) {
            luck if luck < self.bad => 0,
            luck if luck < 2 * self.bad => 2,
            _ => 1,
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        self.conducting.tick(now);
        for (subject, packet) in self.conducting.outgoing() {
            let times = self.arrivals();
            let place = self.agents.iter().position(|it| it.subject == subject);
            let agent = &mut self.agents[place.unwrap()];
            if !(agent.dead || agent.cut_off || self.down) {
                for _ in 0..times {
                    agent.serving.arrived(now, &packet);
                }
            }
        }
        for place in 0..self.agents.len() {
            let agent = &mut self.agents[place];
            if agent.dead {
                continue;
            }
            let mut told = Vec::new();
            while let Ok(one) = agent.heard.try_recv() {
                told.push(one);
            }
            agent.serving.told(now, told);
            agent.serving.tick(now);
            let cut_off = agent.cut_off || self.down;
            for (_, packet) in agent.serving.outgoing() {
                let times = self.arrivals();
                for _ in 0..times {
                    if !cut_off {
                        self.conducting.arrived(now, &packet);
                    }
                }
            }
        }
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let clock = Clock::start();
        while clock.now() < PATIENCE {
            if holds(self) {
                return;
            }
            self.step();
            // Work is done by threads of its own.
            std::thread::yield_now();
        }
        panic!("{what}: not within {:.0} s", self.now.as_secs_f64());
    }

    fn open(&mut self) {
        self.until("open", |it| it.conducting.are_open());
        assert_eq!(
            self.conducting.refused(),
            &[] as &[String],
            "after {}",
            self.now
        );
    }

    fn hand_out(&mut self, count: usize) -> Receiver<WorkDone> {
        let (tell, told) = channel();
        let jobs = (0..count).map(|place| place.to_string()).collect();
        self.conducting.hand_out(Work::new(jobs, tell));
        told
    }

    /// Goes on until so many pieces are done; each once, and as it is to be.
    fn all_done(&mut self, told: &Receiver<WorkDone>, count: usize) {
        let mut done = vec![false; count];
        let clock = Clock::start();
        while clock.now() < PATIENCE {
            for piece in told.try_iter() {
                match piece {
                    WorkDone::Piece { place, result } => {
                        assert_eq!(result, Ok(format!("did {place}")));
                        assert!(!std::mem::replace(&mut done[place], true), "{place} twice");
                    }
                    WorkDone::GivenUp(why) => panic!("{why}"),
                }
            }
            if done.iter().all(|done| *done) {
                return;
            }
            self.step();
            std::thread::yield_now();
        }
        panic!("not all is done: {done:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However much is lost on the way, and whichever agent dies when: every piece of work
    /// is done once.
    #[test]
    fn work_is_done_once_over_a_bad_network(
        seed: u64,
        bad in 0u32..35,
        dies in prop::option::of((0usize..3, 0usize..60)),
        count in 0usize..60,
    ) {
        let mut network = Network::of(&["a", "b", "c"], OnAgentLost::GoOn);
        network.rng = StdRng::seed_from_u64(seed);
        network.bad = bad;
        network.until("open", |it| it.conducting.are_open());
        // Who is not heard within a lease is not had: of the eight packets that open an agent in
        // that time a network this bad may lose each, or its answer. Somebody has to be left.
        let silent = network.conducting.refused();
        prop_assert!(silent.iter().all(|it| it.ends_with("nothing was heard of it for 4s")));
        prop_assume!(silent.len() + usize::from(dies.is_some()) < network.agents.len());
        let told = network.hand_out(count);
        if let Some((who, after)) = dies {
            for _ in 0..after {
                network.step();
            }
            network.agents[who].dead = true;
        }
        network.all_done(&told, count);
    }
}

#[test]
fn a_server_that_restarts_within_the_lease_costs_nothing() {
    let mut network = Network::of(&["a", "b"], OnAgentLost::Stop);
    network.open();
    let told = network.hand_out(40);
    network.down = true;
    for _ in 0..300 {
        network.step(); // three seconds
    }
    network.down = false;
    network.all_done(&told, 40);
    let lost = network
        .conducting
        .peers
        .iter()
        .any(|it| it.state == PeerState::Lost);
    assert!(!lost);
}

#[test]
fn who_is_cut_off_lets_go_by_himself_and_counts_as_lost() {
    let mut network = Network::of(&["a", "b"], OnAgentLost::GoOn);
    network.open();
    network.agents[0].cut_off = true;
    network.until("lost", |it| it.conducting.peers[0].state == PeerState::Lost);
    let late = network.now.saturating_sub(LEASE);
    assert!(late < Nanos::from_millis(700), "{late}");
    network.step();
    network.step();
    let said = network.agents[0].serving.said();
    assert!(
        said.iter()
            .any(|it| it.contains("nothing was heard of the conductor")),
        "{said:?}"
    );
    // It is free again, and the other goes on.
    network.agents[0].cut_off = false;
    assert_eq!(presence_of(&mut network.agents[0]).busy, None);
    let told = network.hand_out(5);
    network.all_done(&told, 5);
}

#[test]
fn a_conductor_that_dies_leaves_everybody_free() {
    let mut network = Network::of(&["a", "b"], OnAgentLost::GoOn);
    network.open();
    assert!(presence_of(&mut network.agents[0]).busy.is_some());
    let died = network.now;
    // Nothing is heard of it any more.
    while network.now < died + LEASE + STEP * 60 {
        network.now += STEP;
        for agent in &mut network.agents {
            agent.serving.tick(network.now);
        }
    }
    for agent in &mut network.agents {
        assert_eq!(presence_of(agent).busy, None);
    }
}

#[test]
fn old_packets_do_not_bring_a_lease_back() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    // It stood still for longer than its lease, and a ping of before waits for it.
    let voice = Voice::of("a");
    let ping = PacketKind::Ping {
        sent_ns: network.now,
    };
    let mut packet = Packet::decode(&voice.packet(ping, Bytes::new())).unwrap();
    packet.header.from = String::new();
    let later = network.now + LEASE + STEP;
    let serving = &mut network.agents[0].serving;
    serving.arrived(later, &packet.encode());
    let sent = serving.outgoing();
    let kinds = sent
        .iter()
        .map(|(_, it)| Packet::decode(it).unwrap().header.what);
    let kinds: Vec<PacketKind> = kinds.collect();
    assert!(
        kinds
            .iter()
            .all(|kind| matches!(kind, PacketKind::Leave { .. })),
        "{kinds:?}"
    );
    assert_eq!(presence_of(&mut network.agents[0]).busy, None);
}

#[test]
fn an_agent_is_engaged_by_one_at_a_time() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    let other = Packet {
        header: Header {
            v: VERSION,
            session: "other".into(),
            from: String::new(),
            ack: 0,
            what: PacketKind::Open {
                lease_ns: LEASE,
                purpose: "another\nload".into(),
            },
        },
        payload: Bytes::new(),
    };
    network.agents[0]
        .serving
        .arrived(network.now, &other.encode());
    let (subject, packet) = network.agents[0].serving.outgoing().pop().unwrap();
    assert!(subject.ends_with("session.other"));
    let PacketKind::Leave { reason } = Packet::decode(&packet).unwrap().header.what else {
        panic!("{packet:?}");
    };
    assert!(reason.contains("engaged already: a test"), "{reason}");
    // The first knows nothing of it.
    let told = network.hand_out(3);
    network.all_done(&told, 3);
    // A server restarts, and the agent with it: what it knew is gone.
    network.agents[0] = agent("a");
    let before = network.now;
    network.until("lost", |it| it.conducting.peers[0].state == PeerState::Lost);
    let after = network.now.saturating_sub(before);
    assert!(after < Nanos::from_secs(1), "{after}");
}

#[test]
fn who_is_lost_before_the_load_begins_sends_nothing_of_its_share() {
    let mut network = Network::of(&["a", "b"], OnAgentLost::GoOn);
    network.open();
    network.agents[1].dead = true;
    network.until("lost", |it| it.conducting.peers[1].state == PeerState::Lost);
    let heard = Arc::new(Mutex::new(Vec::<Update>::new()));
    let telling = Arc::clone(&heard);
    let tell = Box::new(move |update: Update| telling.lock().unwrap().push(update));
    let (now, zero) = (network.now, network.now + Nanos::from_secs(1));
    network.conducting.begin(now, zero, (2, 3), tell);
    let told = heard.lock().unwrap();
    let [Event::AgentsBegan { agents }, Event::AgentLost(lost)] = events(&told)[..] else {
        panic!("{told:?}");
    };
    assert_eq!(agents.len(), 2);
    assert_eq!((lost.agent.as_str(), lost.from), ("b", Nanos::ZERO));
    // At each of three places one of two threads.
    assert_eq!((lost.threads, lost.of_threads), (3, 6));
}

#[test]
fn work_for_which_nobody_is_left_is_given_up_at_once() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    network.agents[0].dead = true;
    network.until("lost", |it| it.conducting.peers[0].state == PeerState::Lost);
    let told = network.hand_out(2);
    match told.try_recv() {
        Ok(WorkDone::GivenUp(why)) => {
            let expected = "no agent is left (a: nothing was heard of it";
            assert!(why.starts_with(expected), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn work_that_panics_comes_back_as_a_failure() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    let (tell, told) = channel();
    let work = Work::new(vec!["panic".to_owned()], tell);
    network.conducting.hand_out(work);
    let clock = Clock::start();
    while clock.now() < PATIENCE {
        match told.try_recv() {
            Ok(WorkDone::Piece { place: 0, result }) => {
                assert!(result.unwrap_err().contains("a bug"));
                return;
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => network.step(),
        }
        std::thread::yield_now();
    }
    panic!("nothing came back");
}

/// More than the conductor holds for an agent.
fn filled(network: &mut Network) {
    let filler = vec![0_u8; AGENT_OUTBOX_MAX + 1];
    network.conducting.peers[0].out.push(filler).unwrap();
}

#[test]
fn work_waits_for_an_agent_that_holds_too_much() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    filled(&mut network);
    let told = network.hand_out(3);
    assert!(network.conducting.peers[0].tries.is_empty());
    // There is room again.
    network.conducting.peers[0].out = Outbox::default();
    network.all_done(&told, 3);
}

#[test]
fn an_agent_that_takes_no_order_any_more_is_lost() {
    let mut network = Network::of(&["a", "b"], OnAgentLost::GoOn);
    network.open();
    filled(&mut network);
    let now = network.now;
    network.conducting.command(now, Command::Stop);
    let peers = &network.conducting.peers;
    assert_eq!(peers[0].state, PeerState::Lost);
    assert_eq!(peers[1].state, PeerState::Open);
}

#[test]
fn work_that_was_not_handed_out_is_not_done() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    network.agents[0].dead = true;
    let told = network.hand_out(5);
    // It has two of them, and tells of the last.
    let mut voice = Voice::of("a");
    let tried = |number| Report::Tried {
        number,
        result: Ok("made up".into()),
    };
    let now = network.now;
    voice.say(&mut network.conducting, now, &[tried(4), tried(u64::MAX)]);
    assert!(told.try_recv().is_err());
    voice.say(&mut network.conducting, now, &[tried(0)]);
    let first = WorkDone::Piece {
        place: 0,
        result: Ok("made up".into()),
    };
    assert_eq!(told.try_recv(), Ok(first));
}

#[test]
fn what_an_agent_says_is_shown_in_bounds_and_without_control_letters() {
    let mut network = Network::of(&["a"], OnAgentLost::GoOn);
    network.open();
    let reason = "gone\u{1b}[2J\n".repeat(500);
    let leave = Voice::of("a").packet(PacketKind::Leave { reason }, Bytes::new());
    let now = network.now;
    network.conducting.arrived(now, &leave);
    let refused = network.conducting.refused().concat();
    assert!(refused.starts_with("a: gone[2Jgone[2J"), "{refused}");
    assert!(refused.len() < 1_100, "{}", refused.len());
}
