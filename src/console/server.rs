//! The console's address: a thread of its own that answers pages and tools.
//!
//! | route | who |
//! |---|---|
//! | `GET /` and the files of the page | everybody, without a key |
//! | `GET /plan`, `GET /events?from=` | any key |
//! | `GET /runs`, `GET /shown?…` | any key, of finished runs |
//! | `GET /shown/TICKET` | whoever was given the ticket |
//! | `POST /join`, `/act`, `/hold`, `/go-on`, `/stop`, `/note`, `/predict`, `/happened` | as `game` says |
//!
//! No GET does anything, and a POST is JSON from this address. The run is on the other side
//! of two queues: what it tells comes through `ui::Aside`, what people ask for goes through
//! the conductor's inbox. So no browser can hold it up.

use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connections::{Connections, Turn};
use super::pages::PageBody;
use super::site::Site;
use crate::bounds::{CONSOLE, CONSOLE_CONNECTIONS_MAX, HEAD_TIME_MAX, REQUEST_TIME_MAX};
use crate::error::{Error, Result};

/// So often frames that are known better are looked for: half of what anybody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long pages may take to get the end: a page whose connection broke connects again
/// within a second.
const LINGER: Duration = Duration::from_secs(2);
/// So often it is asked whether all have it.
const LINGER_STEP: Duration = Duration::from_millis(20);
/// What the kernel may still have to send then.
const LAST_BYTES: Duration = Duration::from_millis(50);

/// A thread that serves, until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    stop: Option<oneshot::Sender<bool>>,
    thread: Option<JoinHandle<()>>,
}

/// A socket that listens, before anybody is answered.
#[derive(Debug)]
pub(super) struct Listening {
    bound: Bound,
    address: SocketAddr,
}

impl Listening {
    /// Listens.
    ///
    /// # Errors
    ///
    /// Where the address cannot be had.
    pub(super) fn at(address: SocketAddr) -> Result<Self> {
        let failed = |cause| failed(address, &cause);
        let bound = Bound::bind(address).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            address: bound.local_addr().map_err(failed)?,
            bound,
        })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the thread that answers.
    ///
    /// # Errors
    ///
    /// Where there can be none.
    pub(super) fn serve(self, site: Arc<Site>, tls: Option<Arc<ServerConfig>>) -> Result<Server> {
        let address = self.address;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| failed(address, &cause))?;
        let (stop, stopped) = oneshot::channel();
        let tls = tls.map(TlsAcceptor::from);
        let thread = thread::Builder::new()
            .name("console".into())
            .spawn(move || {
                runtime.block_on(serve(self.bound, site, tls, stopped));
                // What still reads a run from the disk is not waited for.
                runtime.shutdown_background();
            })
            .map_err(|cause| failed(address, &cause))?;
        Ok(Server {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn failed(address: SocketAddr, cause: &std::io::Error) -> Error {
    Error::unfit(format!(
        "failed to listen on {address} for the console: {cause}; choose another \
         port, or end the program that holds this one"
    ))
}

impl Server {
    /// Stops, once pages have got what is left, or have been waited for long enough.
    pub(super) fn end(mut self) {
        self.stop(true);
    }

    fn stop(&mut self, linger: bool) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(linger);
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(false);
    }
}

async fn serve(
    bound: Bound,
    site: Arc<Site>,
    tls: Option<TlsAcceptor>,
    mut stopped: oneshot::Receiver<bool>,
) {
    let Ok(listener) = TcpListener::from_std(bound) else {
        return; // outside a runtime only
    };
    let mut connections = Connections::new(CONSOLE_CONNECTIONS_MAX);
    let mut look = interval(LOOK_EVERY);
    let linger = loop {
        tokio::select! {
            linger = &mut stopped => break linger.unwrap_or(false),
            _ = look.tick() => site.look(),
            () = accept(&listener, &site, tls.as_ref(), &mut connections) => {}
        }
    };
    if linger {
        let last = async {
            while !site.readers().are_done() {
                tokio::select! {
                    () = sleep(LINGER_STEP) => {}
                    () = accept(&listener, &site, tls.as_ref(), &mut connections) => {}
                }
            }
            sleep(LAST_BYTES).await;
        };
        // Who has not come by then reads the report.
        let _ = timeout(LINGER, last).await;
    }
}

/// Takes the next connection in.
async fn accept(
    listener: &TcpListener,
    site: &Arc<Site>,
    tls: Option<&TlsAcceptor>,
    connections: &mut Connections,
) {
    let Ok((stream, _)) = listener.accept().await else {
        return sleep(Duration::from_millis(10)).await;
    };
    let _ = stream.set_nodelay(true);
    let turn = connections.next_turn();
    let serving = connection(stream, Arc::clone(site), tls.cloned(), turn.clone());
    let task = tokio::spawn(serving);
    connections.admit(task.abort_handle(), turn);
}

async fn connection(stream: TcpStream, site: Arc<Site>, tls: Option<TlsAcceptor>, turn: Turn) {
    let Some(tls) = tls else {
        return requests(stream, site, turn).await;
    };
    if let Ok(Ok(stream)) = timeout(REQUEST_TIME_MAX, tls.accept(stream)).await {
        requests(stream, site, turn).await;
    }
}

async fn requests<S>(stream: S, site: Arc<Site>, turn: Turn)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answering = service_fn(move |request: Request<Incoming>| {
        let (site, turn) = (Arc::clone(&site), turn.clone());
        async move {
            turn.touch();
            let response: Response<PageBody> = site.answer(request, turn).await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(usize::try_from(CONSOLE.entries_max()).unwrap_or(usize::MAX));
    // A broken connection concerns its caller only.
    let _ = server
        .serve_connection(TokioIo::new(stream), answering)
        .await;
}
