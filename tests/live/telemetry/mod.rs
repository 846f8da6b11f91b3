//! Runs and loads as the tools of a team see them: pages that are scraped, receivers that
//! answer, hang and die, and what it costs.

mod cost;
mod receivers;
mod scraped;
mod traced;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr};
use std::time::Duration;

/// What a page is asked for within: it is near.
const ASK_MAX: Duration = Duration::from_secs(10);

/// A page as bytes, asked for in the plainest way; none where nobody serves.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ASK_MAX)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

/// The samples of a page: a value for each name with its labels.
fn scrape(address: SocketAddr) -> Option<BTreeMap<String, f64>> {
    let answer = get(address, "/metrics")?;
    let (head, page) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    Some(
        samples
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect(),
    )
}

/// Where a program says that its metrics are; the rest of what it says follows.
fn metrics_of(process: &mut Child) -> (SocketAddr, BufReader<ChildStderr>) {
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    loop {
        line.clear();
        assert!(
            said.read_line(&mut line).unwrap() > 0,
            "it said nothing of metrics"
        );
        if let Some(rest) = line.strip_prefix("Metrics are at http://") {
            let address = rest.split('/').next().unwrap();
            return (address.parse().unwrap(), said);
        }
    }
}
