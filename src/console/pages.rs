//! What the page consists of, in the binary, and how every answer is written.
//!
//! Nothing is loaded from elsewhere, and nothing that a person or a target wrote can run:
//! the policy allows scripts of this address only, and none that stands in a page.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::refusal::Refusal;

/// Of the page: its own scripts, styles and connections, and no others'.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
/// Of a report, whose scripts and styles stand in it: it reaches nobody, and is no page of
/// this address.
const REPORT_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
                             style-src 'unsafe-inline'; img-src data:; sandbox allow-scripts; \
                             frame-ancestors 'none'";

/// A file of the page: path, type, content.
type Asset = (&'static str, &'static str, &'static str);

/// The page's own files, and those that it shares with the report.
const ASSETS: [Asset; 15] = [
    ("/", HTML, include_str!("assets/page.html")),
    ("/actions.js", SCRIPT, include_str!("assets/actions.js")),
    ("/charts.js", SCRIPT, include_str!("assets/charts.js")),
    ("/console.css", STYLE, include_str!("assets/console.css")),
    ("/console.js", SCRIPT, include_str!("assets/console.js")),
    ("/dom.js", SCRIPT, include_str!("assets/dom.js")),
    ("/feed.js", SCRIPT, include_str!("assets/feed.js")),
    ("/log.js", SCRIPT, include_str!("assets/log.js")),
    ("/people.js", SCRIPT, include_str!("assets/people.js")),
    ("/playback.js", SCRIPT, include_str!("assets/playback.js")),
    ("/runs.js", SCRIPT, include_str!("assets/runs.js")),
    ("/store.js", SCRIPT, include_str!("assets/store.js")),
    ("/draw.js", SCRIPT, include_str!("../report/assets/draw.js")),
    (
        "/uplot.js",
        SCRIPT,
        include_str!("../report/assets/uPlot.iife.min.js"),
    ),
    (
        "/uplot.css",
        STYLE,
        include_str!("../report/assets/uPlot.min.css"),
    ),
];
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A body: whole, or one that grows.
#[derive(Debug)]
pub(super) enum PageBody {
    /// Whole.
    Whole(Option<Bytes>),
    /// What comes, until nothing does.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(pieces) => {
                let next = pieces.poll_recv(context);
                next.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                hyper::body::SizeHint::with_exact(length as u64)
            }
            Self::Stream(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// The file of the page at this path.
pub(super) fn asset(path: &str) -> Option<Response<PageBody>> {
    let mut assets = ASSETS.iter();
    let (_, kind, text) = assets.find(|(own, ..)| *own == path)?;
    Some(answer(200, kind, Bytes::from_static(text.as_bytes())))
}

/// An answer in JSON.
pub(super) fn json_answer(status: u16, value: &Value) -> Response<PageBody> {
    answer(status, "application/json", Bytes::from(value.to_string()))
}

/// The answer that a refusal is.
pub(super) fn refused(refusal: &Refusal) -> Response<PageBody> {
    let mut response = json_answer(refusal.status, &json!({ "error": refusal.sentence }));
    if refusal.status == 405 {
        let allowed = HeaderValue::from_static("GET, POST");
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// A page that is whole in itself: a report.
pub(super) fn report(html: String) -> Response<PageBody> {
    let mut response = answer(200, HTML, Bytes::from(html));
    let policy = HeaderValue::from_static(REPORT_POLICY);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// Events as they come.
pub(super) fn events(pieces: mpsc::Receiver<Bytes>) -> Response<PageBody> {
    with_headers(200, "text/event-stream", PageBody::Stream(pieces))
}

fn answer(status: u16, kind: &'static str, bytes: Bytes) -> Response<PageBody> {
    with_headers(status, kind, PageBody::Whole(Some(bytes)))
}

fn with_headers(status: u16, kind: &'static str, body: PageBody) -> Response<PageBody> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers: [(HeaderName, &'static str); 7] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}
