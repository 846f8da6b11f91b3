//! A published HTTP server (hyper, rustls) for what a server of our own would
//! only agree with us about: HTTP/2, TLS, Unix sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, oneshot};
use tokio_rustls::TlsAcceptor;

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    /// Connections that were open at a time: now, and at most.
    open: Mutex<(usize, usize)>,
    /// Version and target of each request, with the bytes of its body.
    pub(crate) requests: Mutex<Vec<(Version, String, usize)>>,
    /// Whether it answers 500.
    broken: AtomicBool,
}

/// How it behaves. It answers at once, but never to `/hang`; from `/break` on with 500, until
/// `/mend`.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// Requests of an HTTP/2 connection at a time, at most.
    pub(crate) streams: Option<u32>,
    /// After so many requests of a connection it says that it takes no more.
    pub(crate) goes_away_after: Option<usize>,
    /// Encryption.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// A server that runs until it is dropped.
pub(crate) struct Published {
    pub(crate) seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Published {
    /// On a free port of an address.
    pub(crate) fn tcp(address: &str, manner: Manner) -> (Self, SocketAddr) {
        let listener = std::net::TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let bound = listener.local_addr().unwrap();
        let server = Self::start(manner, async move |manner, seen| {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Manner::clone(&manner), Arc::clone(&seen)));
            }
        });
        (server, bound)
    }

    /// On a Unix socket.
    pub(crate) fn unix(path: &Path, manner: Manner) -> Self {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::start(manner, async move |manner, seen| {
            let listener = UnixListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Manner::clone(&manner), Arc::clone(&seen)));
            }
        })
    }

    fn start<F>(manner: Manner, accept: F) -> Self
    where
        F: AsyncFnOnce(Manner, Arc<Seen>) + Send + 'static,
    {
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = oneshot::channel();
        let known = Arc::clone(&seen);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(manner, known) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            seen,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn requests(&self) -> Vec<(Version, String, usize)> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Most connections that were open at a time.
    pub(crate) fn open_max(&self) -> usize {
        self.seen.open.lock().unwrap().1
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    manner: Manner,
    seen: Arc<Seen>,
) {
    seen.connections.fetch_add(1, Ordering::Relaxed);
    let known = Arc::clone(&seen);
    {
        let (open, most) = &mut *known.open.lock().unwrap();
        *open += 1;
        *most = (*most).max(*open);
    }
    match manner.tls.clone() {
        None => converse(socket, manner, seen).await,
        Some(config) => {
            // Who does not agree on encryption is gone.
            if let Ok(stream) = TlsAcceptor::from(config).accept(socket).await {
                converse(stream, manner, seen).await;
            }
        }
    }
    known.open.lock().unwrap().0 -= 1;
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    manner: Manner,
    seen: Arc<Seen>,
) {
    let enough = Arc::new(Notify::new());
    let count = Arc::new(AtomicUsize::new(0));
    let signal = Arc::clone(&enough);
    let service = service_fn(move |request: Request<Incoming>| {
        let (seen, signal) = (Arc::clone(&seen), Arc::clone(&signal));
        let before = count.fetch_add(1, Ordering::Relaxed);
        async move {
            if manner.goes_away_after == Some(before + 1) {
                signal.notify_one();
            }
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let target = head.uri.path().to_owned();
            let entry = (head.version, target.clone(), body.len());
            seen.requests.lock().unwrap().push(entry);
            if target == "/hang" {
                std::future::pending::<()>().await;
            }
            if matches!(target.as_str(), "/break" | "/mend") {
                seen.broken.store(target == "/break", Ordering::Relaxed);
            } else if seen.broken.load(Ordering::Relaxed) {
                let mut failed = Response::new(Full::default());
                *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return Ok(failed);
            }
            let text = Bytes::from(format!("{} bytes", body.len()));
            Ok::<_, hyper::Error>(Response::new(Full::new(text)))
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(manner.streams);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = enough.notified() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
