//! The accept queue of a port on this machine: connections that the kernel has made
//! and the program has not taken.
//!
//! Where it is full, the kernel drops what asks for another, and its client waits for
//! a second or more before it asks again: that is how a server whose threads are all
//! taken looks from outside. The depth is read from `/proc/net/tcp`; what is dropped is
//! counted by the kernel for all sockets together (`ListenOverflows` and `ListenDrops`
//! of `/proc/net/netstat`).

use std::fs;
use std::net::SocketAddr;

use crate::model::{SourceName, is_loopback};
use crate::process::proc::listeners;
use crate::record::{AcceptQueueCounters, Counters, Sample};
use crate::units::Nanos;

/// Reads the accept queue of a port, interval by interval.
#[derive(Debug)]
pub(crate) struct AcceptQueue {
    port: u16,
    before: Drops,
}

impl AcceptQueue {
    /// That of the program that serves at an address; none where that is not on this
    /// machine.
    pub(crate) fn of(address: SocketAddr) -> Option<Self> {
        let here = is_loopback(address.ip());
        here.then(|| Self {
            port: address.port(),
            before: Drops::now(),
        })
    }

    /// How it was since the last call, as the sample of this interval; none where
    /// nothing listens on the port.
    pub(crate) fn sample(&mut self, from: Nanos, to: Nanos) -> Option<Sample> {
        let now = Drops::now();
        let before = std::mem::replace(&mut self.before, now);
        let listeners = listeners(self.port);
        if listeners.is_empty() {
            return None;
        }
        let waiting = listeners.iter().map(|listener| listener.waiting).sum();
        let overflows = now.overflows.saturating_sub(before.overflows);
        let counters = AcceptQueueCounters {
            readings: 1,
            waiting,
            waiting_max: waiting,
            overflows,
            drops: now.drops.saturating_sub(before.drops),
            full_ns: if overflows > 0 { (to - from).0 } else { 0 },
        };
        Some(Sample {
            from,
            to,
            source: SourceName::Machine,
            counters: Counters::AcceptQueue(counters),
            histograms: Vec::new(),
        })
    }
}

/// What the kernel has dropped at full accept queues since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Drops {
    overflows: u64,
    drops: u64,
}

impl Drops {
    /// Zeros where the kernel does not tell.
    fn now() -> Self {
        let text = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
        Self::parse(&text).unwrap_or_default()
    }

    /// A line of names and a line of values for each group of counters.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
        let names = lines.next()?.split_whitespace();
        let values: Vec<&str> = lines.next()?.split_whitespace().collect();
        let names: Vec<&str> = names.collect();
        let value = |name: &str| {
            let place = names.iter().position(|own| *own == name)?;
            values.get(place)?.parse().ok()
        };
        Some(Self {
            overflows: value("ListenOverflows")?,
            drops: value("ListenDrops")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_kernels_drops_are_found_by_their_names() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops X\nTcpExt: 1 22 333 4\n\
                    IpExt: InNoRoutes\nIpExt: 7\n";
        let expected = Drops {
            overflows: 22,
            drops: 333,
        };
        assert_eq!(Drops::parse(text), Some(expected));
        assert_eq!(Drops::parse("IpExt: x\n"), None);
    }

    #[test]
    fn a_queue_is_read_where_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = AcceptQueue::of(address).unwrap();
        let second = Nanos::from_secs(1);
        let sample = queue.sample(Nanos::ZERO, second).unwrap();
        let Counters::AcceptQueue(counters) = sample.counters else {
            panic!("{sample:?}");
        };
        assert_eq!((counters.readings, counters.waiting), (1, 0));
        drop(listener);
        assert_eq!(queue.sample(second, second + second), None);
        assert!(AcceptQueue::of("192.0.2.1:80".parse().unwrap()).is_none());
    }
}
