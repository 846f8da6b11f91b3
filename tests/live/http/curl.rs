//! One answer, read by curl and by `threadbare load`, side by side.

use std::process::Command;

use serde_json::Value;

use super::sites::{Site, serve};

/// An answer, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) site: Site,
    /// Why curl reads it otherwise.
    pub(super) differs: Option<&'static str>,
}

/// Longer than any answer on this machine takes.
const PATIENCE: &str = "1";

/// Holds every answer to what curl makes of it: the same status where curl is content,
/// a failure with a cause where it is not.
pub(super) fn holds(cases: &[Case]) {
    let address = serve(cases.iter().map(|case| case.site.clone()).collect());
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let url = format!("http://{address}/{number}");
        let (curl, own) = (curl(&url, &[]), own(&url, &[]));
        let same = own == curl;
        if same != case.differs.is_none() {
            wrong.push(format!("{}: curl {curl:?}, threadbare {own:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The status that curl reports of a whole answer; none where it is not content.
pub(super) fn curl(url: &str, flags: &[&str]) -> Option<u16> {
    let output = Command::new("curl")
        .args(["--silent", "--max-time", PATIENCE, "--noproxy", "*"])
        .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
        .args(flags)
        .arg(url)
        .output()
        .unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    let status = status.parse().ok().filter(|status| *status > 0);
    status.filter(|_| output.status.success())
}

/// The status of the one answer that `load` read; none where there was none. A status
/// that no answer ends with is expected, so that each that comes is told; every failure
/// has a cause.
pub(super) fn own(url: &str, flags: &[&str]) -> Option<u16> {
    let summary = load(url, &[&["--expect-status", "100"], flags].concat());
    let failures = summary["failures"].as_array();
    let [failure] = failures.map_or(&[][..], Vec::as_slice) else {
        panic!("{summary}");
    };
    let status = failure["examples"][0]["status"].as_u64();
    status.and_then(|status| u16::try_from(status).ok())
}

/// One operation, as JSON.
pub(super) fn load(url: &str, flags: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", url, "-n", "1", "-c", "1", "-d", "3s", "--json"])
        .args(["--timeout", &format!("{PATIENCE}s")])
        .args(flags)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}
