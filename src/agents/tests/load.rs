//! What agents tell of a load, by voices made by hand: counted once, and a share that is lost
//! told from where it is known.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::super::conducting::Conducting;
use super::super::order::{LoadOrder, Order, Report};
use super::super::packet::{Header, Packet, PacketKind, VERSION};
use super::super::sent::SentSample;
use super::super::settings::OnAgentLost;
use super::super::stream::{Inbox, Outbox, Piece};
use super::{Agent, LEASE, agent, presence_of};
use crate::clock::Clock;
use crate::load::{Endpoint, Setup, Update, Work};
use crate::model::{HttpWork, SourceName, Step};
use crate::plan::{Plan, Portion};
use crate::record::{AttemptCounters, Counters, Event, GeneratorCounters, Sample};
use crate::units::Nanos;

/// What an agent of a load would send, made by hand.
pub(super) struct Voice {
    id: String,
    out: Outbox,
    inbox: Inbox,
}

impl Voice {
    pub(super) fn of(name: &str) -> Self {
        Self {
            id: format!("id-{name}"),
            out: Outbox::default(),
            inbox: Inbox::default(),
        }
    }

    pub(super) fn packet(&self, what: PacketKind, payload: Bytes) -> Bytes {
        let header = Header {
            v: VERSION,
            session: "5e5510".into(),
            from: self.id.clone(),
            ack: self.inbox.through(),
            what,
        };
        Packet { header, payload }.encode()
    }

    pub(super) fn say(&mut self, conducting: &mut Conducting, now: Nanos, reports: &[Report]) {
        for report in reports {
            self.out.push(serde_json::to_vec(report).unwrap()).unwrap();
        }
        for Piece {
            number,
            last,
            payload,
        } in self.out.due(now)
        {
            let packet = self.packet(PacketKind::Piece { number, last }, payload);
            // Each twice: none counts again.
            conducting.arrived(now, &packet);
            conducting.arrived(now, &packet);
        }
        self.out.acknowledged(u64::MAX);
    }
}

/// What one thread of an agent tells of a second.
fn of_thread(number: u64, tries: u64) -> [Sample; 2] {
    let sample = |source, counters| Sample {
        from: Nanos::from_secs(number),
        to: Nanos::from_secs(number + 1),
        source,
        counters,
        histograms: Vec::new(),
    };
    let attempts = AttemptCounters {
        first_tries: tries,
        ..AttemptCounters::default()
    };
    let generator = GeneratorCounters {
        threads: 1,
        cpu_ns: 200_000_000,
        ..GeneratorCounters::default()
    };
    [
        sample(SourceName::User, Counters::Attempts(attempts)),
        sample(SourceName::Generator, Counters::Generator(generator)),
    ]
}

/// What so many threads of an agent tell of a second.
fn second(number: u64, threads: usize, tries: u64) -> Report {
    let all = (0..threads).flat_map(|_| of_thread(number, tries));
    Report::Samples(all.map(|sample| SentSample::from(&sample)).collect())
}

/// A load of two agents with two threads each, the second of which is not heard of after
/// three seconds; of the fourth only one of its threads has told.
fn told(on_lost: OnAgentLost) -> Vec<Update> {
    let names = ["a", "b"];
    let mut present: Vec<Agent> = names.iter().map(|name| agent(name)).collect();
    let present = present.iter_mut().map(presence_of).collect();
    let how = (LEASE, on_lost);
    let mut conducting = Conducting::new("5e5510".into(), "x".into(), how, present, Nanos::ZERO);
    let mut voices = names.map(Voice::of);
    for (voice, ahead) in voices.iter().zip([5_000_000_000u64, 9_000_000_000]) {
        conducting.arrived(Nanos(10), &voice.packet(PacketKind::Ack, Bytes::new()));
        for sent in [1_000_000u64, 30_000_000] {
            let pong = PacketKind::Pong {
                sent_ns: Nanos(sent),
                clock_ns: Nanos(sent + 100_000 + ahead),
            };
            let received = Nanos(sent + 200_000);
            conducting.arrived(received, &voice.packet(pong, Bytes::new()));
        }
    }
    assert!(conducting.are_open());
    let heard = Arc::new(Mutex::new(Vec::<Update>::new()));
    let telling = Arc::clone(&heard);
    let zero = Nanos::from_millis(40);
    let tell = Box::new(move |update: Update| telling.lock().unwrap().push(update));
    conducting.begin(Nanos::from_millis(35), zero, (4, 1), tell);
    let mut now = zero;
    let mut of_second = [2, 2, 2, 1].into_iter();
    for number in 0..12u64 {
        now += Nanos::from_secs(1);
        voices[0].say(&mut conducting, now, &[second(number, 2, 10)]);
        if let Some(threads) = of_second.next() {
            voices[1].say(&mut conducting, now, &[second(number, threads, 7)]);
        }
        conducting.tick(now);
    }
    voices[0].say(&mut conducting, now, &[Report::LoadEnded, Report::Finished]);
    assert!(conducting.has_finished());
    drop(conducting);
    Arc::into_inner(heard).unwrap().into_inner().unwrap()
}

pub(super) fn events(told: &[Update]) -> Vec<&Event> {
    let events = told.iter().filter_map(|update| match update {
        Update::Happened(event) => Some(event),
        _ => None,
    });
    events.collect()
}

