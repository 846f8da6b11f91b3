//! `--tell`: what is injected elsewhere is reported to a run with a console.
//!
//! The run writes it down as an action with its author, so that it can be the trigger of its
//! incident. A report before something begins must arrive, or it does not begin.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::bounds;
use crate::error::{Error, Result};
use crate::files;
use crate::model::{Reported, Url};
use crate::net::http::{HttpRequest, ask};
use crate::net::{AllowedHosts, Tls};
use crate::units::Nanos;

/// How long a report may take: the run is near.
const TIMEOUT: Nanos = Nanos::from_secs(2);
/// What a run answers is one sentence.
const ANSWER_MAX: usize = 4_096;
/// Where the key begins in the address.
const KEY: &str = "#key=";

#[derive(Debug, Clone, Args)]
pub(super) struct Tell {
    /// Report what begins and ends to a run with `--console`: the link that it prints for
    /// tools, or @FILE with that link in it, since everybody on this machine can read a command
    #[arg(id = "tell", long = "tell", value_name = "LINK")]
    link: Option<String>,
    /// A file of certificates (PEM) to trust for the run's console in place of the system's
    #[arg(long = "tell-cacert", value_name = "FILE", requires = "tell")]
    cacert: Option<PathBuf>,
    /// Whose doing it is, in the run's record [default: the name of this command]
    #[arg(long, value_name = "NAME", requires = "tell")]
    by: Option<String>,
}

/// A run that gets reports.
#[derive(Debug, Clone)]
pub(super) struct ToldRun {
    address: SocketAddr,
    url: Url,
    tls: Option<Tls>,
    key: String,
    by: String,
}

impl Tell {
    /// The run that reports go to, where there is one.
    ///
    /// # Errors
    ///
    /// Where the link is none, or its host is not allowed.
    pub(super) fn run(&self, allowed: &AllowedHosts, command: &str) -> Result<Option<ToldRun>> {
        let Some(link) = &self.link else {
            return Ok(None);
        };
        let link = match link.strip_prefix('@') {
            Some(file) => &read(Path::new(file))?,
            None => link,
        };
        let parts = link.split_once(KEY).filter(|(_, key)| !key.is_empty());
        let (address, key) = parts.ok_or_else(|| {
            Error::usage(
                "--tell takes the link that a run with --console prints for tools, such as \
                 'http://127.0.0.1:8080/happened#key=…'; quote it, since a shell may read the #",
            )
        })?;
        let url: Url = address
            .parse()
            .map_err(|cause| Error::usage(format!("failed to read --tell: {cause}")))?;
        let tls = url
            .encrypted
            .then(|| Tls::trusting(&url.host, self.cacert.as_deref()));
        Ok(Some(ToldRun {
            address: allowed.resolve(&url.host, url.port)?,
            tls: tls.transpose()?,
            key: key.to_owned(),
            by: self.by.clone().unwrap_or_else(|| command.to_owned()),
            url: url.with_target("/happened"),
        }))
    }
}

/// The link in a file.
fn read(file: &Path) -> Result<String> {
    let text = files::read_text(file, &bounds::LINK).map_err(|cause| {
        let file = file.display();
        Error::usage(format!(
            "failed to read the link of --tell in {file}: {cause}"
        ))
    })?;
    Ok(text.trim().to_owned())
}

impl ToldRun {
    /// Reports something.
    ///
    /// # Errors
    ///
    /// Where it did not arrive.
    pub(super) fn tell(&self, what: &str, kind: Reported) -> Result<()> {
        let body = serde_json::json!({ "what": what, "kind": kind, "by": self.by }).to_string();
        let request = HttpRequest {
            method: "POST",
            address: self.address,
            tls: self.tls.as_ref(),
            authority: &self.url.authority,
            target: &self.url.target,
            headers: &[
                ("content-type", "application/json"),
                ("x-threadbare-key", &self.key),
            ],
            body: body.as_bytes(),
            timeout: TIMEOUT,
            body_max: ANSWER_MAX,
        };
        let failed = |cause: &str| {
            Error::unfit(format!(
                "failed to report `{what}` to the run at {}: {cause}",
                self.url.authority
            ))
        };
        let response = ask(&request).map_err(|cause| failed(&cause.words))?;
        if response.status == 202 {
            return Ok(());
        }
        let body = response.body.unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let sentence = body["error"].as_str().unwrap_or("it refused");
        Err(failed(sentence))
    }

    /// Reports something that has happened already; where it does not arrive, that is said.
    pub(super) fn tell_or_say(&self, what: &str, kind: Reported) {
        if let Err(error) = self.tell(what, kind) {
            super::tell(&error);
        }
    }
}
