//! One request, one answer: for ready checks and hooks, not for load.
//!
//! Each has a connection of its own and a limit on the whole. No redirect is
//! followed: the address that was checked is the only one that is sent to.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::model::Url;
use crate::units::Nanos;

/// Bytes of an answer that are kept.
const BODY_MAX: usize = 64 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A request that is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct HttpRequest<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    pub address: SocketAddr,
    pub headers: &'a [(String, String)],
    pub body: &'a str,
}

/// Asks, and waits for the answer for so long.
///
/// # Errors
///
/// Why there is none, in words.
pub(super) fn ask(asked: &HttpRequest<'_>, timeout: Nanos) -> Result<HttpAnswer, String> {
    within(timeout, exchange(asked))?
}

/// Whether a connection can be made within so long.
///
/// # Errors
///
/// Why not, in words.
pub(super) fn connects(address: SocketAddr, timeout: Nanos) -> Result<(), String> {
    let connected = within(timeout, TcpStream::connect(address))?;
    connected.map(drop).map_err(|cause| cause.to_string())
}

fn within<T>(timeout: Nanos, future: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| format!("failed to begin: {cause}"))?;
    runtime
        .block_on(async { tokio::time::timeout(timeout.to_duration(), future).await })
        .map_err(|_| format!("no answer within {timeout}"))
}

async fn exchange(asked: &HttpRequest<'_>) -> Result<HttpAnswer, String> {
    let text = |cause: &dyn std::fmt::Display| cause.to_string();
    let stream = TcpStream::connect(asked.address)
        .await
        .map_err(|cause| text(&cause))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|cause| text(&cause))?;
    let exchange = async {
        let mut request = hyper::Request::builder()
            .method(asked.method)
            .uri(&asked.url.target);
        let given = |name: &str| {
            asked
                .headers
                .iter()
                .any(|(it, _)| it.eq_ignore_ascii_case(name))
        };
        if !given("host") {
            request = request.header("host", &asked.url.authority);
        }
        for (name, value) in asked.headers {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(asked.body.to_owned()));
        let request = request.body(body).map_err(|cause| text(&cause))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|cause| text(&cause))?;
        let status = response.status().as_u16();
        // What is longer is not needed: the status has been read.
        let body = Limited::new(response.into_body(), BODY_MAX).collect().await;
        let body = body.map_or_else(|_| Vec::new(), |body| body.to_bytes().to_vec());
        Ok(HttpAnswer { status, body })
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        // It ends with the last byte read, or breaks, which the exchange then tells.
        _ = &mut connection => exchange.await,
    }
}
