//! The bytes of requests, made from pieces that were formatted once.
//!
//! A request is mostly the same each time; so it is copied together from what
//! surrounds its values, into a buffer that is used again.

mod hops;

use std::borrow::Cow;
use std::sync::Arc;

use self::hops::Hops;
use super::endpoint::{Endpoint, Protocol};
use super::http2::{write_field, write_length};
use crate::clients::StepRequest;
use crate::model::{
    ATTEMPT_HEADER, CheckFailure, Content, Elsewhere, Expected, HttpOrigin, HttpWork, Learnt,
    NotFollowed, OperationKind, Part, RowOrder, Rows, Step, TIME_LEFT_HEADER, Table, Template,
    Tracing, host_of,
};
use crate::net::KnownHosts;
use crate::plan::{Draft, MixEntry, Request};
use crate::units::Nanos;

/// What a created task is called.
const CREATE_BODY: &str = r#"{"title":"filed under load"}"#;
/// How a task is updated.
const UPDATE_BODY: &str = r#"{"done":true}"#;

/// The header field of W3C's Trace Context.
const TRACE_FIELD: &str = "traceparent";

/// How threadbare introduces itself.
pub(super) const AGENT: &str = concat!("threadbare/", env!("CARGO_PKG_VERSION"));

/// A piece of a request.
#[derive(Debug, Clone)]
enum Piece {
    /// Always the same.
    Bytes(Vec<u8>),
    /// The number of the project or task that a request to the fleet is about.
    Subject,
    /// The token of the user who asks the fleet.
    Token,
    /// The milliseconds that the fleet is told to have.
    TimeLeft,
    /// The word for which attempt it is.
    Attempt,
    /// The field with the operation's trace, where requests tell it.
    Trace(FieldPlace),
    /// Path and query that a redirect has led to.
    Redirected,
    /// Host and port that a redirect has led to.
    RedirectedHost,
    /// A value in a path or query: what a URL does not allow is escaped.
    InTarget(Part),
    /// A value in a header field, without what would end the line.
    InField(Part),
    /// A value in a body, as it is.
    InBody(Part),
    /// The decimal length of the body.
    BodyLength,
    /// Pieces with their length before them, as HTTP/2 writes a text.
    Measured(Vec<Piece>),
    /// The field of the operation's cookies, where it has some for this path.
    Cookies {
        /// Path and query.
        target: Vec<Piece>,
        /// Whether it is written as HTTP/2 has it.
        http2: bool,
    },
}

/// Where a field stands that there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldPlace {
    /// Before the end of a line.
    BeforeEnd,
    /// On a line of its own.
    Line,
    /// In a field block of HTTP/2.
    Block,
}

/// What requests tell the fleet of themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Telling {
    /// How long the caller still waits.
    pub(super) time_left: bool,
    /// Whether it is the first try.
    pub(super) attempt: bool,
}

impl Telling {
    /// The pieces that tell it, between the token and the line's end after it.
    fn pieces(self) -> Vec<Piece> {
        let name = |name: &str| Piece::Bytes(format!("\r\n{name}: ").into_bytes());
        let mut pieces = Vec::new();
        if self.time_left {
            pieces.extend([name(TIME_LEFT_HEADER), Piece::TimeLeft]);
        }
        if self.attempt {
            pieces.extend([name(ATTEMPT_HEADER), Piece::Attempt]);
        }
        pieces
    }
}

/// How the answer to a step is looked into.
#[derive(Debug)]
struct Inspected {
    step: Step,
    /// Whether its cookies are kept.
    cookies: bool,
    /// Redirects that are followed at most.
    follow: u32,
    /// Path and query of the request.
    target: Vec<Piece>,
}

/// The request of one step.
#[derive(Debug, Clone)]
struct Form {
    /// The head; of HTTP/2, the field block.
    head: Vec<Piece>,
    body: Vec<Piece>,
    idempotent: bool,
    /// Whether the response has no body whatever it says (HEAD).
    to_head: bool,
    /// What its answer must be.
    expected: Expected,
    /// How its answer is looked into, where it is.
    inspected: Option<Arc<Inspected>>,
    /// Whether its body is sent in chunks.
    chunked: bool,
    /// How long the user thinks before it.
    pause: Nanos,
    /// The requests that redirects may lead to, where they are followed.
    hops: Option<Box<Hops>>,
}

/// Whether doing it twice is the same as doing it once: RFC 9110, section 9.2.2.
fn idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
}

/// The fields that every request to the fleet has, up to the token.
fn fields(host: &str) -> String {
    format!("host: {host}\r\nuser-agent: {AGENT}\r\nauthorization: Bearer ")
}

