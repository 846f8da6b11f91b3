//! One page of gauges: what is asked for, and what of an answer is a page.
//!
//! The path and what stands before the host may be secret, so no cause quotes them.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::bounds::GAUGES;
use crate::model::{FailureCause, GaugeUrl};
use crate::net::http::{self, HttpRequest};
use crate::net::{Failed, Tls};
use crate::units::Nanos;

/// The body of the page at `url`, asked of `address` within `limit`.
///
/// # Errors
///
/// Why not; its words follow "failed to read the page: ".
pub(crate) fn fetch(
    url: &GaugeUrl,
    address: SocketAddr,
    tls: Option<&Tls>,
    limit: Nanos,
) -> Result<Vec<u8>, Failed> {
    let user = url.user();
    let user = user.map(|user| format!("Basic {}", BASE64_STANDARD.encode(user)));
    let mut headers = vec![("user-agent", "threadbare"), ("accept", "text/plain, */*")];
    headers.extend(user.as_deref().map(|user| ("authorization", user)));
    let response = http::ask(&HttpRequest {
        method: "GET",
        address,
        tls,
        authority: &url.authority(),
        target: url.target(),
        headers: &headers,
        body: b"",
        timeout: limit,
        body_max: GAUGES.length_max(),
    })?;
    check_status(response.status)?;
    let coding = response.header("content-encoding");
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(unfit(
            "the page is compressed, although no compression was requested",
        ));
    }
    response.body.ok_or_else(|| unfit(GAUGES.too_long()))
}

/// An answer that is no page.
pub(super) fn unfit(words: impl Into<String>) -> Failed {
    Failed::new(FailureCause::CheckFailed, words)
}

fn check_status(status: u16) -> Result<(), Failed> {
    let hint = match status {
        200 => return Ok(()),
        401 | 403 => ": is a secret missing?",
        300..=399 => ", and no redirect is followed",
        _ => "",
    };
    let words = format!("it answered with status {status}{hint}");
    Err(Failed::of_status(status, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_an_answer_with_status_200() {
        assert_eq!(check_status(200), Ok(()));
        for (status, told) in [
            (204, "status 204"),
            (302, "status 302, and no redirect is followed"),
            (401, "status 401: is a secret missing?"),
            (404, "status 404"),
        ] {
            assert!(
                check_status(status).unwrap_err().words.ends_with(told),
                "{status}"
            );
        }
    }
}
