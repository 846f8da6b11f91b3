//! Faults of connections.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use threadbare::model::fault::Mode;

use super::peers::{connect, end_of, eventually, fault, proxy, round, target};
use crate::echo::echo;

/// Sends `bytes` through an echo and gives what came back up to the end.
fn through(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            writer.write_all(bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let (back, ended) = end_of(&mut stream);
        assert_eq!(ended, None);
        back
    })
}

fn harmless() -> impl Strategy<Value = Value> {
    let kinds = prop_oneof![
        (0u64..5, 0u64..5).prop_map(|(latency, jitter)| (
            "latency",
            json!({ "latency": latency, "jitter": jitter })
        )),
        (2_000u64..50_000).prop_map(|rate| ("bandwidth", json!({ "rate": rate }))),
        (1_000u64..9_000, 0u64..1_000, 0u64..50).prop_map(|(size, variation, delay)| (
            "slicer",
            json!({ "average_size": size, "size_variation": variation, "delay": delay })
        )),
        (0u64..20).prop_map(|delay| ("slow_close", json!({ "delay": delay }))),
        (0u64..5, 1u64..20)
            .prop_map(|(delay, lasts)| ("stall", json!({ "delay": delay, "for": lasts }))),
    ];
    (kinds, any::<bool>()).prop_map(|((kind, attributes), up)| {
        let stream = if up { "upstream" } else { "downstream" };
        json!({ "type": kind, "stream": stream, "attributes": attributes })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// Faults that must not change bytes change none, also where they change on the way.
    #[test]
    fn every_byte_arrives(
        faults in prop::collection::vec(harmless(), 0..4),
        length in prop_oneof![0usize..100, 1_000usize..300_000],
        seed in any::<u32>(),
        undone in any::<bool>(),
    ) {
        let proxy = proxy(echo(), Mode::Tcp);
        let (first, late) = faults.split_at(faults.len() / 2);
        for own in first {
            proxy.inject(fault(own)).unwrap();
        }
        let bytes: Vec<u8> = (0..length)
            .map(|n| (n as u64).wrapping_mul(u64::from(seed | 1)).to_le_bytes()[2])
            .collect();
        let stream = connect(proxy.address());
        let back = thread::scope(|scope| {
            let carried = scope.spawn(|| through(stream, &bytes));
            for own in late {
                proxy.inject(fault(own)).unwrap();
            }
            if undone {
                proxy.clear();
            }
            carried.join().unwrap()
        });
        prop_assert!(back == bytes, "{} bytes of {}", back.len(), bytes.len());
    }
}

#[test]
fn more_than_a_pipe_holds_passes_to_a_slow_reader() {
    let proxy = proxy(echo(), Mode::Tcp);
    let bytes: Vec<u8> = (0..20_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    assert!(through(connect(proxy.address()), &bytes) == bytes);
    let counters = proxy.counters();
    assert_eq!(counters.bytes_upstream, 20_000_000);
    assert_eq!(counters.bytes_downstream, 20_000_000);
}

#[test]
fn a_latency_is_at_least_its_length_and_goes_with_its_fault() {
    let proxy = proxy(echo(), Mode::Tcp);
    let mut stream = connect(proxy.address());
    round(&mut stream);
    let late = json!({ "type": "latency", "attributes": { "latency": 80 } });
    proxy.inject(fault(&late)).unwrap();
    let began = Instant::now();
    round(&mut stream);
    assert!(began.elapsed() >= Duration::from_millis(80));
    // What waits for an hour goes on with the undo.
    let hour = json!({ "type": "latency", "attributes": { "latency": 3_600_000 } });
    proxy.inject(fault(&hour)).unwrap();
    stream.write_all(b"x").unwrap();
    eventually("the byte at the target", || {
        proxy.counters().bytes_upstream == 3
    });
    assert!(proxy.undo("latency_downstream"));
    assert!(!proxy.undo("latency_downstream"));
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_fault_meets_all_that_are_open_at_one_instant() {
    let proxy = proxy(echo(), Mode::Tcp);
    let mut streams: Vec<TcpStream> = (0..64).map(|_| connect(proxy.address())).collect();
    streams.iter_mut().for_each(round);
    // Idle connections feel it too: nobody sends a byte.
    proxy
        .inject(fault(&json!({ "type": "reset_peer" })))
        .unwrap();
    for stream in &mut streams {
        assert_eq!(end_of(stream), (vec![], Some(ErrorKind::ConnectionReset)));
    }
    eventually("the end of all", || proxy.counters().open == 0);
    let counters = proxy.counters();
    assert_eq!((counters.accepted, counters.reset), (64, 64));
    assert_eq!(counters.faults["reset_peer_downstream"].met, 64);
}

#[test]
fn after_an_inject_no_byte_passes_by_the_old_rule() {
    let proxy = proxy(echo(), Mode::Tcp);
    let mut streams: Vec<TcpStream> = (0..64).map(|_| connect(proxy.address())).collect();
    streams.iter_mut().for_each(round);
    let hole = json!({ "type": "timeout", "stream": "upstream" });
    proxy.inject(fault(&hole)).unwrap();
    for stream in &mut streams {
        stream.write_all(b"lost").unwrap();
    }
    // Every byte was sent after the fault came, so none may arrive; and those that
    // lost some are closed with the undo, since a stream with a hole would lie.
    for stream in &streams {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    for stream in &mut streams {
        assert_eq!(end_of(stream).0, b"");
    }
    eventually("the end of all", || proxy.counters().open == 0);
    let counters = proxy.counters();
    assert_eq!(counters.bytes_swallowed, 4 * 64);
    assert_eq!(counters.bytes_upstream, 64);
}

#[test]
fn a_black_hole_closes_after_its_time_or_with_its_undo() {
    let proxy = proxy(echo(), Mode::Tcp);
    let hole = |timeout: u64| json!({ "type": "timeout", "attributes": { "timeout": timeout } });
    let mut stream = connect(proxy.address());
    round(&mut stream);
    proxy.inject(fault(&hole(60))).unwrap();
    let began = Instant::now();
    assert_eq!(end_of(&mut stream), (vec![], None));
    assert!(began.elapsed() >= Duration::from_millis(60));

    proxy.inject(fault(&hole(0))).unwrap();
    let [mut lost, mut whole] = [(); 2].map(|()| connect(proxy.address()));
    lost.write_all(b"x").unwrap();
    // It got there; the answer did not get back.
    eventually("the lost answer", || proxy.counters().bytes_swallowed == 1);
    assert_eq!(proxy.counters().bytes_upstream, 2);
    eventually("both met", || {
        proxy.counters().faults["timeout_downstream"].met == 2
    });
    proxy.clear();
    assert_eq!(end_of(&mut lost), (vec![], None));
    round(&mut whole);
}

#[test]
fn a_stall_holds_what_comes_and_lets_it_go_afterwards() {
    let proxy = proxy(echo(), Mode::Tcp);
    let stall = |lasts: u64| json!({ "type": "stall", "attributes": { "for": lasts } });
    let mut stream = connect(proxy.address());
    round(&mut stream);
    let began = Instant::now();
    proxy.inject(fault(&stall(80))).unwrap();
    round(&mut stream);
    assert!(began.elapsed() >= Duration::from_millis(80));
    // Until it is undone: it gets there, and the answer does not get back.
    proxy.inject(fault(&stall(0))).unwrap();
    stream.write_all(b"x").unwrap();
    eventually("the byte at the target", || {
        proxy.counters().bytes_upstream == 3
    });
    stream.set_nonblocking(true).unwrap();
    let held = stream.read(&mut [0]).unwrap_err().kind();
    assert_eq!(held, ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    proxy.clear();
    stream.read_exact(&mut [0]).unwrap();
    round(&mut stream);
    let counters = proxy.counters();
    assert_eq!((counters.bytes_swallowed, counters.closed), (0, 0));
}

#[test]
fn a_share_meets_the_same_connections_with_the_same_seed() {
    let met = || -> Vec<bool> {
        let proxy = proxy(echo(), Mode::Tcp);
        let half = json!({ "type": "reset_peer", "toxicity": 0.5 });
        proxy.inject(fault(&half)).unwrap();
        let met: Vec<bool> = (0..64)
            .map(|_| {
                let mut stream = connect(proxy.address());
                let _ = stream.write_all(b"x");
                // The write may have met the reset already; then the read finds an end.
                !matches!(stream.read(&mut [0]), Ok(1))
            })
            .collect();
        let counted = proxy.counters().faults["reset_peer_downstream"];
        assert_eq!(counted.seen, 64);
        assert_eq!(counted.met, met.iter().filter(|met| **met).count() as u64);
        met
    };
    let first = met();
    assert_eq!(first, met());
    // The standard error of half of 64 is 4; six of them.
    assert!(first.iter().filter(|met| **met).count().abs_diff(32) < 24);
}

#[test]
fn a_limit_passes_its_bytes_and_closes() {
    let proxy = proxy(echo(), Mode::Tcp);
    let limit = json!({ "type": "limit_data", "attributes": { "bytes": 10 } });
    proxy.inject(fault(&limit)).unwrap();
    let mut stream = connect(proxy.address());
    stream.write_all(b"0123456789abcdef").unwrap();
    let mut ten = [0; 10];
    stream.read_exact(&mut ten).unwrap();
    assert_eq!(ten, *b"0123456789");
    assert_eq!(end_of(&mut stream).0, b"");
    eventually("the count", || proxy.counters().closed == 1);
}

#[test]
fn a_narrow_line_takes_its_time() {
    let proxy = proxy(echo(), Mode::Tcp);
    let narrow = json!({ "type": "bandwidth", "attributes": { "rate": 100 } });
    proxy.inject(fault(&narrow)).unwrap();
    let began = Instant::now();
    let bytes = vec![7; 20_000];
    assert!(through(connect(proxy.address()), &bytes) == bytes);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_slow_close_is_late_and_half_closes_pass() {
    // A target that answers only once its client has ended.
    let address = target(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let proxy = proxy(address, Mode::Tcp);
    let slow = json!({ "type": "slow_close", "attributes": { "delay": 70 } });
    proxy.inject(fault(&slow)).unwrap();
    let began = Instant::now();
    assert_eq!(through(connect(proxy.address()), b"hello"), b"hello");
    assert!(began.elapsed() >= Duration::from_millis(70));
}

#[test]
fn down_refuses_and_up_is_at_the_same_port() {
    let proxy = proxy(echo(), Mode::Tcp);
    let address = proxy.address();
    let mut stream = connect(address);
    round(&mut stream);
    proxy.set_enabled(false).unwrap();
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(end_of(&mut stream).0, b"");
    proxy.set_enabled(true).unwrap();
    assert_eq!(proxy.address(), address);
    round(&mut connect(address));
}

#[test]
fn dropped_it_leaves_nothing() {
    let proxy = proxy(echo(), Mode::Tcp);
    let address = proxy.address();
    let mut stream = connect(address);
    round(&mut stream);
    drop(proxy);
    assert_eq!(end_of(&mut stream).0, b"");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn connections_past_the_bound_are_refused_and_counted() {
    let spec = threadbare::proxy::ProxySpec {
        connections_max: 2,
        ..threadbare::proxy::ProxySpec::new("127.0.0.1:0".parse().unwrap(), echo())
    };
    let proxy = threadbare::proxy::Proxy::start(spec).unwrap();
    let mut two = [connect(proxy.address()), connect(proxy.address())];
    two.iter_mut().for_each(round);
    assert_eq!(end_of(&mut connect(proxy.address())).0, b"");
    eventually("the count", || proxy.counters().refused == 1);
    two.iter_mut().for_each(round);
}

#[test]
fn targets_that_are_not_there_or_leave_are_data() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let unreachable = proxy(address, Mode::Tcp);
    let (_, ended) = end_of(&mut connect(unreachable.address()));
    assert_eq!(ended, Some(ErrorKind::ConnectionReset));
    eventually("the count", || unreachable.counters().unreachable == 1);

    let leaves = proxy(target(drop), Mode::Tcp);
    assert_eq!(end_of(&mut connect(leaves.address())), (vec![], None));
}

#[test]
fn faults_that_make_no_sense_here_are_refused() {
    let proxy = proxy(echo(), Mode::Tcp);
    let http = json!({ "type": "http_abort" });
    let told = proxy.inject(fault(&http)).unwrap_err().to_string();
    assert!(told.contains("needs HTTP"), "{told}");
    for index in 0..64 {
        let own = json!({ "type": "latency", "name": index.to_string() });
        proxy.inject(fault(&own)).unwrap();
    }
    let one_more = json!({ "type": "latency", "name": "one more" });
    assert!(proxy.inject(fault(&one_more)).is_err());
}
