//! `--metrics`: an address that answers Prometheus, on a thread of its own.
//!
//! `GET /metrics` is the page, `GET /` says where it is. A page is made when it is asked for,
//! from sums that are kept anyway: who asks every second costs a second's worth of text, and
//! nobody who asks, or hangs, can hold up a run.
//!
//! Once a run has ended the page says its last word. It is served until somebody has read
//! that, and for so long at most as the settings say: a scrape that comes within its usual
//! interval finds what `summary.json` has.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::family::Family;
use super::page::{CONTENT_TYPE as PAGE_TYPE, page};
use crate::bounds::{HEAD_TIME_MAX, LISTENER_CONNECTIONS_MAX, METRICS};
use crate::error::{Error, Result};
use crate::model::is_loopback;
use crate::units::Nanos;

/// So often it is asked whether the last page has been read, or nobody waits for that.
const LINGER_STEP: Duration = Duration::from_millis(20);
/// What the kernel may still have to send then.
const LAST_BYTES: Duration = Duration::from_millis(50);

/// What a page is made of.
pub trait Metrics: Send + Sync {
    /// The metrics as they are now, and whether they will not change any more.
    fn now(&self) -> (Vec<Family>, bool);
}

/// An address that serves metrics, until it is ended or dropped.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
    given_up: Arc<AtomicBool>,
}

/// What is served, and whether its last page has been read.
struct Served {
    metrics: Arc<dyn Metrics>,
    is_read: AtomicBool,
    /// Whether nobody waits for that any more.
    given_up: Arc<AtomicBool>,
}

impl MetricsServer {
    /// Listens, and starts the thread that answers; `insecure`: whether it may be elsewhere
    /// than on loopback.
    ///
    /// # Errors
    ///
    /// Where it may not listen there, or cannot.
    pub fn start(address: SocketAddr, insecure: bool, metrics: Arc<dyn Metrics>) -> Result<Self> {
        if !is_loopback(address.ip()) && !insecure {
            return Err(Error::usage(format!(
                "{} is not loopback, so whoever reaches it could read the metrics; add \
                 --insecure-metrics if the network is your own",
                address.ip()
            )));
        }
        let failed = |cause: std::io::Error| {
            Error::unfit(format!(
                "failed to listen on {address} for the metrics: {cause}; name another address \
                 with --metrics, or end the program that holds this one"
            ))
        };
        let bound = Bound::bind(address).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let address = bound.local_addr().map_err(failed)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let given_up = Arc::<AtomicBool>::default();
        let served = Arc::new(Served {
            metrics,
            is_read: AtomicBool::new(false),
            given_up: Arc::clone(&given_up),
        });
        let thread = thread::Builder::new()
            .name("metrics".into())
            .spawn(move || runtime.block_on(serve(bound, served, stopped)))
            .map_err(failed)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
            given_up,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops once the last page has been read, this time is over, or `over` says so.
    pub fn end(mut self, linger: Nanos, over: &dyn Fn() -> bool) {
        self.stop(linger.to_duration(), over);
    }

    fn stop(&mut self, linger: Duration, over: &dyn Fn() -> bool) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(linger);
        }
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() {
                if over() {
                    self.given_up.store(true, Ordering::Release);
                }
                thread::park_timeout(LINGER_STEP);
            }
            // A panic there was printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stop(Duration::ZERO, &|| true);
    }
}

async fn serve(bound: Bound, served: Arc<Served>, mut stopped: oneshot::Receiver<Duration>) {
    let Ok(listener) = TcpListener::from_std(bound) else {
        return; // outside a runtime only
    };
    let mut open = Vec::new();
    let linger = loop {
        tokio::select! {
            linger = &mut stopped => break linger.unwrap_or_default(),
            () = accept(&listener, &served, &mut open) => {}
        }
    };
    let last = async {
        while !served.is_read.load(Ordering::Acquire) {
            if served.given_up.load(Ordering::Acquire) {
                return;
            }
            tokio::select! {
                () = sleep(LINGER_STEP) => {}
                () = accept(&listener, &served, &mut open) => {}
            }
        }
        sleep(LAST_BYTES).await;
    };
    // Who has not come by then reads `summary.json`.
    let _ = timeout(linger, last).await;
}

/// Takes the next connection in; where there are too many, the oldest makes room.
async fn accept(listener: &TcpListener, served: &Arc<Served>, open: &mut Vec<AbortHandle>) {
    let Ok((stream, _)) = listener.accept().await else {
        return sleep(Duration::from_millis(10)).await;
    };
    let _ = stream.set_nodelay(true);
    open.retain(|task| !task.is_finished());
    if open.len() >= LISTENER_CONNECTIONS_MAX {
        open.remove(0).abort();
    }
    let task = tokio::spawn(requests(stream, Arc::clone(served)));
    open.push(task.abort_handle());
}

async fn requests(stream: TcpStream, served: Arc<Served>) {
    let answering = service_fn(move |request: Request<Incoming>| {
        let response = served.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(usize::try_from(METRICS.entries_max()).unwrap_or(usize::MAX))
        .max_buf_size(METRICS.length_max());
    // A broken connection concerns its caller only.
    let _ = http.serve_connection(TokioIo::new(stream), answering).await;
}

impl Served {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "GET the page /metrics\n");
        }
        match path {
            "/metrics" => {
                let (families, last) = self.metrics.now();
                if last && method == Method::GET {
                    self.is_read.store(true, Ordering::Release);
                }
                response(StatusCode::OK, PAGE_TYPE, page(&families))
            }
            "/" => plain(StatusCode::OK, "threadbare: the page is /metrics\n"),
            _ => plain(StatusCode::NOT_FOUND, "there is only /metrics\n"),
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", text.to_owned())
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(
        CACHE_CONTROL,
        hyper::header::HeaderValue::from_static("no-store"),
    );
    response
}
