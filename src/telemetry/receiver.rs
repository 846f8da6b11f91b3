//! Where telemetry is sent: a URL whose host was allowed, and what requests to it carry.

use std::fmt;
use std::net::SocketAddr;

use crate::bounds::RECEIVER_ANSWER;
use crate::error::{Error, Result};
use crate::model::{Url, is_loopback};
use crate::net::http::{HttpRequest, ask_unless};
use crate::net::{AllowedHosts, Tls};
use crate::units::Nanos;

/// How long a request may take: who does not answer within it loses what it held.
const TIMEOUT: Nanos = Nanos::from_secs(5);
/// How threadbare introduces itself.
const AGENT: &str = concat!("threadbare/", env!("CARGO_PKG_VERSION"));

/// Who is sent to.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    url: Url,
    tls: Option<Tls>,
    headers: Vec<(String, String)>,
}

/// Path and header fields may hold secrets.
impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("authority", &self.url.authority)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// The receiver at a URL that `flag` names, with header fields of its own.
    ///
    /// # Errors
    ///
    /// Where it is not a URL, or its host is not allowed or not known.
    pub(crate) fn at(
        flag: &str,
        url: &str,
        headers: Vec<(String, String)>,
        allowed: &AllowedHosts,
    ) -> Result<Self> {
        let url: Url = url
            .parse()
            .map_err(|cause| Error::usage(format!("failed to read {flag}: {cause}")))?;
        let tls = url.encrypted.then(|| Tls::trusting(&url.host, None));
        let address = allowed.resolve(&url.host, url.port)?;
        if !headers.is_empty() && tls.is_none() && !is_loopback(address.ip()) {
            return Err(Error::usage(format!(
                "the header fields for {flag} may hold a secret, and without TLS everybody on the \
                 way to {} could read it; write https",
                url.authority
            )));
        }
        Ok(Self {
            address,
            tls: tls.transpose()?,
            headers,
            url,
        })
    }

    /// The same with a path after its own.
    pub(super) fn below(&self, path: &str) -> Self {
        let base = self.url.target.split('?').next().unwrap_or_default();
        let target = format!("{}{path}", base.trim_end_matches('/'));
        Self {
            url: self.url.with_target(&target),
            ..self.clone()
        }
    }

    /// Its host and port, for sentences.
    pub(super) fn authority(&self) -> &str {
        &self.url.authority
    }

    /// Posts a body, unless it is `over` before; the body of the answer, where it is not too
    /// long.
    ///
    /// # Errors
    ///
    /// Why it did not arrive: a clause.
    pub(super) fn post(
        &self,
        kind: &str,
        body: &[u8],
        over: &dyn Fn() -> bool,
    ) -> std::result::Result<Vec<u8>, String> {
        let own = [("content-type", kind), ("user-agent", AGENT)];
        let given = self.headers.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = own.into_iter().chain(given).collect();
        let request = HttpRequest {
            method: "POST",
            address: self.address,
            tls: self.tls.as_ref(),
            authority: &self.url.authority,
            target: &self.url.target,
            headers: &headers,
            body,
            timeout: TIMEOUT,
            body_max: RECEIVER_ANSWER.length_max(),
        };
        let response = ask_unless(&request, Some(over)).map_err(|cause| cause.words)?;
        if (200..300).contains(&response.status) {
            return Ok(response.body.unwrap_or_default());
        }
        Err(format!("it answered with status {}", response.status))
    }
}
