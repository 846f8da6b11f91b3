//! What the fault proxy costs while it breaks nothing: `cargo bench --bench proxy`.
//!
//! The same requests go straight to a server and through the proxy, in turns, so
//! that what else the machine does meets all alike. Another proxy in front of the
//! same server can stand beside it: `cargo bench --bench proxy -- --port 7000 --beside
//! 127.0.0.1:7001 --pid PID`, where it listens at 7001 and leads to 7000.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use threadbare::model::fault::Mode;
use threadbare::proxy::{Proxy, ProxySpec};

const REQUEST: &[u8] = b"GET /projects/7/tasks HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAuthorization: Bearer 0123456789abcdef\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n[{\"id\":1,\"title\":\"write a test\",\"done\":false,\"assignee\":\"alice\"}]";
/// Requests of a round, on one connection after the other's answer.
const LATENCIES: usize = 5_000;
/// Connections and requests of each, of a round that measures the rate.
const CONNECTIONS: usize = 16;
const RATE_REQUESTS: usize = 2_000;
const ROUNDS: usize = 7;
/// Bytes of a round that measures throughput.
const BULK: usize = 256 << 20;

fn serve(port: u16) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let mut request = [0; REQUEST.len()];
                while stream.read_exact(&mut request).is_ok() {
                    if request.starts_with(b"BULK") {
                        return bulk(&mut stream);
                    }
                    stream.write_all(ANSWER).unwrap();
                }
            });
        }
    });
    address
}

fn bulk(stream: &mut TcpStream) {
    let bytes = vec![b'x'; 1 << 16];
    for _ in 0..BULK / bytes.len() {
        stream.write_all(&bytes).unwrap();
    }
}

fn ask(stream: &mut TcpStream) {
    stream.write_all(REQUEST).unwrap();
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer).unwrap();
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Microseconds at the median and the 99th percentile.
fn latencies(address: SocketAddr) -> [f64; 2] {
    let mut stream = connect(address);
    (0..200).for_each(|_| ask(&mut stream));
    let mut micros: Vec<f64> = (0..LATENCIES)
        .map(|_| {
            let began = Instant::now();
            ask(&mut stream);
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    [micros[LATENCIES / 2], micros[LATENCIES * 99 / 100]]
}

/// Processor time in microseconds that the proxy's threads use for each request.
fn cpu_micros(address: SocketAddr, threads: &str) -> f64 {
    let before = cpu_ns(threads);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = connect(address);
                (0..RATE_REQUESTS).for_each(|_| ask(&mut stream));
            });
        }
    });
    (cpu_ns(threads) - before) as f64 / 1e3 / (CONNECTIONS * RATE_REQUESTS) as f64
}

/// Processor time of a process's threads so far (its schedstat's first field), or
/// of this process's threads called `proxy`.
fn cpu_ns(threads: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{threads}/task")).unwrap();
    let times = tasks.flatten().map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if threads == "self" && name.trim() != "proxy" {
            return 0;
        }
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let ran = stat.split(' ').next().and_then(|ran| ran.parse().ok());
        ran.unwrap_or(0)
    });
    times.sum()
}

/// Megabytes a second of one connection.
fn throughput(address: SocketAddr) -> f64 {
    let mut stream = connect(address);
    let mut request = [b' '; REQUEST.len()];
    request[..4].copy_from_slice(b"BULK");
    let began = Instant::now();
    stream.write_all(&request).unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    while total < BULK {
        total += stream.read(&mut buffer).unwrap();
    }
    total as f64 / 1e6 / began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|own| own != name);
    arguments.nth(1)
}

struct Way {
    name: &'static str,
    address: SocketAddr,
    threads: String,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
    bulk: Vec<f64>,
}

impl Way {
    fn new(name: &'static str, address: SocketAddr, threads: &str) -> Self {
        Self {
            name,
            address,
            threads: threads.to_owned(),
            p50: vec![],
            p99: vec![],
            cpu: vec![],
            bulk: vec![],
        }
    }
}

fn main() {
    let port = argument("--port").map_or(0, |port| port.parse().unwrap());
    let server = serve(port);
    let through = |mode| {
        Proxy::start(ProxySpec {
            mode,
            ..ProxySpec::new("127.0.0.1:0".parse().unwrap(), server)
        })
        .unwrap()
    };
    let (tcp, http) = (through(Mode::Tcp), through(Mode::Http));
    let mut ways = vec![
        Way::new("direct", server, "self"),
        Way::new("proxy, TCP", tcp.address(), "self"),
        Way::new("proxy, HTTP", http.address(), "self"),
    ];
    if let Some(beside) = argument("--beside") {
        let pid = argument("--pid").unwrap();
        ways.push(Way::new("beside it", beside.parse().unwrap(), &pid));
    }
    for _ in 0..ROUNDS {
        for way in &mut ways {
            let [p50, p99] = latencies(way.address);
            way.p50.push(p50);
            way.p99.push(p99);
            way.cpu.push(cpu_micros(way.address, &way.threads));
            if way.name != "proxy, HTTP" {
                way.bulk.push(throughput(way.address));
            }
        }
    }
    println!("medians of {ROUNDS} rounds in turns; {CONNECTIONS} connections for the rate");
    println!(
        "{:<12} {:>9} {:>9} {:>9} {:>9} {:>12} {:>13} {:>7}",
        "", "p50 us", "p99 us", "+p50 us", "+p99 us", "CPU us/req", "req/s a core", "MB/s"
    );
    let direct = [median(ways[0].p50.clone()), median(ways[0].p99.clone())];
    for way in ways {
        let (p50, p99, cpu) = (median(way.p50), median(way.p99), median(way.cpu));
        let bulk = if way.bulk.is_empty() {
            "-".to_owned()
        } else {
            format!("{:.0}", median(way.bulk))
        };
        let rate = if cpu > 0.0 {
            format!("{:.0}", 1e6 / cpu)
        } else {
            "-".to_owned()
        };
        println!(
            "{:<12} {p50:>9.1} {p99:>9.1} {:>9.1} {:>9.1} {cpu:>12.2} {rate:>13} {bulk:>7}",
            way.name,
            p50 - direct[0],
            p99 - direct[1],
        );
    }
}