#[test]
fn a_share_that_is_lost_counts_as_not_offered_from_where_it_is_known() {
    for on_lost in [OnAgentLost::GoOn, OnAgentLost::Stop] {
        let told = told(on_lost);
        let Event::AgentsBegan { agents } = events(&told)[0] else {
            panic!("{told:?}");
        };
        let shares: Vec<_> = agents
            .iter()
            .map(|it| (it.threads, it.of_threads))
            .collect();
        assert_eq!(shares, [(2, 4), (2, 4)]);
        let lost: Vec<_> = events(&told)
            .into_iter()
            .filter_map(|event| match event {
                Event::AgentLost(lost) => Some(lost),
                _ => None,
            })
            .collect();
        let [lost] = lost[..] else {
            panic!("{lost:?}");
        };
        assert_eq!((lost.agent.as_str(), lost.from), ("b", Nanos::from_secs(3)));
        assert_eq!((lost.threads, lost.of_threads, lost.missing), (2, 4, 0));
        assert_eq!(lost.stops, on_lost == OnAgentLost::Stop);
        assert!(
            lost.in_words()
                .contains("50 %, counts as not offered from 3.0 s on")
        );
    }
}

#[test]
fn deliveries_are_added_up_once_and_the_end_comes_last() {
    let told = told(OnAgentLost::GoOn);
    let tries = told.iter().filter_map(|update| match update {
        Update::Sample(Sample {
            counters: Counters::Attempts(counters),
            ..
        }) => Some(counters.first_tries),
        _ => None,
    });
    assert_eq!(tries.sum::<u64>(), 12 * 20 + 7 * 7);
    // Each agent's own threads, beside those of all.
    let busy = |agent: &str| -> u64 {
        let own = told.iter().filter_map(|update| match update {
            Update::Sample(sample) if sample.source.agent() == Some(agent) => Some(sample),
            _ => None,
        });
        let own = own.map(|sample| match sample.counters {
            Counters::Agent(counters) => counters.cpu_ns,
            _ => panic!("{sample:?}"),
        });
        own.sum()
    };
    assert_eq!((busy("a"), busy("b")), (24 * 200_000_000, 7 * 200_000_000));
    let place = |wanted: &dyn Fn(&Update) -> bool| told.iter().position(wanted).unwrap();
    let ended = place(&|it| *it == Update::LoadEnded);
    let measured = place(&|it| matches!(it, Update::Happened(Event::AgentsEnded { .. })));
    assert!(ended < measured && measured + 2 == told.len());
    assert_eq!(told.last(), Some(&Update::Finished));
    let Update::Happened(Event::AgentsEnded { agents }) = &told[measured] else {
        panic!("{told:?}");
    };
    let [a, b] = agents.as_slice() else {
        panic!("{agents:?}");
    };
    assert_eq!((a.skew_ns, b.skew_ns, a.round_trips), (0, 0, 2));
    assert!((100_000..150_000).contains(&a.skew_bound_ns), "{a:?}");
    // The last comes once more after the end.
    assert_eq!((a.deliveries, a.repeated), (14, 13));
    assert_eq!((b.deliveries, b.repeated), (4, 4));
}

#[test]
fn each_agent_learns_its_own_share_and_the_load_is_held_once() {
    let names = ["a", "b"];
    let mut present: Vec<Agent> = names.iter().map(|name| agent(name)).collect();
    let present = present.iter_mut().map(presence_of).collect();
    let how = (LEASE, OnAgentLost::GoOn);
    let mut conducting = Conducting::new("5e5510".into(), "x".into(), how, present, Nanos::ZERO);
    for name in names {
        let ack = Voice::of(name).packet(PacketKind::Ack, Bytes::new());
        conducting.arrived(Nanos(10), &ack);
    }
    let clock = Clock::start();
    let setup = Setup {
        plan: Plan::default(),
        endpoint: Endpoint::from(SocketAddr::from(([127, 0, 0, 1], 8))),
        work: Work::Http {
            host: "127.0.0.1:8".into(),
            work: HttpWork::single("GET /".into(), Step::new("GET", "/")),
        },
        clock,
    };
    let order = LoadOrder::of(&[(setup, 1)], &[]).unwrap();
    conducting.prepare(Nanos(20), Box::new(order));
    let mut held = Vec::new();
    for (index, peer) in (0..).zip(&mut conducting.peers) {
        let mut inbox = Inbox::default();
        let pieces = peer.out.due(Nanos(30)).into_iter();
        let messages: Vec<Vec<u8>> = pieces.flat_map(|it| inbox.take(it).unwrap()).collect();
        let orders = messages
            .iter()
            .map(|it| serde_json::from_slice(it).unwrap());
        let orders: Vec<Order> = orders.collect();
        let [Order::Share(portion), Order::Load(_)] = orders.as_slice() else {
            panic!("{orders:?}");
        };
        assert_eq!(*portion, Portion { index, of: 2 });
        // Sent again, the same bytes are.
        let again = peer.out.due(Nanos::from_secs(9));
        held.push(again.last().unwrap().payload.as_ptr());
    }
    assert_eq!(held[0], held[1]);
}
