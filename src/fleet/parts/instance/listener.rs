//! Accepts connections, reads requests, and hands them to the workers.
//!
//! Runs on one thread and never blocks. Where the caller goes, hyper drops the
//! future that waits for the answer; the job stays where it is.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::super::connections::{self, Accepts};
use super::Shared;
use super::api::{self, ApiAnswer, BODY_MAX};
use super::job::{Job, Presence};
use crate::error::Result;
use crate::model::{ATTEMPT_HEADER, Patience, Standing, TIME_LEFT_HEADER};

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    connections::serve(listener, Arc::clone(&shared), move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(respond(answer(&shared, request).await)) }
    })
    .await
}

impl Accepts for Arc<Shared> {
    fn alone(&self) -> impl Sized {
        self.descriptors.alone()
    }

    fn refused(&self) {
        self.pool.accept_failed();
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> ApiAnswer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
        return ApiAnswer::error(413, &api::too_long());
    };
    let body = body.to_bytes();
    let call = match api::understand(&head.method, head.uri.path(), head.uri.query(), &body) {
        Ok(call) => call,
        Err(refusal) => return refusal,
    };
    let token = head
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .map(str::to_owned);
    let standing = if call.is_probe() {
        Standing::Probe
    } else {
        let told = head.headers.get(ATTEMPT_HEADER);
        Standing::of_attempt(told.map(HeaderValue::as_bytes))
    };
    let left_ms = head
        .headers
        .get(TIME_LEFT_HEADER)
        .filter(|_| shared.spec.propagate_deadline)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    // Nothing else is done on this thread either, and that is what stands still.
    shared.world.pass();
    let (reply, answered) = oneshot::channel();
    let presence = Presence::new(shared.pool.clock);
    let job = Job::Request {
        call,
        token,
        reply,
        caller: presence.caller(),
        patience: Patience::told(shared.pool.clock.now(), left_ms),
    };
    match shared.pool.submit(standing, job) {
        Ok(()) => {}
        Err(Some(denial)) => return ApiAnswer::denied(denial),
        Err(None) => std::future::pending().await,
    }
    match answered.await {
        Ok(Some(answer)) => answer,
        // Never answered, or lost with the instance: whoever waits, waits
        // until they or the instance go.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn respond(answer: ApiAnswer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).expect("answers have valid statuses");
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
