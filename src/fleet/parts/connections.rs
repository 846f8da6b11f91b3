//! Accepting HTTP connections with hyper: what balancer and instances share.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};
use crate::model::fault::ACCEPT_PAUSE;

/// A runtime that uses the calling thread and no other.
pub(super) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::unfit(format!("failed to start a runtime: {cause}")))
}

/// Listens at the address.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|cause| {
        Error::unfit(format!(
            "failed to listen on {address}: {cause}; name another address, \
             or end the program that holds this one"
        ))
    })
}

/// The address that the listener got.
pub(super) fn local_address(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|cause| Error::failed(format!("failed to read a listener's address: {cause}")))
}

/// Whether somebody waits to be accepted: without a free descriptor the kernel refuses before
/// it looks.
fn waits(listener: &TcpListener) -> bool {
    let mut polled = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// What is held while a connection is accepted, and told where none could be.
pub(super) trait Accepts {
    /// Nobody opens a descriptor beside a limit while this is held.
    fn alone(&self) -> impl Sized;

    /// A try to accept a connection failed.
    fn refused(&self);
}

/// They are not limited.
impl Accepts for () {
    fn alone(&self) -> impl Sized {}

    fn refused(&self) {}
}

/// Answers every request with `handle`, until the process ends.
pub(super) async fn serve<H, F>(
    listener: TcpListener,
    accepts: impl Accepts,
    handle: H,
) -> Result<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = std::result::Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
{
    loop {
        let accepted = poll_fn(|context| {
            let _alone = accepts.alone();
            listener.poll_accept(context)
        });
        let Ok((stream, _)) = accepted.await else {
            // No free file descriptor: one may be free in a moment. What is made
            // meanwhile waits in the kernel, and no processor is burned.
            if waits(&listener) {
                accepts.refused();
            }
            tokio::time::sleep(ACCEPT_PAUSE.to_duration()).await;
            continue;
        };
        // Without this a small answer may wait 40 ms for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let handle = handle.clone();
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle));
            // A broken connection concerns its caller only.
            let _ = connection.await;
        });
    }
}
