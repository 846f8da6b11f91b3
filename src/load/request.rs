//! The bytes of requests, made from parts that were formatted once.
//!
//! A request is a head with one number and one token in it; so it is copied
//! together from what surrounds them, into a buffer that is used again.

use std::net::SocketAddr;

use super::generator::HttpRequest;
use super::schedule::Draft;
use crate::plan::{MixEntry, Request};

/// What a created task is called.
const CREATE_BODY: &str = r#"{"title":"filed under load"}"#;
/// How a task is updated.
const UPDATE_BODY: &str = r#"{"done":true}"#;

/// The bytes of one entry of the mix.
#[derive(Debug, Clone)]
struct Template {
    bytes: Bytes,
    idempotent: bool,
    /// Whether the response has no body whatever it says (HEAD).
    to_head: bool,
}

#[derive(Debug, Clone)]
enum Bytes {
    /// The surroundings of a subject and a token.
    Around {
        before_subject: String,
        before_token: String,
        after_token: String,
    },
    /// Always the same.
    Whole(Vec<u8>),
}

impl Template {
    fn new(request: Request, host: &str) -> Self {
        let (method, before, after, body) = match request {
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
        Self {
            bytes: Bytes::Around {
                before_subject: format!("{method} {before}"),
                before_token: format!("{after} HTTP/1.1\r\n{}", fields(host)),
                after_token,
            },
            idempotent: idempotent(method),
            to_head: false,
        }
    }

    fn whole(request: &HttpRequest) -> Self {
        let has = |name: &str| {
            let mut names = request.headers.iter();
            names.any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        let mut field = |name: &str, value: &str| {
            head.extend([name, ": ", value, "\r\n"]);
        };
        if !has("host") {
            field("host", &request.host);
        }
        if !has("user-agent") {
            field("user-agent", AGENT);
        }
        let expects_body = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
        if !has("content-length") && (expects_body || !request.body.is_empty()) {
            field("content-length", &request.body.len().to_string());
        }
        for (name, value) in &request.headers {
            field(name, value);
        }
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&request.body);
        Self {
            bytes: Bytes::Whole(bytes),
            idempotent: idempotent(&request.method),
            to_head: request.method == "HEAD",
        }
    }
}

/// How threadbare introduces itself.
const AGENT: &str = concat!("threadbare/", env!("CARGO_PKG_VERSION"));

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

/// Formats the requests of users.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    templates: Vec<Template>,
    /// Tokens of the users that each entry chooses from.
    tokens: Vec<Vec<String>>,
}

impl Requests {
    /// One request, always the same.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self {
            templates: vec![Template::whole(request)],
            tokens: Vec::new(),
        }
    }

    /// Requests to `address` for the entries of a mix, each with its users' tokens.
    pub(super) fn fleet(address: &SocketAddr, mix: &[MixEntry], tokens: Vec<Vec<String>>) -> Self {
        let host = address.to_string();
        let templates = mix
            .iter()
            .map(|entry| Template::new(entry.request, &host))
            .collect();
        Self { templates, tokens }
    }

    /// Writes a request's bytes over what is in `bytes`.
    pub(super) fn write(&self, draft: &Draft, bytes: &mut Vec<u8>) {
        bytes.clear();
        let entry = usize::from(draft.entry);
        match &self.templates[entry].bytes {
            Bytes::Whole(whole) => bytes.extend_from_slice(whole),
            Bytes::Around {
                before_subject,
                before_token,
                after_token,
            } => {
                bytes.extend_from_slice(before_subject.as_bytes());
                write_number(draft.subject, bytes);
                bytes.extend_from_slice(before_token.as_bytes());
                bytes.extend_from_slice(self.tokens[entry][draft.user as usize].as_bytes());
                bytes.extend_from_slice(after_token.as_bytes());
            }
        }
    }

    /// Whether the response to it has no body whatever it says.
    pub(super) fn to_head(&self, draft: &Draft) -> bool {
        self.templates[usize::from(draft.entry)].to_head
    }

    /// Whether any request may be made twice.
    pub(super) fn any_idempotent(&self) -> bool {
        self.templates.iter().any(|template| template.idempotent)
    }

    /// Whether making the request twice is the same as making it once.
    pub(super) fn idempotent(&self, draft: &Draft) -> bool {
        self.templates[usize::from(draft.entry)].idempotent
    }
}

/// The bytes of a monitor's request.
pub(super) fn probe(address: &SocketAddr, path: &str, token: &str) -> Vec<u8> {
    let host = address.to_string();
    format!("GET {path} HTTP/1.1\r\n{}{token}\r\n\r\n", fields(&host)).into_bytes()
}

/// Appends a number in decimal digits.
fn write_number(number: u32, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    let mut rest = number;
    loop {
        // A digit; the conversion cannot fail.
        bytes.push(b'0' + u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    bytes[start..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;
    use crate::units::Nanos;

    #[test]
    fn requests_are_what_a_server_expects() {
        let address = "127.0.0.1:8080".parse().unwrap();
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
        let requests = Requests::fleet(&address, &mix, tokens);
        let mut bytes = b"what was there before".to_vec();
        let mut texts = Vec::new();
        for index in 0..4 {
            let draft = Draft {
                intended: Nanos::ZERO,
                entry: index,
                subject: 1024 * u32::from(index),
                user: 1,
            };
            requests.write(&draft, &mut bytes);
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
}
