//! The balancer: admission, round robin, and a connection to each instance.
//!
//! Adds nothing of its own: no retries, no timeouts, no limit on what is under way,
//! and health checks only where they are asked for. When a client goes, so does the connection that
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
use rand::RngExt as _;
use tokio::net::TcpStream;

use super::connections;
use super::dripping::{DripRule, Dripping};
use super::instance::{BODY_MAX, too_long};
use super::serve;
use crate::error::Result;
use crate::fleet::control;
use crate::fleet::lock;
use crate::fleet::message::{
    AdmissionShare, BalancerConfig, FaultsPut, Member, Members, PartCounters, Reading, StartReport,
};
use crate::fleet::wire;
use crate::model::fault::FaultSet;
use crate::model::{Admission, BalancerSpec, Chooser, Denial, Health, HealthSpec};
use crate::record::BalancerCounters;
use crate::rng::{self, StdRng};
use crate::units::{Nanos, Ratio};

/// The longest answer that is passed on; a page of tasks is a few kilobytes.
const ANSWER_MAX: usize = 1024 * 1024;

type Answered = Response<Full<Bytes>>;
type Upstream = SendRequest<Full<Bytes>>;

struct Balancer {
    state: Mutex<BalancerState>,
    /// Connections that carry no request, by instance. Its bound is the number
    /// of requests that were ever under way at once.
    idle: Mutex<HashMap<SocketAddr, Vec<Upstream>>>,
    /// By which what is sent to instances drips.
    drips: DripRule,
}

struct BalancerState {
    admission: Admission,
    choice: Chooser,
    health: Option<Health>,
    /// Requests that are under way to each instance.
    under_way: HashMap<usize, u64>,
    members: Vec<Member>,
    faults: FaultSet,
    rng: StdRng,
    counters: BalancerCounters,
}

/// Where a request goes, and what it meets on the way.
struct Way {
    member: Member,
    delay: Option<Nanos>,
    lost: bool,
}

impl Way {
    /// Takes as long as the way does; where the request is lost it is never over, and
    /// ends when its caller goes.
    async fn passed(&self) {
        if self.lost {
            return std::future::pending().await;
        }
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay.to_duration()).await;
        }
    }
}

impl BalancerState {
    /// What a request to this member meets on the way.
    fn way(&mut self, member: Member) -> Way {
        let share = self.faults.lost_to(member.index);
        let lost = share.is_some_and(|share| self.rng.random::<f64>() < share);
        let delay = self.faults.delay_to(member.index);
        let delay = delay.map(|delay| delay.sample(&mut self.rng));
        Way {
            member,
            delay,
            lost,
        }
    }
}

/// A request that is under way to an instance, while this is held.
struct UnderWay<'a> {
    balancer: &'a Balancer,
    index: usize,
}

impl<'a> UnderWay<'a> {
    fn new(balancer: &'a Balancer, index: usize) -> Self {
        *lock(&balancer.state).under_way.entry(index).or_default() += 1;
        Self { balancer, index }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.balancer.state).under_way.get_mut(&self.index) {
            *count -= 1;
        }
    }
}

/// Checks the instance at this place again and again, while it is in rotation. A check
/// that outlasts the interval is not overtaken by the next.
async fn check_health(balancer: Arc<Balancer>, spec: HealthSpec, index: usize, first: Nanos) {
    tokio::time::sleep(first.to_duration()).await;
    let mut next = tokio::time::interval(spec.every.to_duration());
    next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        next.tick().await;
        let members = lock(&balancer.state).members.clone();
        let Some(member) = members.into_iter().find(|member| member.index == index) else {
            continue;
        };
        let way = lock(&balancer.state).way(member);
        let check = async {
            way.passed().await;
            check(member, spec.deep, &balancer.drips).await
        };
        let answered = tokio::time::timeout(spec.timeout.to_duration(), check).await;
        let succeeded = answered.is_ok_and(|succeeded| succeeded);
        if let Some(health) = &mut lock(&balancer.state).health {
            health.checked(index, succeeded);
        }
    }
}

