//! Toxiproxy's HTTP API (version 2), so that its client libraries drive this proxy.
//!
//! | route | |
//! |---|---|
//! | `GET /proxies`, `POST /proxies` | all; one more |
//! | `GET`, `POST` or `PATCH`, `DELETE /proxies/{name}` | one |
//! | `GET /proxies/{name}/toxics`, `POST` | its faults; one more |
//! | `GET`, `POST` or `PATCH`, `DELETE /proxies/{name}/toxics/{name}` | one |
//! | `POST /populate` | several at once, whole or not at all |
//! | `POST /reset` | everything up, no faults |
//! | `GET /version` | |
//!
//! It listens on loopback only, and refuses what a browser sends for a page (an
//! `Origin`, a user agent `Mozilla/…`) and requests that name another host: a page
//! of a stranger's could otherwise break things here.

use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, ORIGIN, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::proxies::{Draft, Proxies, Refusal, shown};
use super::proxies::{add_fault, find_fault, remove_fault, update_fault};
use super::reports::{Listener, Reports};
use crate::bounds::{HEAD_TIME_MAX, LISTENER_CONNECTIONS_MAX, PROXY_API, REQUEST_TIME_MAX};
use crate::error::{Error, Result};
use crate::model::{is_loopback, names_loopback};

/// The version of Toxiproxy whose API this is; clients ask for it.
const VERSION: &str = "2.9.0";

type ApiResponse = std::result::Result<(StatusCode, Value), Refusal>;

/// The API of a set of proxies, with a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    /// Listens, and starts the thread that answers.
    ///
    /// # Errors
    ///
    /// Where the address is not loopback, or cannot be listened on.
    #[cfg(feature = "testing")]
    pub fn start(listen: SocketAddr, proxies: Arc<Proxies>) -> Result<Self> {
        Self::start_telling(listen, proxies, None)
    }

    /// The same, and tells `listener` what is injected and taken back.
    ///
    /// # Errors
    ///
    /// As [`Api::start`].
    pub fn start_telling(
        listen: SocketAddr,
        proxies: Arc<Proxies>,
        listener: Option<Listener>,
    ) -> Result<Self> {
        let reports = listener.map(|listener| Arc::new(Reports::new(listener)));
        if !is_loopback(listen.ip()) {
            return Err(Error::usage(format!(
                "the API listens on loopback only, and {listen} is not; use 127.0.0.1 or [::1]"
            )));
        }
        let failed = |cause: std::io::Error| {
            Error::unfit(format!(
                "failed to listen on {listen} for the API: {cause}; name another address with \
                 --api, leave it out with --no-api, or end the program that holds this one"
            ))
        };
        let bound = Bound::bind(listen).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let address = bound.local_addr().map_err(failed)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let serving = async move {
            tokio::select! {
                _ = stopped => {}
                () = serve(bound, proxies, reports) => {}
            }
        };
        let thread = thread::Builder::new()
            .name("proxy-api".into())
            .spawn(move || runtime.block_on(serving))
            .map_err(failed)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(bound: Bound, proxies: Arc<Proxies>, reports: Option<Arc<Reports>>) {
    let Ok(listener) = TcpListener::from_std(bound) else {
        return; // outside a runtime only
    };
    let mut open = Open::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (proxies, reports) = (Arc::clone(&proxies), reports.clone());
        let last = open.next_turn();
        let (turns, own) = (Arc::clone(&open.turns), Arc::clone(&last));
        let task = tokio::spawn(async move {
            let answering = service_fn(move |request| {
                let asked = answer(Arc::clone(&proxies), reports.clone(), request);
                let (turns, own) = (Arc::clone(&turns), Arc::clone(&own));
                async move {
                    let answer = asked.await;
                    own.store(turns.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
                    answer
                }
            });
            let mut server = http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME_MAX);
            // A broken connection concerns its caller only.
            let _ = server
                .serve_connection(TokioIo::new(stream), answering)
                .await;
        });
        open.admit(task.abort_handle(), last);
    }
}

