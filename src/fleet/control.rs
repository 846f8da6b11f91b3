//! The control listener that every part of the fleet has.
//!
//! It has threads of its own, so that exhausted workers cannot starve it, and
//! listens on loopback only. Three things keep strangers out: the run's random
//! token; no `Origin` header, which a browser adds when a page of some other
//! site makes it call us; and a `Host` that is this listener's own address,
//! which a name that somebody points at loopback (DNS rebinding) is not.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use sha2::{Digest, Sha256};

use super::open::{Limit, Unlimited};
use super::wire::{self, Handler, Request, Response};
use crate::bounds::LISTENER_CONNECTIONS_MAX;
use crate::error::{Error, Result};

/// Serves control requests that carry `token` on a free loopback port, from
/// threads of their own; what `handler` gives none for is answered with 404.
pub(super) fn listen(
    token: &str,
    handler: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
) -> Result<SocketAddr> {
    listen_beside(token, Arc::new(Unlimited), handler)
}

/// As [`listen`], beside this limit on descriptors.
pub(super) fn listen_beside(
    token: &str,
    limit: Arc<dyn Limit>,
    handler: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
) -> Result<SocketAddr> {
    let failed = |cause| {
        Error::unfit(format!(
            "failed to open a control listener on loopback: {cause}"
        ))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let token = Sha256::digest(token);
    let guarded: Handler = Arc::new(move |request| match refuse(request, address, &token) {
        Some(refusal) => refusal,
        None => handler(request)
            .unwrap_or_else(|| Response::error(404, "there is no such control route")),
    });
    thread::Builder::new()
        .name("control".into())
        .spawn(move || {
            let most = LISTENER_CONNECTIONS_MAX;
            wire::serve_beside(&listener, "control", most, &limit, &guarded);
        })
        .map_err(|cause| Error::unfit(format!("failed to start a control thread: {cause}")))?;
    Ok(address)
}

/// Why the request may not pass, if it may not.
fn refuse(request: &Request, own: SocketAddr, token: &[u8]) -> Option<Response> {
    if request.header("origin").is_some() {
        return Some(Response::error(403, "requests of web pages are refused"));
    }
    let names_us = request
        .header("host")
        .is_some_and(|host| host == own.to_string() || host == format!("localhost:{}", own.port()));
    if !names_us {
        return Some(Response::error(
            403,
            "the Host header must be this listener's own loopback address",
        ));
    }
    // Hashes are compared, so that the time it takes says nothing of the token.
    let known = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|given| Sha256::digest(given).as_slice() == token);
    (!known).then(|| Response::error(401, "the run's control token is missing or wrong"))
}