/// Whether the instance answers a check with a success.
async fn check(member: Member, deep: bool, drips: &DripRule) -> bool {
    let path = if deep { "/readyz?deep=true" } else { "/readyz" };
    let request = Request::get(path)
        .header(hyper::header::HOST, member.address.to_string())
        .body(Full::new(Bytes::new()));
    let (Ok(request), Ok(mut upstream)) = (request, connect(member, drips).await) else {
        return false;
    };
    let answer = upstream.send_request(request).await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Serves until the process ends.
pub(super) fn serve(config: BalancerConfig) -> Result<()> {
    let places = config.places;
    let balancer = Arc::new(Balancer {
        state: Mutex::new(BalancerState {
            admission: Admission::new(Ratio::WHOLE),
            choice: Chooser::new(config.spec.choice),
            health: config
                .spec
                .health
                .map(|it| Health::new(it, places as usize)),
            under_way: HashMap::new(),
            members: config.members,
            faults: FaultSet::default(),
            rng: rng::stream(config.common.seed, &config.common.name),
            counters: BalancerCounters::default(),
        }),
        idle: Mutex::default(),
        drips: DripRule::default(),
    });
    let steered = Arc::clone(&balancer);
    let control = control::listen(&config.common.token, move |request| steered.steer(request))?;
    connections::runtime()?.block_on(async {
        let listener = connections::bind(config.listen).await?;
        let address = connections::local_address(&listener)?;
        serve::announce(&StartReport::Ready { address, control })?;
        if let BalancerSpec {
            health: Some(spec), ..
        } = config.spec
        {
            for index in 0..places {
                let first = spec.first_check(index, places);
                let (balancer, index) = (Arc::clone(&balancer), index as usize);
                tokio::spawn(check_health(balancer, spec, index, first));
            }
        }
        connections::serve(listener, (), move |request| {
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
                    lock(&self.idle).retain(|address, _| is_one(&members, *address));
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
            ("PUT", "/faults") => match serde_json::from_slice::<FaultsPut>(body) {
                Ok(put) => {
                    lock(&self.state).faults = put.faults.clone();
                    self.drips.put(put.faults.clone());
                    wire::Response::json(200, &put)
                }
                Err(cause) => wire::Response::error(400, &format!("not faults: {cause}")),
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
        let Some(way) = self.choose() else {
            return denied(Denial::NoInstance, Denial::NoInstance.sentence());
        };
        let _under_way = UnderWay::new(self, way.member.index);
        way.passed().await;
        let mut onward = Request::from_parts(head, Full::new(body.to_bytes()));
        drop_hop_by_hop(onward.headers_mut());
        match self.pass_on(way.member, onward).await {
            Ok(answer) => answer,
            Err(cause) => {
                lock(&self.state).counters.upstream_errors += 1;
                let denial = Denial::InstanceBroke;
                denied(denial, &denial.because(&cause))
            }
        }
    }

    fn choose(&self) -> Option<Way> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let members = &state.members;
        let usable = state.health.as_ref();
        let usable = usable.map(|it| it.usable(members.iter().map(|member| member.index)));
        let member = |place: usize| match &usable {
            Some(usable) => members[usable[place]],
            None => members[place],
        };
        let count = usable.as_ref().map_or(members.len(), Vec::len);
        let under_way = |place: usize| {
            let under_way = state.under_way.get(&member(place).index);
            under_way.copied().unwrap_or(0)
        };
        let place = state.choice.choose(count, under_way, &mut state.rng);
        let chosen = place.map(member);
        match chosen {
            Some(_) => state.counters.admitted += 1,
            None => state.counters.unserved += 1,
        }
        Some(state.way(chosen?))
    }

    /// Sends the request to the member and waits for the whole answer. Dropped
    /// before, it takes the connection with it.
    async fn pass_on(
        &self,
        member: Member,
        mut request: Request<Full<Bytes>>,
    ) -> std::result::Result<Answered, Box<dyn std::error::Error + Send + Sync>> {
        let (mut upstream, answer) = loop {
            let (mut upstream, kept) = match self.take_idle(member.address) {
                Some(upstream) => (upstream, true),
                None => (connect(member, &self.drips).await?, false),
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
            self.keep(member.address, upstream);
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
        if is_one(&lock(&self.state).members, member) {
            lock(&self.idle).entry(member).or_default().push(upstream);
        }
    }
}

fn is_one(members: &[Member], address: SocketAddr) -> bool {
    members.iter().any(|member| member.address == address)
}

async fn connect(
    member: Member,
    drips: &DripRule,
) -> std::result::Result<Upstream, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(member.address).await?;
    stream.set_nodelay(true)?;
    let stream = Dripping::new(stream, member.index, drips.clone());
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