/// The connections that are open. Where there are too many, the one makes room whose last
/// answer, or whose beginning where it had none, is longest ago: who opens connections and
/// says nothing, or half of it, keeps nobody out.
#[derive(Debug, Default)]
struct Open {
    /// Grows with every connection and every answer: an order, and no time.
    turns: Arc<AtomicU64>,
    connections: Vec<(AbortHandle, Arc<AtomicU64>)>,
}

impl Open {
    /// The turn of a connection that begins.
    fn next_turn(&self) -> Arc<AtomicU64> {
        Arc::new(self.turns.fetch_add(1, Ordering::Relaxed).into())
    }

    fn admit(&mut self, task: AbortHandle, last: Arc<AtomicU64>) {
        self.connections.retain(|(task, _)| !task.is_finished());
        if self.connections.len() >= LISTENER_CONNECTIONS_MAX {
            let places = self.connections.iter().enumerate();
            let idlest = places.min_by_key(|(_, (_, last))| last.load(Ordering::Relaxed));
            if let Some((place, _)) = idlest {
                self.connections.swap_remove(place).0.abort();
            }
        }
        self.connections.push((task, last));
    }
}

async fn answer(
    proxies: Arc<Proxies>,
    reports: Option<Arc<Reports>>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let done = match stranger(&head.headers) {
        Some(refusal) => Err(refusal),
        None => match whole(body).await {
            Ok(body) => {
                let done = act(&proxies, &head.method, head.uri.path(), &body);
                if let (Some(reports), true) = (reports, head.method != Method::GET) {
                    reports.look(&proxies);
                }
                done
            }
            Err(refusal) => Err(refusal),
        },
    };
    let (status, body) = done.unwrap_or_else(|refusal| {
        let status = StatusCode::from_u16(refusal.status);
        let body = json!({ "error": refusal.sentence, "status": refusal.status });
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
    });
    let text = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(format!("{body}\n")),
    };
    let mut answer = Response::new(Full::new(text));
    *answer.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    Ok(answer)
}

/// The body, within its bounds.
async fn whole(body: Incoming) -> std::result::Result<Bytes, Refusal> {
    let limited = Limited::new(body, PROXY_API.length_max()).collect();
    match tokio::time::timeout(REQUEST_TIME_MAX, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(Refusal::new(
            413,
            format!("the body: {}", PROXY_API.too_long()),
        )),
        Ok(Err(cause)) => Err(Refusal::bad_body(cause)),
        Err(_) => Err(Refusal::new(
            408,
            "the body did not come in time; send it at once",
        )),
    }
}

/// Why a request may come from another site's page.
fn stranger(headers: &HeaderMap) -> Option<Refusal> {
    let forbidden = |sentence: &str| Some(Refusal::new(403, sentence));
    if headers.contains_key(ORIGIN) {
        return forbidden("requests with an Origin are refused: they come from a browser's page");
    }
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.starts_with("Mozilla/")) {
        return forbidden("User agent not allowed");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if !host.is_none_or(is_this_machine) {
        return forbidden("the Host is not this machine: use 127.0.0.1, [::1] or localhost");
    }
    None
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    names_loopback(name.trim_matches(['[', ']']))
}

