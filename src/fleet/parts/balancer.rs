//! The balancer: admission, round robin, and a connection to each instance.
//!
//! Adds nothing of its own: no retries, no health checks, no timeouts, no
//! limit on what is under way. When a client goes, so does the connection that
//! carried its request on; the instance's job stays where it is.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::connections;
use super::instance::{BODY_MAX, too_long};
use super::serve;
use crate::error::Result;
use crate::fleet::control;
use crate::fleet::lock;
use crate::fleet::message::{
    AdmissionShare, BalancerConfig, Members, PartCounters, Reading, StartReport,
};
use crate::fleet::wire;
use crate::model::{Admission, Denial, RoundRobin};
use crate::record::BalancerCounters;
use crate::units::Ratio;

/// The longest answer that is passed on; a page of tasks is a few kilobytes.
const ANSWER_MAX: usize = 1024 * 1024;

type Answered = Response<Full<Bytes>>;
type Upstream = SendRequest<Full<Bytes>>;

struct Balancer {
    state: Mutex<BalancerState>,
    /// Connections that carry no request, by instance. Its bound is the number
    /// of requests that were ever under way at once.
    idle: Mutex<HashMap<SocketAddr, Vec<Upstream>>>,
}

struct BalancerState {
    admission: Admission,
    choice: RoundRobin,
    members: Vec<SocketAddr>,
    counters: BalancerCounters,
}

/// Serves until the process ends.
pub(super) fn serve(config: BalancerConfig) -> Result<()> {
    let balancer = Arc::new(Balancer {
        state: Mutex::new(BalancerState {
            admission: Admission::new(Ratio::WHOLE),
            choice: RoundRobin::default(),
            members: config.members,
            counters: BalancerCounters::default(),
        }),
        idle: Mutex::default(),
    });
    let steered = Arc::clone(&balancer);
    let control = control::listen(&config.common.token, move |request| steered.steer(request))?;
    connections::runtime()?.block_on(async {
        let listener = connections::bind(config.listen).await?;
        let address = connections::local_address(&listener)?;
        serve::announce(&StartReport::Ready { address, control })?;
        connections::serve(listener, move |request| {
            let balancer = Arc::clone(&balancer);
            async move { Ok::<_, Infallible>(balancer.answer(request).await) }
        })
        .await
    })
}

impl Balancer {
    /// Answers a control request.
    fn steer(&self, request: &wire::Request) -> Option<wire::Response> {
        let body = &request.body;
        Some(match (request.method.as_str(), request.path()) {
            ("POST", "/gauges/mark") | ("GET", "/gauges") => {
                let state = lock(&self.state);
                let counters = PartCounters::Balancer(state.counters);
                wire::Response::json(200, &Reading::of(counters))
            }
            ("PUT", "/members") => match serde_json::from_slice::<Members>(body) {
                Ok(Members { members }) => {
                    lock(&self.idle).retain(|member, _| members.contains(member));
                    lock(&self.state).members.clone_from(&members);
                    wire::Response::json(200, &Members { members })
                }
                Err(cause) => wire::Response::error(400, &format!("not members: {cause}")),
            },
            ("PUT", "/admission") => match serde_json::from_slice::<AdmissionShare>(body) {
                Ok(AdmissionShare { share }) => {
                    lock(&self.state).admission = Admission::new(share);
                    wire::Response::json(200, &AdmissionShare { share })
                }
                Err(cause) => wire::Response::error(400, &format!("not a share: {cause}")),
            },
            _ => return None,
        })
    }

    async fn answer(&self, request: Request<Incoming>) -> Answered {
        let admitted = {
            let mut state = lock(&self.state);
            let admitted = state.admission.admit();
            state.counters.shed += u64::from(!admitted);
            admitted
        };
        if !admitted {
            return denied(Denial::Shed, Denial::Shed.sentence());
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
            return error(StatusCode::PAYLOAD_TOO_LARGE, &too_long());
        };
        let Some(member) = self.choose() else {
            return denied(Denial::NoInstance, Denial::NoInstance.sentence());
        };
        let mut onward = Request::from_parts(head, Full::new(body.to_bytes()));
        drop_hop_by_hop(onward.headers_mut());
        match self.pass_on(member, onward).await {
            Ok(answer) => answer,
            Err(cause) => {
                lock(&self.state).counters.upstream_errors += 1;
                let denial = Denial::InstanceBroke;
                denied(denial, &denial.because(&cause))
            }
        }
    }

    fn choose(&self) -> Option<SocketAddr> {
        let mut state = lock(&self.state);
        let members = state.members.len();
        let chosen = state
            .choice
            .choose(members)
            .map(|index| state.members[index]);
        match chosen {
            Some(_) => state.counters.admitted += 1,
            None => state.counters.unserved += 1,
        }
        chosen
    }

    /// Sends the request to the member and waits for the whole answer. Dropped
    /// before, it takes the connection with it.
    async fn pass_on(
        &self,
        member: SocketAddr,
        mut request: Request<Full<Bytes>>,
    ) -> std::result::Result<Answered, Box<dyn std::error::Error + Send + Sync>> {
        let (mut upstream, answer) = loop {
            let (mut upstream, kept) = match self.take_idle(member) {
                Some(upstream) => (upstream, true),
                None => (connect(member).await?, false),
            };
            match upstream.try_send_request(request).await {
                Ok(answer) => break (upstream, answer),
                // A kept connection that had closed never carried the request.
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) if kept => request = unsent,
                    _ => return Err(failure.into_error().into()),
                },
            }
        };
        let (mut head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
        drop_hop_by_hop(&mut head.headers);
        // The connection is ready a moment after the body's last byte.
        if upstream.ready().await.is_ok() {
            self.keep(member, upstream);
        }
        Ok(Response::from_parts(head, Full::new(body)))
    }

    fn take_idle(&self, member: SocketAddr) -> Option<Upstream> {
        let mut idle = lock(&self.idle);
        let connections = idle.get_mut(&member)?;
        while let Some(upstream) = connections.pop() {
            if upstream.is_ready() {
                return Some(upstream);
            }
        }
        None
    }

    fn keep(&self, member: SocketAddr, upstream: Upstream) {
        if lock(&self.state).members.contains(&member) {
            lock(&self.idle).entry(member).or_default().push(upstream);
        }
    }
}

async fn connect(
    member: SocketAddr,
) -> std::result::Result<Upstream, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(member).await?;
    stream.set_nodelay(true)?;
    let (upstream, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the sending half is dropped, or when the instance closes it.
    tokio::spawn(connection);
    Ok(upstream)
}

/// Headers that concern one connection only (RFC 9110, 7.6.1).
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    for name in [
        CONNECTION,
        TRANSFER_ENCODING,
        HeaderName::from_static("keep-alive"),
    ] {
        headers.remove(name);
    }
}

fn denied(denial: Denial, sentence: &str) -> Answered {
    let status = StatusCode::from_u16(denial.status()).expect("denials have valid statuses");
    let mut answer = error(status, sentence);
    if let Some(after) = denial.retry_after() {
        let after = HeaderValue::from(after.to_duration().as_secs());
        answer.headers_mut().insert(RETRY_AFTER, after);
    }
    answer
}

fn error(status: StatusCode, sentence: &str) -> Answered {
    let body = serde_json::json!({ "error": sentence }).to_string();
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    answer
}
