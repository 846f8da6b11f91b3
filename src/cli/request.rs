//! Arguments that say what is requested of a URL, where that is one request, always the same.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;
use hyper::Uri;

use crate::error::{Error, Result};
use crate::model::{Expected, HttpWork, Part, Statuses, Step, Template};
use crate::{bounds, files};

#[derive(Debug, Args)]
pub(super) struct RequestArguments {
    /// The method [default: GET, or POST with a body]
    #[arg(short, long, value_name = "METHOD")]
    method: Option<String>,
    /// A header, such as `-H 'accept: application/json'`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body
    #[arg(long, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,
    /// A file that holds the body
    #[arg(short = 'D', long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Statuses that are a success, such as `200,302` or `200..399` [default: any 2xx]
    #[arg(long, value_name = "STATUSES", conflicts_with = "file")]
    expect_status: Option<Statuses>,
    /// Follow so many redirects of an operation at most, to this machine and to hosts that
    /// are allowed; never from https to http
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "file",
          value_parser = clap::value_parser!(u32).range(..=50))]
    follow: u32,
}

impl RequestArguments {
    /// The headers, names and values apart.
    pub(super) fn headers(&self) -> Result<Vec<(String, String)>> {
        let parsed = self.headers.iter().map(|header| {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                Error::usage(
                    "a header has no colon; write it as -H 'accept: application/json'".to_owned(),
                )
            })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        });
        parsed.collect()
    }

    /// Operations of this one request, with these headers.
    pub(super) fn work(&self, target: &str, headers: Vec<(String, String)>) -> Result<HttpWork> {
        let body = self.body()?;
        let method = self.method(&body);
        let step = Step {
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, literal(value.into_bytes())))
                .collect(),
            body: literal(body),
            expected: Expected {
                statuses: self.statuses(),
                ..Expected::default()
            },
            ..Step::new(method, target)
        };
        let mut work = HttpWork::single(name(method, target), step);
        for operation in &mut work.operations {
            operation.follow = self.follow;
        }
        Ok(work)
    }

    /// The same as an operation of a scenario, of which it is a part; none where nothing is
    /// said but the URL.
    pub(super) fn operation(&self, url: &str) -> Result<Option<String>> {
        let body = self.body()?;
        let plain = self.method.is_none() && self.headers.is_empty() && body.is_empty();
        if plain && self.expect_status.is_none() && self.follow == 0 {
            return Ok(None);
        }
        let method = self.method(&body);
        let body = String::from_utf8(body).map_err(|_| {
            Error::usage("the body is not text; write a scenario with a `body_file`".to_owned())
        })?;
        let target = target_of(url);
        let mut text = format!(
            "[[load.operation]]\nname = {}\n",
            quoted(&name(method, &target))
        );
        if self.follow > 0 {
            let _ = writeln!(text, "follow = {}", self.follow);
        }
        let request = quoted(&format!("{method} {}", as_template(&target)));
        let _ = writeln!(text, "[[load.operation.step]]\nrequest = {request}");
        let headers = self.headers()?.into_iter();
        let headers =
            headers.map(|(name, value)| quoted(&format!("{name}: {}", as_template(&value))));
        let _ = writeln!(
            text,
            "headers = [{}]",
            headers.collect::<Vec<_>>().join(", ")
        );
        if !body.is_empty() {
            let _ = writeln!(text, "body = {}", quoted(&as_template(&body)));
        }
        if self.expect_status.is_some() {
            let statuses = self.statuses().into_iter();
            let checks = statuses.map(|it| quoted(&format!("status {}..{}", it.start(), it.end())));
            let _ = writeln!(text, "check = [{}]", checks.collect::<Vec<_>>().join(", "));
        }
        Ok(Some(text))
    }

    fn method(&self, body: &[u8]) -> &str {
        let usual = if body.is_empty() { "GET" } else { "POST" };
        self.method.as_deref().unwrap_or(usual)
    }

    fn body(&self) -> Result<Vec<u8>> {
        if let Some(file) = &self.body_file {
            return files::read(file, &bounds::BODY).map_err(|cause| {
                let file = file.display();
                Error::usage(format!("failed to read the body from {file}: {cause}"))
            });
        }
        Ok(self.body.clone().unwrap_or_default().into_bytes())
    }

    fn statuses(&self) -> Vec<RangeInclusive<u16>> {
        let given = self.expect_status.as_ref();
        let given = given.map(|statuses| statuses.ranges().to_vec());
        given.unwrap_or_else(|| Expected::default().statuses)
    }
}

/// What an operation of one request is called: its path without the query, which may hold
/// what is secret.
fn name(method: &str, target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    format!("{method} {path}")
}

/// Path and query of a URL.
fn target_of(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let target = uri.as_ref().and_then(Uri::path_and_query);
    let target = target.map_or("/", |target| target.as_str());
    // `http://host?x=1` asks for `/?x=1`.
    match target.strip_prefix('?') {
        Some(query) => format!("/?{query}"),
        None => target.to_owned(),
    }
}

fn literal(text: Vec<u8>) -> Template {
    if text.is_empty() {
        Vec::new()
    } else {
        vec![Part::Literal(text)]
    }
}

/// A text in which nothing is replaced by a value.
fn as_template(text: &str) -> String {
    text.replace("${", "$${")
}

/// A text of TOML, whose basic strings are those of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