fn act(proxies: &Proxies, method: &Method, path: &str, body: &[u8]) -> ApiResponse {
    let segments: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(percent_decoded)
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let parsed = || serde_json::from_slice::<Value>(body).map_err(Refusal::bad_body);
    let ok = |value| Ok((StatusCode::OK, value));
    let gone = |()| (StatusCode::NO_CONTENT, Value::Null);
    match (method.as_str(), &segments[..]) {
        ("GET", ["version"]) => ok(json!({ "version": VERSION })),
        ("POST", ["reset"]) => proxies.reset().map(gone),
        ("POST", ["populate"]) => populate(proxies, body),
        ("GET", ["proxies"]) => {
            let mut all = Map::new();
            proxies.each(|proxy| drop(all.insert(proxy.name().to_owned(), shown(proxy))));
            ok(Value::Object(all))
        }
        ("POST", ["proxies"]) => {
            let draft: Draft = serde_json::from_slice(body).map_err(Refusal::bad_body)?;
            proxies.create(&draft)?;
            let shown = proxies.with(&draft.name, |proxy| Ok(shown(proxy)))?;
            Ok((StatusCode::CREATED, shown))
        }
        ("GET", ["proxies", name]) => ok(proxies.with(name, |proxy| Ok(shown(proxy)))?),
        ("POST" | "PATCH", ["proxies", name]) => {
            proxies.update(name, &parsed()?)?;
            ok(proxies.with(name, |proxy| Ok(shown(proxy)))?)
        }
        ("DELETE", ["proxies", name]) => proxies.remove(name).map(gone),
        ("GET", ["proxies", name, "toxics"]) => {
            ok(proxies.with(name, |proxy| Ok(json!(proxy.faults())))?)
        }
        ("POST", ["proxies", name, "toxics"]) => {
            let sent = parsed()?;
            ok(json!(proxies.with(name, |proxy| add_fault(proxy, &sent))?))
        }
        ("GET", ["proxies", name, "toxics", fault]) => {
            ok(json!(proxies.with(name, |proxy| find_fault(proxy, fault))?))
        }
        ("POST" | "PATCH", ["proxies", name, "toxics", fault]) => {
            let sent = parsed()?;
            let updated = proxies.with(name, |proxy| update_fault(proxy, fault, &sent))?;
            ok(json!(updated))
        }
        ("DELETE", ["proxies", name, "toxics", fault]) => proxies
            .with(name, |proxy| remove_fault(proxy, fault))
            .map(gone),
        (_, ["version" | "reset" | "populate" | "proxies", ..]) if segments.len() <= 4 => {
            Err(Refusal::new(405, format!("{method} is not possible here")))
        }
        _ => Err(Refusal::new(404, "there is no such route")),
    }
}

/// Reads a request: a line with method and path, and the body below it. What would open
/// sockets is read and not carried out.
#[cfg(feature = "testing")]
pub(crate) fn read_api(bytes: &[u8]) {
    use crate::model::fault::ProxyFault;
    use crate::net::AllowedHosts;
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let line = String::from_utf8_lossy(line);
    let (method, path) = line.split_once(' ').unwrap_or((&line, ""));
    let path = percent_decoded(path);
    let _ = serde_json::from_slice::<Draft>(body);
    let _ = serde_json::from_slice::<Vec<Draft>>(body);
    let sent = serde_json::from_slice::<Value>(body).ok();
    if let Some((sent, Ok(fault))) = sent.map(|sent| (sent.clone(), ProxyFault::read(&sent))) {
        let _ = fault.updated(&sent);
    }
    let settings = super::Settings {
        seed: 1,
        connections_max: 1,
        allowed: AllowedHosts::default(),
    };
    let proxies = Proxies::new(settings);
    if let (Ok(method), true) = (method.parse(), method == "GET" || path.contains("toxics")) {
        let _ = act(&proxies, &method, &path, body);
    }
}

fn populate(proxies: &Proxies, body: &[u8]) -> ApiResponse {
    let drafts: Vec<Draft> = serde_json::from_slice(body).map_err(Refusal::bad_body)?;
    let names = proxies.populate(&drafts)?;
    let all = names
        .iter()
        .map(|name| proxies.with(name, |proxy| Ok(shown(proxy))));
    let all: Vec<Value> = all.collect::<std::result::Result<_, _>>()?;
    Ok((StatusCode::CREATED, json!({ "proxies": all })))
}

/// A segment of a path as it was meant; what is no escape stays as it is.
fn percent_decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = segment.get(at + 1..at + 3);
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (byte, length) = match escaped.filter(|_| bytes[at] == b'%') {
            Some(byte) => (byte, 3),
            None => (bytes[at], 1),
        };
        decoded.push(byte);
        at += length;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:8474",
            "127.0.0.1:8474",
            "[::1]:1",
            "127.9.9.9",
            "[::ffff:127.0.0.1]:8474",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:8474",
            "",
            "localhost.evil",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn names_in_paths_are_decoded() {
        for (segment, name) in [
            ("a%20b", "a b"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("%C3%A4", "ä"),
        ] {
            assert_eq!(percent_decoded(segment), name);
        }
    }
}
