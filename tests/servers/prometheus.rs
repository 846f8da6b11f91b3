//! Prometheus from Debian's package scrapes a run: what it has in the end is `summary.json`,
//! and it answers every query of the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run::{alone, summary, threadbare, wait_until};
use crate::server::{Prometheus, dependency, free_ports, get};

/// A fleet whose database becomes slow, with monitors, an alert and retries.
const INCIDENT: &str = r#"
title    = "slow"
claim    = "it is seen"
end      = "7s"
warm_up  = "1s"
interval = "500ms"

[target.fleet]
instances = 2
workers   = 2
users     = 30
boot      = "0s"
database  = "constant(4ms)"

[load]
rate = "60/s"
mix  = [{ weight = 1, request = "list tasks", role = "contributor" }]
client = { timeout = "400ms", retries = 1 }

[[monitor]]
name  = "health"
probe = "/readyz?deep=true"
every = "500ms"
count = 2

[[alert]]
name = "errors"
when = "error share > 20 %"
for  = "1s"

[[timeline]]
at    = "2s"
do    = "slow"
part  = "database"
factor = 60
phase = "slow"

[[timeline]]
at    = "5s"
do    = "slow"
part  = "database"
factor = 1
phase = "as before"
"#;

/// Queries that may have nothing to show of such a run: no TLS, no fault at the proxy, and
/// not every outage is an incident with a clock.
const NOTHING_TO_SHOW: [&str; 3] = ["tls_handshake", "proxy_fault_affected", "incident_seconds"];

/// Every query of the dashboard, as Grafana would fill it in.
fn queries() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/threadbare.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|it| it["targets"].as_array());
    let queries = targets.flatten().map(|target| {
        let query = target["expr"].as_str().unwrap();
        let query = query.replace("$instance", ".*");
        let query = query.replace("$__rate_interval", "10s");
        query.replace("$__range", "2m")
    });
    queries.collect()
}

/// A program that is ended when the test is over, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

fn proxy(metrics: u16) -> Ended {
    let to = dependency().to_string();
    let [port] = free_ports();
    let listen = format!("127.0.0.1:{port}");
    let mut command = threadbare();
    command
        .args([
            "proxy", "--listen", &listen, "--to", &to, "--no-api", "--http",
        ])
        .args(["--metrics", &format!("127.0.0.1:{metrics}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let proxy = Ended(command.spawn().unwrap());
    let address: SocketAddr = listen.parse().unwrap();
    wait_until(Duration::from_secs(10), "the proxy forwards", || {
        // It keeps the connection, so only the beginning of the answer is waited for.
        let mut begin = [0; 12];
        let read = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")?;
            stream.read_exact(&mut begin)
        });
        read.is_ok() && begin == *b"HTTP/1.1 200"
    });
    proxy
}

#[test]
fn what_it_has_in_the_end_is_the_summary_and_it_answers_every_query_of_the_dashboard() {
    let _alone = alone();
    let [own, of_proxy] = free_ports();
    let prometheus = Prometheus::scraping(&[("threadbare", own), ("threadbare-proxy", of_proxy)]);
    let _proxy = proxy(of_proxy);
    // It looks for its targets every five seconds; a run may be shorter.
    wait_until(Duration::from_mins(1), "Prometheus scrapes", || {
        let scraped = prometheus.query("up{job=\"threadbare-proxy\"} == 1");
        !scraped.is_empty()
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slow.toml");
    fs::write(&file, INCIDENT).unwrap();
    let out = folder.path().join("run");
    let mut run = threadbare()
        .args(["run", "--metrics", &format!("127.0.0.1:{own}"), "--out"])
        .arg(&out)
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut silent: BTreeSet<String> = queries().into_iter().collect();
    assert!(silent.len() > 40);
    let mut page = None;
    let end = Instant::now() + Duration::from_mins(3);
    while run.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the run does not end");
        silent.retain(|query| prometheus.query(query).is_empty());
        // Once, and while it goes on: after its end a look of our own would be the last scrape.
        if page.is_none() {
            let seen = get(([127, 0, 0, 1], own).into(), "/metrics");
            page = seen.filter(|it| it.contains("state=\"load\"} 1"));
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
    silent.retain(|query| prometheus.query(query).is_empty());
    let summary = summary(&out).unwrap();
    let last = |sample: &str| prometheus.number(&format!("last_over_time({sample}[2m])"));
    let conservation = &summary["conservation"];
    for outcome in [
        "succeeded",
        "failed",
        "timed_out",
        "missed_deadline",
        "shed",
        "unfinished",
    ] {
        let sample = format!("threadbare_operations_total{{outcome=\"{outcome}\"}}");
        let counted = conservation[outcome].as_u64().unwrap() as f64;
        assert!((last(&sample) - counted).abs() < 0.5, "{sample}: {counted}");
    }
    let scheduled = conservation["scheduled"].as_u64().unwrap() as f64;
    let sum = prometheus.number("sum(last_over_time(threadbare_operations_total[2m]))");
    assert!((sum - scheduled).abs() < 0.5, "{sum} of {scheduled}");
    let sent = summary["exchanged"]["sent_bytes"].as_u64().unwrap() as f64;
    assert!((last("threadbare_sent_bytes_total") - sent).abs() < 0.5);
    let unexplained: Vec<_> = silent
        .iter()
        .filter(|query| !NOTHING_TO_SHOW.iter().any(|it| query.contains(it)))
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    // What only the end has is gone from an instant query once its target is.
    let verdict = prometheus.query("last_over_time(threadbare_verdict[2m])");
    let [verdict] = verdict.as_slice() else {
        panic!("{verdict:?}");
    };
    assert_eq!(verdict["metric"]["verdict"], summary["verdict"]);
    let page = page.expect("the page was seen while the run went on");
    assert_well_formed(page.split_once("\r\n\r\n").unwrap().1);
}

/// Prometheus' own tool finds nothing wrong with names, types and text.
fn assert_well_formed(page: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(page.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
