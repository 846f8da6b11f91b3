//! A listener for statsd datagrams, which servers send instead of being asked.
//!
//! `name:value|type`, one a line, with `@rate` and `#tags` after it. A gauge
//! (`g`) keeps its last value, as statsd has it: Gunicorn tells its workers once,
//! when their number changes, so the listener must be there before the server
//! starts. Any other value (`h`, `d`, `ms`) holds for the reading in whose time
//! it came: an old one says nothing of now, and a server whose workers are all
//! blocked sends none. Counts (`c`) add up. It listens on loopback only, since
//! anybody who reaches the port can say anything.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::model::{Malformed, Page, Series};
use crate::units::Nanos;

/// Names kept at most: what any one server sends is a few dozen.
const NAMES_MAX: usize = 1000;
/// The longest datagram that UDP carries.
const DATAGRAM_MAX: usize = 65_536;
/// Datagrams taken for one reading at most, so that a flood cannot hold it up.
const DATAGRAMS_MAX: usize = 100_000;

/// What was received so far.
#[derive(Debug)]
pub(super) struct Statsd {
    socket: UdpSocket,
    values: BTreeMap<(String, Vec<(String, String)>), StatsdValue>,
    malformed: Malformed,
    /// Datagrams received so far.
    received: u64,
}

#[derive(Debug, Clone, Copy)]
struct StatsdValue {
    value: f64,
    /// Whether it holds until the next, or for one reading.
    stays: bool,
}

impl Statsd {
    /// A listener on this port.
    ///
    /// # Errors
    ///
    /// Where the port is taken.
    pub(super) fn listen(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        Ok(Self {
            socket,
            values: BTreeMap::new(),
            malformed: Malformed::default(),
            received: 0,
        })
    }

    /// The port that it listens on.
    #[cfg(test)]
    fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Receives for so long at most, or until a datagram has come.
    pub(super) fn wait(&mut self, limit: Nanos) -> io::Result<()> {
        let limit = limit.max(Nanos::from_millis(1));
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(limit.to_duration()))?;
        self.take()
    }

    /// Everything that has come, as a page.
    ///
    /// # Errors
    ///
    /// The cause, in a clause, where nothing was ever received.
    pub(super) fn read(&mut self) -> Result<Page, String> {
        for _ in 0..DATAGRAMS_MAX {
            let before = self.received;
            let nonblocking = self.socket.set_nonblocking(true);
            let told = nonblocking.and_then(|()| self.take());
            told.map_err(|cause| cause.to_string())?;
            if self.received == before {
                break;
            }
        }
        if self.received == 0 {
            return Err("no datagram has come yet".into());
        }
        let series = self.values.iter().map(|((name, labels), kept)| Series {
            name: name.clone(),
            labels: labels.clone(),
            value: kept.value,
        });
        let page = Page {
            series: series.collect(),
            malformed: self.malformed.clone(),
        };
        self.values.retain(|_, kept| kept.stays);
        Ok(page)
    }

    fn take(&mut self) -> io::Result<()> {
        let mut bytes = vec![0; DATAGRAM_MAX];
        match self.socket.recv(&mut bytes) {
            Ok(length) => {
                self.received += 1;
                for line in String::from_utf8_lossy(&bytes[..length]).lines() {
                    self.line(line);
                }
                Ok(())
            }
            Err(cause) => match cause.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionRefused => Ok(()),
                _ => Err(cause),
            },
        }
    }

    fn line(&mut self, line: &str) {
        let number = self.received;
        let Some(told) = parse(line) else {
            return self
                .malformed
                .note(number, "a line is not `name:value|type`");
        };
        let key = (told.name.to_owned(), told.labels);
        let known = self.values.get(&key).copied();
        if known.is_none() && self.values.len() >= NAMES_MAX {
            return self
                .malformed
                .note(number, "there are more than 1000 names");
        }
        let before = known.map_or(0.0, |kept| kept.value);
        let value = if told.adds {
            before + told.value
        } else {
            told.value
        };
        let stays = told.stays;
        self.values.insert(key, StatsdValue { value, stays });
    }
}

/// One line, read.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    name: &'a str,
    labels: Vec<(String, String)>,
    value: f64,
    adds: bool,
    stays: bool,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut parts = line.trim_end().split('|');
    let (name, text) = parts.next()?.rsplit_once(':')?;
    let kind = parts.next()?;
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let mut rate = 1.0;
    let mut labels = Vec::new();
    for part in parts {
        if let Some(text) = part.strip_prefix('@') {
            rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0)?;
        } else if let Some(tags) = part.strip_prefix('#') {
            let pairs = tags
                .split(',')
                .map(|tag| tag.split_once(':').unwrap_or((tag, "")));
            labels.extend(pairs.map(|(label, text)| (label.to_owned(), text.to_owned())));
        }
    }
    let (adds, stays) = match kind {
        // `+1|g` changes a gauge by one (statsd's own protocol).
        "g" => (text.starts_with(['+', '-']), true),
        "c" => (true, true),
        "h" | "d" | "ms" => (false, false),
        _ => return None,
    };
    if name.is_empty() {
        return None;
    }
    Some(Line {
        name,
        labels,
        value: if kind == "c" { value / rate } else { value },
        adds,
        stays,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_by_their_type() {
        let told = |line| parse(line).map(|line| (line.value, line.adds, line.stays));
        assert_eq!(told("gunicorn.workers:4|g"), Some((4.0, false, true)));
        assert_eq!(told("gunicorn.backlog:12|h"), Some((12.0, false, false)));
        assert_eq!(told("gunicorn.requests:1|c|@0.5"), Some((2.0, true, true)));
        assert_eq!(told("x:-1|g"), Some((-1.0, true, true)));
        let tagged = parse("x:1|g|#a:b,c").unwrap();
        assert_eq!(
            tagged.labels,
            [("a".into(), "b".into()), ("c".into(), String::new())]
        );
        for wrong in [
            "", "x", "x:1", "x:|g", ":1|g", "x:1|s", "x:NaN|g", "x:1|c|@0",
        ] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_gauge_stays_and_a_value_holds_for_one_reading() {
        let mut statsd = Statsd::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(statsd.read(), Err("no datagram has come yet".into()));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let send = |statsd: &mut Statsd, text: &str| {
            sender
                .send_to(text.as_bytes(), statsd.address().unwrap())
                .unwrap();
            let before = statsd.received;
            for _ in 0..1000 {
                statsd.wait(Nanos::from_millis(100)).unwrap();
                if statsd.received > before {
                    return;
                }
            }
            panic!("a datagram on loopback was lost");
        };
        let page = |statsd: &mut Statsd| {
            let page = statsd.read().unwrap();
            let values = page
                .series
                .into_iter()
                .map(|series| (series.name, series.value));
            values.collect::<Vec<_>>()
        };
        send(&mut statsd, "w:4|g\nb:12|h\nr:1|c\nr:1|c");
        let all = [("b".into(), 12.0), ("r".into(), 2.0), ("w".into(), 4.0)];
        assert_eq!(page(&mut statsd), all);
        assert_eq!(page(&mut statsd), all[1..]);
        send(&mut statsd, "nonsense");
        assert_eq!(statsd.read().unwrap().malformed.count, 1);
    }
}
