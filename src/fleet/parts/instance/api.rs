//! The project-management API: what can be asked, and how answers look.
//!
//! Pure: takes method, path and body, gives a [`Call`] or the answer that
//! refuses it. Who may do what is decided later, by a worker.

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::fleet::database::Permission;
use crate::model::{Denial, JobKind, MonitorPolicy, Probed};

/// The longest body of a request that is read; a task's title is the longest thing in it.
pub(in crate::fleet) const BODY_MAX: usize = 16 * 1024;
/// What a request is answered, with 413, whose body is not read.
pub(in crate::fleet) fn too_long() -> String {
    format!("the body is cut off or longer than {BODY_MAX} bytes")
}

/// The longest title, in characters.
const TITLE_MAX: usize = 200;

/// A request that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// `GET /projects/{project}/tasks`
    List { project: u32 },
    /// `POST /projects/{project}/tasks`
    Create { project: u32, title: String },
    /// `PATCH /tasks/{task}`
    Update {
        task: u32,
        title: Option<String>,
        done: Option<bool>,
    },
    /// `POST /projects/{project}/close`
    Close { project: u32 },
    /// `GET /healthz`, `GET /readyz`: a worker answers, and that is all.
    Shallow,
    /// `GET /readyz?deep=true`: the authorization and the database answer too.
    Deep,
    /// `GET /session`: sets up a session, and is answered when that ends.
    Session,
}

impl Call {
    /// What it is, as far as the stages of its handler depend on it.
    pub(super) const fn kind(&self) -> JobKind {
        match self {
            Self::Shallow => JobKind::Shallow,
            Self::Session => JobKind::Session,
            _ => JobKind::Request,
        }
    }

    /// Whether it is a probe.
    pub(super) const fn is_probe(&self) -> bool {
        matches!(self, Self::Shallow | Self::Deep)
    }

    /// Whether it writes to the database.
    pub(super) const fn writes(&self) -> bool {
        matches!(
            self,
            Self::Create { .. } | Self::Update { .. } | Self::Close { .. }
        )
    }

    /// What the caller's role must allow.
    pub(super) const fn permission(&self) -> Permission {
        match self {
            Self::List { .. } | Self::Shallow | Self::Deep | Self::Session => Permission::List,
            Self::Create { .. } | Self::Update { .. } => Permission::Contribute,
            Self::Close { .. } => Permission::Manage,
        }
    }
}

/// An answer: a status and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiAnswer {
    pub status: u16,
    pub body: String,
}

impl ApiAnswer {
    /// This value as JSON.
    pub(super) fn json(status: u16, value: &impl Serialize) -> Self {
        Self {
            status,
            body: serde_json::to_string(value).expect("answers are valid JSON"),
        }
    }

    /// That all is well, which is all that a probe learns.
    pub(super) fn ok() -> Self {
        Self::json(200, &serde_json::json!({ "status": "ok" }))
    }

    /// What a caller gets in place of a result.
    pub(super) fn denied(denial: Denial) -> Self {
        Self::error(denial.status(), denial.sentence())
    }