impl Form {
    /// A request to the fleet.
    fn of_fleet(entry: &MixEntry, host: &str, telling: Telling) -> Self {
        let (method, before, after, body) = match entry.request {
            Request::ListTasks => ("GET", "/projects/", "/tasks", None),
            Request::CreateTask => ("POST", "/projects/", "/tasks", Some(CREATE_BODY)),
            Request::UpdateTask => ("PATCH", "/tasks/", "", Some(UPDATE_BODY)),
            Request::CloseProject => ("POST", "/projects/", "/close", Some("")),
        };
        let after_token = match body {
            None => "\r\n\r\n".to_owned(),
            Some("") => "\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Some(body) => format!(
                "\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        let bytes = |text: String| Piece::Bytes(text.into_bytes());
        let mut head = vec![
            bytes(format!("{method} {before}")),
            Piece::Subject,
            bytes(format!("{after} HTTP/1.1\r\n{}", fields(host))),
            Piece::Token,
        ];
        head.extend(telling.pieces());
        head.push(Piece::Trace(FieldPlace::BeforeEnd));
        head.push(bytes(after_token));
        Self {
            head,
            body: Vec::new(),
            idempotent: idempotent(method),
            to_head: false,
            expected: entry.expected(),
            inspected: None,
            chunked: false,
            pause: Nanos::ZERO,
            hops: None,
        }
    }

    /// A step of the user's own.
    fn of_step(kind: &OperationKind, step: &Step, host: &str, endpoint: &Endpoint) -> Self {
        let host = Piece::Bytes(host.as_bytes().to_vec());
        let target = pieces(&step.target, Piece::InTarget);
        let hops = (kind.follow > 0).then(|| Box::new(Hops::of(kind, step, &host, endpoint)));
        Self {
            hops,
            ..Self::to(target, kind, step, &host, endpoint)
        }
    }

    /// The same to this target.
    fn to(
        target: Vec<Piece>,
        kind: &OperationKind,
        step: &Step,
        host: &Piece,
        endpoint: &Endpoint,
    ) -> Self {
        let http2 = matches!(endpoint.protocol, Protocol::Http2 { .. });
        let chunked = step.chunked() && !http2;
        let headers = headers(step, host, chunked);
        let mut head = if http2 {
            block(step, target.clone(), headers, endpoint.tls.is_some())
        } else {
            head(step, target.clone(), headers)
        };
        let told = |name: &str| name.eq_ignore_ascii_case(TRACE_FIELD);
        if !step.headers.iter().any(|(name, _)| told(name)) {
            head.push(Piece::Trace(if http2 {
                FieldPlace::Block
            } else {
                FieldPlace::Line
            }));
        }
        if kind.cookies {
            let target = target.clone();
            head.push(Piece::Cookies { target, http2 });
        }
        if !http2 {
            head.push(Piece::Bytes(b"\r\n".to_vec()));
        }
        Self {
            head: joined(head),
            body: joined(pieces(&step.body, Piece::InBody)),
            idempotent: idempotent(&step.method),
            to_head: step.method == "HEAD",
            expected: step.expected.clone(),
            inspected: (step.looks_inside() || kind.cookies || kind.follow > 0).then(|| {
                Arc::new(Inspected {
                    step: step.clone(),
                    cookies: kind.cookies,
                    follow: kind.follow,
                    target,
                })
            }),
            chunked,
            pause: step.pause,
            hops: None,
        }
    }
}

/// The pieces of a template, its values in such a place.
fn pieces(template: &Template, place: impl Fn(Part) -> Piece) -> Vec<Piece> {
    let parts = template.iter().map(|part| match part {
        Part::Literal(bytes) => Piece::Bytes(bytes.clone()),
        value => place(value.clone()),
    });
    parts.collect()
}

/// Neighbours that are always the same, as one.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Bytes(before)), Piece::Bytes(bytes)) => before.extend(bytes),
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

/// The header fields of a request, its host first: what the user did not name,
/// among it the length of a body, or of none where one is expected, then the rest.
fn headers<'a>(step: &'a Step, host: &Piece, chunked: bool) -> Vec<(Cow<'a, str>, Vec<Piece>)> {
    let given = |name: &str| {
        let mut headers = step.headers.iter();
        headers.find(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    let same = |text: &str| vec![Piece::Bytes(text.as_bytes().to_vec())];
    let mut headers: Vec<(Cow<'_, str>, Vec<Piece>)> = Vec::new();
    let given_host = given("host").map(|(_, value)| pieces(value, Piece::InField));
    let host = given_host.unwrap_or_else(|| vec![host.clone()]);
    headers.push(("host".into(), host));
    if given("user-agent").is_none() {
        headers.push(("user-agent".into(), same(AGENT)));
    }
    let expects_body = matches!(step.method.as_str(), "POST" | "PUT" | "PATCH");
    let bodied = expects_body || !step.body.is_empty();
    if given("content-length").is_none() && bodied && !chunked {
        let length = match step.body.as_slice() {
            [] => same("0"),
            [Part::Literal(body)] => same(&body.len().to_string()),
            _ => vec![Piece::BodyLength],
        };
        headers.push(("content-length".into(), length));
    }
    let rest = step.headers.iter();
    let rest = rest.filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    headers.extend(rest.map(|(name, value)| (name.into(), pieces(value, Piece::InField))));
    headers
}

/// A head as HTTP/1.1 writes it, up to the empty line.
fn head(step: &Step, target: Vec<Piece>, headers: Vec<(Cow<'_, str>, Vec<Piece>)>) -> Vec<Piece> {
    let bytes = |text: &str| Piece::Bytes(text.as_bytes().to_vec());
    let mut head = vec![bytes(&step.method), bytes(" ")];
    head.extend(target);
    head.push(bytes(" HTTP/1.1\r\n"));
    for (name, value) in headers {
        head.extend([bytes(&name), bytes(": ")]);
        head.extend(value);
        head.push(bytes("\r\n"));
    }
    head
}

/// Fields that say something about an HTTP/1.1 connection, and that HTTP/2 does
/// not know (RFC 9113, section 8.2.2).
const OF_A_CONNECTION: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// A field block as HTTP/2 writes it.
fn block(
    step: &Step,
    target: Vec<Piece>,
    headers: Vec<(Cow<'_, str>, Vec<Piece>)>,
    encrypted: bool,
) -> Vec<Piece> {
    let mut block = Vec::new();
    let mut field = |name: &str, value: Vec<Piece>| {
        let mut value = joined(value);
        let mut bytes = Vec::new();
        if let [Piece::Bytes(same)] = value.as_slice() {
            write_field(name.as_bytes(), same, &mut bytes);
            return block.push(Piece::Bytes(bytes));
        }
        // An empty value, its length taken off again: what comes has its own.
        write_field(name.as_bytes(), b"", &mut bytes);
        bytes.pop();
        block.push(Piece::Bytes(bytes));
        block.push(Piece::Measured(std::mem::take(&mut value)));
    };
    let same = |text: &str| vec![Piece::Bytes(text.as_bytes().to_vec())];
    field(":method", same(&step.method));
    field(":scheme", same(if encrypted { "https" } else { "http" }));
    field(":path", target);
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if name == "host" {
            field(":authority", value);
        } else if !OF_A_CONNECTION.contains(&name.as_str()) {
            field(&name, value);
        }
    }
    block
}

/// A request that is written, and when.
#[derive(Clone, Copy)]
struct Asking<'a> {
    request: &'a StepRequest<'a>,
    now: Nanos,
}

/// Formats the requests of users, and knows what their answers must be.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    /// The steps of each entry of the mix.
    entries: Vec<Vec<Form>>,
    /// Of the fleet, the tokens of the users that each entry chooses from.
    tokens: Vec<Vec<String>>,
    tables: Arc<[Table]>,
    /// Where operations begin.
    origin: HttpOrigin,
    /// Where redirects may lead besides.
    redirects: Option<KnownHosts>,
    /// What they say of their traces.
    trace: Option<Tracing>,
    body: Vec<u8>,
    text: Vec<u8>,
}

impl Requests {
    /// The user's own operations, to `host`.
    pub(super) fn http(work: &HttpWork, host: &str, endpoint: &Endpoint) -> Self {
        let entries = work.operations.iter().map(|kind| {
            let steps = kind.steps.iter();
            let forms = steps.map(|step| Form::of_step(kind, step, host, endpoint));
            forms.collect()
        });
        let redirects = endpoint.redirects.as_ref();
        Self {
            origin: HttpOrigin::named(endpoint.tls.is_some(), host).unwrap_or_default(),
            redirects: redirects.map(|redirects| redirects.hosts.clone()),
            ..Self::new(entries.collect(), Vec::new(), work.tables.clone().into())
        }
    }

    /// Requests to the fleet at `host`, each entry of the mix with its users' tokens.
    pub(super) fn fleet(
        host: &str,
        mix: &[MixEntry],
        tokens: Vec<Vec<String>>,
        telling: Telling,
    ) -> Self {
        let entries = mix.iter();
        Self::new(
            entries
                .map(|entry| vec![Form::of_fleet(entry, host, telling)])
                .collect(),
            tokens,
            Arc::new([]),
        )
    }

    fn new(entries: Vec<Vec<Form>>, tokens: Vec<Vec<String>>, tables: Arc<[Table]>) -> Self {
        Self {
            entries,
            tokens,
            tables,
            origin: HttpOrigin::default(),
            redirects: None,
            trace: None,
            body: Vec::new(),
            text: Vec::new(),
        }
    }

    /// The same, and what they say of their traces.
    pub(super) fn traced(self, trace: Option<Tracing>) -> Self {
        Self { trace, ..self }
    }

    fn form(&self, draft: &Draft, step: usize) -> &Form {
        &self.entries[usize::from(draft.entry)][step]
    }

    /// The form of a request, which may be one that a redirect has led to.
    fn form_of(&self, request: &StepRequest<'_>) -> &Form {
        let form = self.form(request.draft, request.step);
        match (&request.learnt.redirected, &form.hops) {
            (Some(redirected), Some(hops)) => hops.form(redirected),
            _ => form,
        }
    }

    /// Steps of an operation.
    pub(super) fn steps(&self, draft: &Draft) -> usize {
        self.entries[usize::from(draft.entry)].len()
    }

    /// Writes a request as HTTP/1.1 does over what is in `bytes`.
    pub(super) fn write(&mut self, request: &StepRequest<'_>, now: Nanos, bytes: &mut Vec<u8>) {
        let chunked = self.form_of(request).chunked;
        let body = self.write_fields(request, now, bytes);
        if !chunked {
            return bytes.extend_from_slice(body);
        }
        if !body.is_empty() {
            bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    }

    /// Writes a request's head, or field block, over what is in `head`: the
    /// request's body.
    pub(super) fn write_fields(
        &mut self,
        request: &StepRequest<'_>,
        now: Nanos,
        head: &mut Vec<u8>,
    ) -> &[u8] {
        let asking = Asking { request, now };
        let mut body = std::mem::take(&mut self.body);
        let mut text = std::mem::take(&mut self.text);
        head.clear();
        body.clear();
        let form = self.form_of(request);
        for piece in &form.body {
            self.piece(piece, asking, 0, &mut text, &mut body);
        }
        for piece in &form.head {
            self.piece(piece, asking, body.len(), &mut text, head);
        }
        self.text = text;
        self.body = body;
        &self.body
    }

    /// Appends a piece; `text` is for what must be measured first.
    fn piece(
        &self,
        piece: &Piece,
        asking: Asking<'_>,
        body_length: usize,
        text: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        let draft = asking.request.draft;
        match piece {
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
            Piece::Subject => write_number(draft.subject.into(), out),
            Piece::Token => {
                let users = &self.tokens[usize::from(draft.entry)];
                out.extend_from_slice(users[draft.user as usize].as_bytes());
            }
            Piece::TimeLeft => write_number(asking.request.left_ms(asking.now), out),
            Piece::Attempt => out.extend_from_slice(asking.request.attempt().as_bytes()),
            Piece::Trace(place) => self.write_trace(*place, asking, out),
            Piece::Redirected => {
                let redirected = asking.request.learnt.redirected.as_deref();
                out.extend_from_slice(redirected.map_or(b"/", |it| &it.target));
            }
            Piece::RedirectedHost => {
                let elsewhere = elsewhere(asking.request.learnt);
                let authority = elsewhere.map_or("", |it| it.origin.authority.as_str());
                out.extend_from_slice(authority.as_bytes());
            }
            Piece::InTarget(part) => self.value(part, asking, |bytes| write_escaped(bytes, out)),
            Piece::InField(part) => self.value(part, asking, |bytes| {
                let allowed = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
                out.extend(bytes.iter().copied().filter(allowed));
            }),
            Piece::InBody(part) => self.value(part, asking, |bytes| out.extend_from_slice(bytes)),
            Piece::BodyLength => write_number(body_length as u64, out),
            Piece::Measured(pieces) => {
                text.clear();
                for piece in pieces {
                    // Measured pieces hold none that are measured themselves.
                    self.piece(piece, asking, body_length, &mut Vec::new(), text);
                }
                write_length(text.len(), out);
                out.extend_from_slice(text);
            }
            Piece::Cookies { target, http2 } => {
                let cookies = &asking.request.learnt.cookies;
                let encrypted = self.cookies_encrypted(asking.request.learnt);
                let Some(encrypted) = encrypted.filter(|_| !cookies.is_empty()) else {
                    return;
                };
                text.clear();
                for piece in target {
                    self.piece(piece, asking, body_length, &mut Vec::new(), text);
                }
                let field = cookies.field(text, encrypted);
                if field.is_empty() {
                    return;
                }
                if *http2 {
                    write_field(b"cookie", &field, out);
                } else {
                    out.extend([b"cookie: ".as_slice(), &field, b"\r\n"].concat());
                }
            }
        }
    }

    /// Appends the field with the trace that a request belongs to, where it tells it.
    fn write_trace(&self, place: FieldPlace, asking: Asking<'_>, out: &mut Vec<u8>) {
        let Some(trace) = self.trace else { return };
        let request = asking.request;
        let value = trace.parent(request.draft.number, request.step, asking.now);
        if place == FieldPlace::Block {
            return write_field(TRACE_FIELD.as_bytes(), &value, out);
        }
        if place == FieldPlace::BeforeEnd {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(TRACE_FIELD.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(&value);
        if place == FieldPlace::Line {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Hands a value to whoever writes it.
    fn value(&self, part: &Part, asking: Asking<'_>, mut write: impl FnMut(&[u8])) {
        let mut number = |value: i64| write(itoa::Buffer::new().format(value).as_bytes());
        match part {
            Part::Literal(bytes) => write(bytes),
            Part::Number => number(i64::try_from(asking.request.draft.number).unwrap_or(i64::MAX)),
            Part::Captured(index) => {
                let captured = asking.request.learnt.captured.get(*index);
                write(captured.map_or(&[], |text| text.as_bytes()));
            }
            Part::Cell { table, column } => {
                let Some(found) = self.tables.get(*table) else {
                    return;
                };
                let row = row(found, *table, asking.request.draft);
                match &found.rows {
                    Rows::Range { first, .. } => number(first.saturating_add_unsigned(row)),
                    Rows::Cells { columns, cells } => {
                        let row = usize::try_from(row).unwrap_or(0);
                        let cell = cells.get(row * columns + column);
                        write(cell.map_or(&[], |text| text.as_bytes()));
                    }
                }
            }
        }
    }

    /// Whether the response to a request has no body whatever it says.
    pub(super) fn to_head(&self, draft: &Draft, step: usize) -> bool {
        self.form(draft, step).to_head
    }

    /// Whether any request may be made twice.
    pub(super) fn any_idempotent(&self) -> bool {
        self.entries.iter().flatten().any(|form| form.idempotent)
    }

    /// Whether making the request twice is the same as making it once.
    pub(super) fn idempotent(&self, draft: &Draft, step: usize) -> bool {
        self.form(draft, step).idempotent
    }

    /// What the answer's status and headers must be.
    pub(super) fn expected(&self, draft: &Draft, step: usize) -> &Expected {
        &self.form(draft, step).expected
    }

    /// Whether the answer is looked into, and so must be kept.
    pub(super) fn looks_inside(&self, draft: &Draft, step: usize) -> bool {
        self.form(draft, step).inspected.is_some()
    }

    /// How long the user thinks before a step.
    pub(super) fn pause(&self, draft: &Draft, step: usize) -> Nanos {
        self.form(draft, step).pause
    }

    /// Judges what was kept of an answer; what is to be captured of it, and its
    /// cookies where they are kept, is added to `learnt`.
    pub(super) fn accepts(
        &self,
        draft: &Draft,
        step: usize,
        content: &Content,
        learnt: &mut Learnt,
    ) -> Result<(), CheckFailure> {
        let Some(inspected) = &self.form(draft, step).inspected else {
            return Ok(());
        };
        self.take_cookies(inspected, content, learnt);
        inspected.step.accepts(content, &mut learnt.captured)
    }

    /// Keeps the cookies that an answer sets, where they are kept and are the operation's.
    fn take_cookies(&self, inspected: &Inspected, content: &Content, learnt: &mut Learnt) {
        let encrypted = self.cookies_encrypted(learnt);
        if let Some(encrypted) = encrypted.filter(|_| inspected.cookies) {
            for field in content.all("set-cookie") {
                learnt.cookies.set(field, encrypted);
            }
        }
    }

    /// Whether the operation's cookies would be sent encrypted; none where it has been led
    /// to another host, which has no part in them.
    fn cookies_encrypted(&self, learnt: &Learnt) -> Option<bool> {
        let origin = elsewhere(learnt).map_or(&self.origin, |elsewhere| &elsewhere.origin);
        let same = origin.host.eq_ignore_ascii_case(&self.origin.host);
        same.then_some(origin.encrypted)
    }

    /// Which check of an answer failed, in words.
    pub(super) fn check_in_words(
        &self,
        (draft, step): (&Draft, usize),
        check: CheckFailure,
        content: Option<&Content>,
    ) -> String {
        if let CheckFailure::Redirect(NotFollowed::NotAllowed) = check
            && let Some(location) = content.and_then(|it| it.header("location"))
            && let Some((host, redirects)) = host_of(location).zip(self.redirects.as_ref())
        {
            return redirects.refusal(&host);
        }
        let inspected = self.form(draft, step).inspected.as_ref();
        inspected.map_or_else(String::new, |it| it.step.check_in_words(check))
    }
}

/// Where a redirect has led an operation, if not where it began.
fn elsewhere(learnt: &Learnt) -> Option<&Elsewhere> {
    learnt.redirected.as_ref()?.elsewhere.as_deref()
}

/// The row of a table that an operation has drawn.
fn row(table: &Table, index: usize, draft: &Draft) -> u64 {
    let count = table.rows.count().max(1);
    match table.order {
        RowOrder::InTurn => draft.number % count,
        RowOrder::Random => {
            // Each table's own draw of the operation's one: SplitMix64 (Steele,
            // Lea and Flood, OOPSLA 2014), and the high half of a product, which
            // is as even as a remainder and cheaper.
            let step = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut mixed = draft.chance.wrapping_add(step);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            let product = u128::from(mixed) * u128::from(count);
            u64::try_from(product >> 64).unwrap_or(0)
        }
    }
}

/// The bytes of a monitor's request, with the milliseconds it waits, where the
/// target is told; a target that knows no token is told none.
pub(super) fn probe(host: &str, path: &str, token: Option<&str>, left_ms: Option<u64>) -> Vec<u8> {
    let left = left_ms.map_or_else(String::new, |left| {
        format!("\r\n{TIME_LEFT_HEADER}: {left}")
    });
    let fields = match token {
        Some(token) => format!("{}{token}", fields(host)),
        None => format!("host: {host}\r\nuser-agent: {AGENT}"),
    };
    format!("GET {path} HTTP/1.1\r\n{fields}{left}\r\n\r\n").into_bytes()
}

/// Appends a number in decimal digits.
fn write_number(number: u64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a value to a path or query: everything but what names and numbers
/// are made of is written as `%` and two digits (RFC 3986, section 2.1).
fn write_escaped(value: &[u8], bytes: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            bytes.push(*byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            bytes.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Try;
    use crate::model::Role;

    fn draft(entry: u16) -> Draft {
        Draft {
            intended: Nanos::ZERO,
            entry,
            subject: 1024 * u32::from(entry),
            user: 1,
            number: 7,
            chance: 0,
        }
    }

    /// When the requests are written.
    const NOW: Nanos = Nanos::from_millis(750);

    fn request(draft: &Draft) -> StepRequest<'_> {
        StepRequest {
            draft,
            step: 0,
            learnt: const { &Learnt::NONE },
            waits_until: Nanos::from_millis(1000),
            which: Try::Retry,
            retried: true,
        }
    }

    #[test]
    fn requests_are_what_a_server_expects() {
        let entry = |request| MixEntry {
            weight: 1,
            request,
            role: Role::Manager,
            refused: false,
        };
        let mix: Vec<_> = Request::ALL
            .iter()
            .map(|(request, _)| entry(*request))
            .collect();
        let tokens = vec![vec!["a".to_owned(), "b".to_owned()]; mix.len()];
        let mut requests = Requests::fleet("127.0.0.1:8080", &mix, tokens, Telling::default());
        let mut bytes = b"what was there before".to_vec();
        let mut texts = Vec::new();
        for index in 0..4 {
            requests.write(&request(&draft(index)), NOW, &mut bytes);
            texts.push(String::from_utf8(bytes.clone()).unwrap());
        }
        let agent = concat!("user-agent: threadbare/", env!("CARGO_PKG_VERSION"));
        let common =
            format!("HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n{agent}\r\nauthorization: Bearer b\r\n");
        let json = "content-type: application/json\r\ncontent-length: ";
        assert_eq!(texts[0], format!("GET /projects/0/tasks {common}\r\n"));
        assert_eq!(
            texts[1],
            format!("POST /projects/1024/tasks {common}{json}28\r\n\r\n{CREATE_BODY}")
        );
        assert_eq!(
            texts[2],
            format!("PATCH /tasks/2048 {common}{json}13\r\n\r\n{UPDATE_BODY}")
        );
        assert_eq!(
            texts[3],
            format!("POST /projects/3072/close {common}content-length: 0\r\n\r\n")
        );
    }

    #[test]
    fn the_fleet_is_told_what_it_is_to_be_told_and_no_more() {
        let mix = [MixEntry {
            weight: 1,
            request: Request::ListTasks,
            role: Role::Viewer,
            refused: false,
        }];
        for (time_left, attempt, expected) in [
            (false, false, ""),
            (true, false, "x-deadline-ms: 250\r\n"),
            (false, true, "x-attempt: retry\r\n"),
            (true, true, "x-deadline-ms: 250\r\nx-attempt: retry\r\n"),
        ] {
            let telling = Telling { time_left, attempt };
            let tokens = vec![vec!["a".to_owned(), "b".to_owned()]];
            let mut requests = Requests::fleet("127.0.0.1:8080", &mix, tokens, telling);
            let mut bytes = Vec::new();
            requests.write(&request(&draft(0)), NOW, &mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            let (_, told) = text.split_once("Bearer b\r\n").unwrap();
            assert_eq!(told, format!("{expected}\r\n"));
        }
        let text = String::from_utf8(probe("h", "/readyz", Some("t"), Some(500))).unwrap();
        assert!(
            text.ends_with("Bearer t\r\nx-deadline-ms: 500\r\n\r\n"),
            "{text}"
        );
        let text = String::from_utf8(probe("h", "/readyz", Some("t"), None)).unwrap();
        assert!(text.ends_with("Bearer t\r\n\r\n"), "{text}");
    }

    /// `POST /${cell}/${captured}?n=${number}` with values everywhere.
    fn work() -> HttpWork {
        let literal = |text: &str| Part::Literal(text.as_bytes().to_vec());
        let cell = |table, column| Part::Cell { table, column };
        HttpWork {
            tables: vec![
                Table {
                    order: RowOrder::InTurn,
                    rows: Rows::Range {
                        first: -5,
                        count: 10,
                    },
                },
                Table {
                    order: RowOrder::InTurn,
                    rows: Rows::Cells {
                        columns: 2,
                        cells: ["a", "x y/ü", "b", "in\r\njected: yes"]
                            .map(str::to_owned)
                            .to_vec(),
                    },
                },
            ],
            operations: vec![crate::model::OperationKind {
                name: "all".into(),
                weight: 1,
                cookies: false,
                follow: 0,
                steps: vec![Step {
                    method: "POST".into(),
                    target: vec![
                        literal("/"),
                        cell(1, 0),
                        literal("/"),
                        Part::Captured(0),
                        literal("?n="),
                        Part::Number,
                    ],
                    headers: vec![(
                        "X-Value".into(),
                        vec![literal("<"), cell(1, 1), literal(">")],
                    )],
                    body: vec![literal("{"), cell(0, 0), literal("}")],
                    expected: Expected::default(),
                    captures: Vec::new(),
                    pause: Nanos::ZERO,
                }],
            }],
        }
    }

    fn captured(text: &str) -> Learnt {
        Learnt {
            captured: vec![text.to_owned()],
            ..Learnt::default()
        }
    }

    /// The text of a request with this step and body, in an operation with cookies.
    fn written(headers: &[(&str, &str)], body: &str, set: &[&str]) -> String {
        let literal = |text: &str| vec![Part::Literal(text.as_bytes().to_vec())];
        let mut step = Step::new("POST", "/shop?x=1");
        step.headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), literal(value)))
            .collect();
        step.body = if body.is_empty() {
            Vec::new()
        } else {
            literal(body)
        };
        let mut work = HttpWork::single("one".into(), step);
        work.operations[0].cookies = true;
        let mut learnt = Learnt::default();
        for field in set {
            learnt.cookies.set(field.as_bytes(), false);
        }
        let endpoint = Endpoint::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        let draft = draft(0);
        let request = StepRequest {
            learnt: &learnt,
            ..request(&draft)
        };
        let mut bytes = Vec::new();
        Requests::http(&work, "h", &endpoint).write(&request, NOW, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let head = format!("POST /shop?x=1 HTTP/1.1\r\nhost: h\r\nuser-agent: {AGENT}\r\n");
        text.strip_prefix(&head).unwrap().to_owned()
    }

    #[test]
    fn a_body_is_sent_in_chunks_where_that_is_asked_for() {
        let chunked = [("Transfer-Encoding", "chunked")];
        let head = "Transfer-Encoding: chunked\r\n\r\n";
        let body = "hello, hello, hello";
        assert_eq!(
            written(&chunked, body, &[]),
            format!("{head}13\r\n{body}\r\n0\r\n\r\n")
        );
        assert_eq!(written(&chunked, "", &[]), format!("{head}0\r\n\r\n"));
        assert_eq!(written(&[], "xy", &[]), "content-length: 2\r\n\r\nxy");
    }

    #[test]
    fn cookies_of_the_path_are_sent() {
        let set = ["sid=1; Path=/", "other=2; Path=/elsewhere"];
        assert_eq!(
            written(&[], "", &set),
            "content-length: 0\r\ncookie: sid=1\r\n\r\n"
        );
    }

    #[test]
    fn values_are_written_as_their_place_allows() {
        let endpoint = Endpoint::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        let mut requests = Requests::http(&work(), "example.test", &endpoint);
        let learnt = captured("41 %");
        let mut bytes = Vec::new();
        let mut text = |number| {
            let request = StepRequest {
                draft: &Draft { number, ..draft(0) },
                learnt: &learnt,
                ..request(&draft(0))
            };
            requests.write(&request, NOW, &mut bytes);
            String::from_utf8(bytes.clone()).unwrap()
        };
        let head = format!("host: example.test\r\nuser-agent: {AGENT}\r\ncontent-length: ");
        assert_eq!(
            text(6),
            format!("POST /a/41%20%25?n=6 HTTP/1.1\r\n{head}3\r\nX-Value: <x y/ü>\r\n\r\n{{1}}")
        );
        assert_eq!(
            text(13),
            format!(
                "POST /b/41%20%25?n=13 HTTP/1.1\r\n{head}4\r\nX-Value: <injected: yes>\r\n\r\n{{-2}}"
            )
        );
    }

    #[test]
    fn http2_measures_what_differs() {
        let mut endpoint = Endpoint::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        endpoint.protocol = Protocol::Http2 { streams: 1 };
        let mut requests = Requests::http(&work(), "example.test", &endpoint);
        let learnt = captured(&"c".repeat(200));
        let draft = draft(0);
        let request = StepRequest {
            learnt: &learnt,
            ..request(&draft)
        };
        let (mut block, mut expected) = (Vec::new(), Vec::new());
        assert_eq!(requests.write_fields(&request, NOW, &mut block), b"{2}");
        let path = format!("/b/{}?n=7", learnt.captured[0]);
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", &path),
            (":authority", "example.test"),
            ("user-agent", AGENT),
            ("content-length", "3"),
            ("x-value", "<injected: yes>"),
        ] {
            write_field(name.as_bytes(), value.as_bytes(), &mut expected);
        }
        assert_eq!(block, expected);
    }

    #[test]
    fn each_request_tells_the_trace_that_it_belongs_to() {
        let trace = Tracing {
            share: crate::units::Ratio::WHOLE,
            salt: 1,
        };
        let value = trace.parent(7, 0, NOW);
        let field = [b"traceparent: ".as_slice(), &value, b"\r\n\r\n"].concat();
        let mut bytes = Vec::new();
        let mix = [MixEntry {
            weight: 1,
            request: Request::ListTasks,
            role: Role::Manager,
            refused: false,
        }];
        let tokens = vec![vec!["a".to_owned(), "b".to_owned()]];
        let draft = draft(0);
        let mut fleet = Requests::fleet("h", &mix, tokens, Telling::default()).traced(Some(trace));
        fleet.write(&request(&draft), NOW, &mut bytes);
        assert!(bytes.ends_with(&field));
        let mut endpoint = Endpoint::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        let own = HttpWork::single("one".into(), Step::new("GET", "/"));
        let mut http1 = Requests::http(&own, "h", &endpoint).traced(Some(trace));
        http1.write(&request(&draft), NOW, &mut bytes);
        assert!(bytes.ends_with(&field));
        endpoint.protocol = Protocol::Http2 { streams: 1 };
        let mut http2 = Requests::http(&own, "h", &endpoint).traced(Some(trace));
        http2.write_fields(&request(&draft), NOW, &mut bytes);
        let mut field = Vec::new();
        write_field(b"traceparent", &value, &mut field);
        assert!(bytes.ends_with(&field));
    }

    #[test]
    fn every_row_is_drawn_and_tables_differ() {
        let table = |count| Table {
            order: RowOrder::Random,
            rows: Rows::Range { first: 0, count },
        };
        let mut counts = [0u32; 7];
        let mut alike = 0;
        for chance in 0..70_000u64 {
            let draft = Draft { chance, ..draft(0) };
            let first = row(&table(7), 0, &draft);
            counts[usize::try_from(first).unwrap()] += 1;
            alike += u32::from(first == row(&table(7), 1, &draft));
        }
        // χ² with 6 degrees of freedom passes 22.5 once in a thousand.
        let squares = counts.map(|count| (f64::from(count) - 10_000.0).powi(2) / 10_000.0);
        assert!(squares.iter().sum::<f64>() < 22.5, "{counts:?}");
        assert!((9_000..11_000).contains(&alike), "{alike}");
    }
}