    /// `{"error": "…"}`.
    pub(super) fn error(status: u16, sentence: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": sentence }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    title: Option<String>,
    done: Option<bool>,
}

/// What the request asks for.
///
/// # Errors
///
/// The answer that refuses it: 404, 405 or 400.
pub(super) fn understand(
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Result<Call, ApiAnswer> {
    if let Some(probed) = Probed::by(path, query) {
        allow(method, &[Method::GET])?;
        return Ok(match probed {
            Probed::Shallow => Call::Shallow,
            Probed::Deep => Call::Deep,
        });
    }
    if path == MonitorPolicy::SESSION {
        allow(method, &[Method::GET])?;
        return Ok(Call::Session);
    }
    let mut parts = path.trim_start_matches('/').split('/');
    let place = (parts.next(), parts.next(), parts.next(), parts.next());
    let id = |text: &str| text.parse::<u32>().map_err(|_| unknown_path());
    match place {
        (Some("projects"), Some(project), Some("tasks"), None) => {
            let project = id(project)?;
            allow(method, &[Method::GET, Method::POST])?;
            if method == Method::GET {
                return Ok(Call::List { project });
            }
            let CreateBody { title } = parse(body)?;
            let title = checked(title)?;
            Ok(Call::Create { project, title })
        }
        (Some("projects"), Some(project), Some("close"), None) => {
            let project = id(project)?;
            allow(method, &[Method::POST])?;
            Ok(Call::Close { project })
        }
        (Some("tasks"), Some(task), None, None) => {
            let task = id(task)?;
            allow(method, &[Method::PATCH])?;
            let UpdateBody { title, done } = parse(body)?;
            if title.is_none() && done.is_none() {
                return Err(ApiAnswer::error(400, "the body must set title or done"));
            }
            let title = title.map(checked).transpose()?;
            Ok(Call::Update { task, title, done })
        }
        _ => Err(unknown_path()),
    }
}

fn unknown_path() -> ApiAnswer {
    ApiAnswer::error(404, "there is nothing at this path")
}

fn allow(method: &Method, allowed: &[Method]) -> Result<(), ApiAnswer> {
    if allowed.contains(method) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    let sentence = format!("this path allows {} only", names.join(" and "));
    Err(ApiAnswer::error(405, &sentence))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiAnswer> {
    serde_json::from_slice(body)
        .map_err(|cause| ApiAnswer::error(400, &format!("the body is malformed: {cause}")))
}

fn checked(title: String) -> Result<String, ApiAnswer> {
    if (1..=TITLE_MAX).contains(&title.chars().count()) {
        Ok(title)
    } else {
        let sentence = format!("a title has 1 to {TITLE_MAX} characters");
        Err(ApiAnswer::error(400, &sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &str, target: &str, body: &str) -> Result<Call, u16> {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query)));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        understand(&method, path, query, body.as_bytes()).map_err(|answer| answer.status)
    }

    #[test]
    fn requests_are_understood_or_refused() {
        let title = |text: &str| Some(text.to_owned());
        let update = |title, done| {
            Ok(Call::Update {
                task: 3,
                title,
                done,
            })
        };
        let create = Ok(Call::Create {
            project: 7,
            title: "a".into(),
        });
        for (method, target, body, expected) in [
            (
                "GET",
                "/projects/7/tasks",
                "",
                Ok(Call::List { project: 7 }),
            ),
            ("POST", "/projects/7/tasks", r#"{"title":"a"}"#, create),
            (
                "PATCH",
                "/tasks/3",
                r#"{"done":true}"#,
                update(None, Some(true)),
            ),
            (
                "PATCH",
                "/tasks/3",
                r#"{"title":"b"}"#,
                update(title("b"), None),
            ),
            (
                "POST",
                "/projects/7/close",
                "",
                Ok(Call::Close { project: 7 }),
            ),
            ("GET", "/healthz", "", Ok(Call::Shallow)),
            ("GET", "/healthz?deep=true", "", Ok(Call::Shallow)),
            ("GET", "/readyz", "", Ok(Call::Shallow)),
            ("GET", "/readyz?deep=true", "", Ok(Call::Deep)),
            ("GET", "/session", "", Ok(Call::Session)),
            ("POST", "/session", "", Err(405)),
            ("GET", "/", "", Err(404)),
            ("GET", "/projects/x/tasks", "", Err(404)),
            ("GET", "/projects/7/tasks/1", "", Err(404)),
            ("DELETE", "/tasks/3", "", Err(405)),
            ("POST", "/readyz", "", Err(405)),
            ("PATCH", "/tasks/3", "{}", Err(400)), // changes nothing
            ("PATCH", "/tasks/3", r#"{"owner":1}"#, Err(400)), // an unknown field
            ("POST", "/projects/7/tasks", r#"{"title":""}"#, Err(400)),
            ("POST", "/projects/7/tasks", "{", Err(400)),
        ] {
            assert_eq!(
                status(method, target, body),
                expected,
                "{method} {target} {body}"
            );
        }
    }
}
