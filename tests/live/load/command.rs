//! `threadbare load` as its user meets it.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::server::{ScriptedAnswer, Server};

fn load(url: &str, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", url])
        .args(flags)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The figure of a summary at a path such as `measurement/validity`.
fn figure(output: &Output, path: &str) -> serde_json::Value {
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    summary.pointer(&format!("/{path}")).cloned().unwrap()
}

#[test]
fn an_open_load_tells_the_table_that_people_know() {
    let server = Server::start(|_| ScriptedAnswer::status(200).after(Duration::from_millis(2)));
    let url = format!("http://{}/", server.address());
    let output = load(&url, &["-R", "200", "-d", "1s"]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let text = out(&output);
    assert!(text.starts_with("200.0 operations/s succeeded"), "{text}");
    for row in [
        "p50 ",
        "p99.99 ",
        "max ",
        "2xx 200",
        "send lag",
        "validity      valid",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
    assert_eq!(server.requests().len(), 200);
}

#[test]
fn a_closed_loop_lasts_until_its_last_answer() {
    let server = Server::start(|_| ScriptedAnswer::status(200).after(Duration::from_millis(300)));
    let url = format!("http://{}/", server.address());
    let text = out(&load(&url, &["-n", "64", "-c", "64", "--quiet"]));
    // All at once, and all answered after 300 ms: at most 64 in 0.3 s.
    let rate = text.strip_prefix("PASSED  ").unwrap();
    let rate: f64 = rate.split(' ').next().unwrap().parse().unwrap();
    assert!(rate <= 64.0 / 0.3, "{text}");
}

#[test]
fn a_count_of_operations_ends_with_the_time_all_the_same() {
    let server = Server::start(|_| ScriptedAnswer::status(404));
    let url = format!("http://{}/", server.address());
    let text = out(&load(&url, &["-R", "100", "-n", "5000", "-d", "300ms"]));
    assert!(text.contains("4xx 30 (404: 30)"), "{text}");
    assert!(text.contains("30  unexpected client error (4xx)"), "{text}");
}

#[test]
fn a_quiet_load_tells_one_line_and_its_exit_code_whether_anything_succeeded() {
    for (status, code, part) in [
        (200, 0, "20 of 20 (100.00 %)"),
        (503, 1, "NOTHING SUCCEEDED: none of 20 operations"),
    ] {
        let server = Server::start(move |_| ScriptedAnswer::status(status));
        let url = format!("http://{}/", server.address());
        let output = load(&url, &["-n", "20", "-c", "2", "--quiet"]);
        let text = out(&output);
        assert_eq!(output.status.code(), Some(code), "{text}{}", error(&output));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains(part) && text.contains("response time p50"),
            "{text}"
        );
    }
}

#[test]
fn the_shells_and_the_manual_know_every_command() {
    for arguments in [&["completions", "bash"][..], &["man"]] {
        let told = Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(arguments)
            .output();
        let text = out(&told.unwrap());
        assert!(text.contains("schema") && text.contains("load"), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let written = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["man", "--out"])
        .arg(folder.path())
        .status();
    assert!(written.unwrap().success());
    assert!(folder.path().join("threadbare-load.1").exists());
}

/// A limit on file size stands for a full disk: it costs the file, and not the answer.
#[test]
fn what_was_measured_is_told_where_it_cannot_be_written() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.hlog");
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""])
        .args([env!("CARGO_BIN_EXE_threadbare"), "load"])
        .arg(format!("http://{}/", server.address()))
        .args(["-n", "20", "-R", "100", "--hdr"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    assert!(out(&output).contains("2xx 20"), "{}", out(&output));
    let told = "failed to write the histograms to";
    assert!(error(&output).contains(told), "{}", error(&output));
}

#[test]
fn the_histograms_can_be_read_by_their_own_library() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.hlog");
    load(
        &url,
        &["-n", "50", "-R", "25", "--hdr", file.to_str().unwrap()],
    );
    let log = std::fs::read(&file).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    let (mut zeros, mut starts) = (0, std::collections::BTreeSet::new());
    for entry in IntervalLogIterator::new(&log) {
        let interval = match entry.unwrap() {
            LogEntry::Interval(interval) => interval,
            LogEntry::StartTime(time) | LogEntry::BaseTime(time) => {
                // In seconds since 1970: this test is younger than 2020.
                assert!(time.as_secs() > 1_577_836_800);
                zeros += 1;
                continue;
            }
        };
        let encoded = base64::prelude::BASE64_STANDARD
            .decode(interval.encoded_histogram())
            .unwrap();
        let mut reader = Deserializer::new();
        let histogram: Histogram<u64> = reader.deserialize(&mut encoded.as_slice()).unwrap();
        // In milliseconds; the histogram itself is in nanoseconds.
        let max = f64::from(u32::try_from(histogram.max()).unwrap()) / 1e6;
        assert!(
            (interval.max() - max).abs() < 0.001,
            "{} and {max}",
            interval.max()
        );
        *counts
            .entry(interval.tag().unwrap().to_string())
            .or_insert(0) += histogram.len();
        starts.insert(interval.start_timestamp());
    }
    assert_eq!(zeros, 2);
    // An interval a second, and no more than one line for each of them.
    assert!(starts.len() > 1, "{starts:?}");
    assert_eq!(counts["operations:user:response"], 50);
    assert_eq!(counts["attempts:user:service"], 50);
    assert_eq!(counts["generator:generator:send_lag"], 50);
}

#[test]
fn a_target_that_refuses_everything_has_no_rate() {
    // A port that was just free: nobody listens on it.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for flags in [["-R", "100"], ["-c", "4"]] {
        let output = load(
            &format!("http://{free}/"),
            &[&flags[..], &["-n", "50"]].concat(),
        );
        let text = out(&output);
        assert!(text.starts_with("NOTHING SUCCEEDED"), "{text}");
        assert!(text.contains("50 connection failed"), "{text}");
        assert!(!text.contains("operations/s"), "{text}");
    }
}

#[test]
fn a_summary_keeps_the_contract_and_a_ramp_its_count() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let output = load(&url, &["-R", "100:300", "-d", "1s", "--json"]);
    assert_eq!(figure(&output, "conservation/scheduled"), 200);
    assert_eq!(figure(&output, "measurement/validity"), "valid");
    assert_eq!(figure(&output, "complete"), true);
    // Counts of operations due before the end: the integrals.
    for (rate, count) in [
        ("100,300", 200),
        ("100,900@250ms+500ms", 500),
        ("200~200/500ms", 200),
    ] {
        let output = load(&url, &["-R", rate, "-d", "1s", "--json"]);
        assert_eq!(figure(&output, "conservation/scheduled"), count, "{rate}");
    }
}

#[test]
fn recorded_times_are_offered_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("times.txt");
    std::fs::write(&file, "# two and one\n0.2\n0.1\n\n0.35\n").unwrap();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let replay = ["--replay", file.to_str().unwrap(), "--json"];
    for (flags, count) in [(&[][..], 3), (&["-d", "0.3s"], 2), (&["-n", "1"], 1)] {
        let output = load(&url, &[&replay[..], flags].concat());
        assert_eq!(
            figure(&output, "conservation/scheduled"),
            count,
            "{flags:?}"
        );
        assert_eq!(figure(&output, "measurement/validity"), "valid");
    }
    std::fs::write(&file, "0.1\nsoon\n").unwrap();
    let output = load(&url, &replay);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error(&output).contains("line 2, `soon`, is not a time"),
        "{}",
        error(&output)
    );
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn a_load_past_its_backlog_is_invalid_and_not_slow() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let url = format!("http://{}/", server.address());
    let flags = [
        "-R",
        "200",
        "-d",
        "1s",
        "-c",
        "1",
        "--backlog",
        "5",
        "--timeout",
        "1s",
    ];
    let output = load(&url, &flags);
    assert_eq!(output.status.code(), Some(97), "{}", out(&output));
    assert!(out(&output).contains("INVALID: The generator shed"));
}

#[test]
fn clients_behave_as_the_flags_say() {
    let server = Server::start(|_| ScriptedAnswer::status(429));
    let url = format!("http://{}/", server.address());
    let retrying = [
        "--retries",
        "2",
        "--backoff",
        "exponential 1ms..2ms, full jitter",
        "--retry-on",
        "timeout,too_many_requests",
        "--retry-budget",
        "0 %, burst 3",
        "--respect-retry-after",
    ];
    let output = load(&url, &[&["-R", "100", "-n", "20"], &retrying[..]].concat());
    let text = out(&output);
    assert!(text.contains("20 first tries, 3 retries"), "{text}");

    let server = Server::start(|_| ScriptedAnswer::status(500));
    let url = format!("http://{}/", server.address());
    let flags = ["-R", "100", "-n", "50", "--breaker", "5 failures, pause 1h"];
    let output = load(&url, &flags);
    let text = out(&output);
    assert!(text.contains("shed by the breaker"), "{text}");
    // That is no fault of the generator's.
    assert!(!text.contains("The generator shed"), "{text}");
}

#[test]
fn a_rate_past_the_generators_capacity_is_invalid_and_not_slow() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    // No thread sends four million requests a second.
    let flags = [
        "-R",
        "4000000",
        "-d",
        "1s",
        "--timeout",
        "1s",
        "--deadline",
        "1s",
    ];
    let output = load(&url, &flags);
    assert_eq!(output.status.code(), Some(97), "{}", out(&output));
    assert!(
        out(&output).contains("INVALID: The generator"),
        "{}",
        out(&output)
    );
}

#[test]
fn wrong_usage_is_told_in_one_sentence_and_sends_nothing() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let cases: [(&str, &[&str], &str); 17] = [
        ("http://192.0.2.1/", &[], "--allow-host 192.0.2.1"),
        ("ftp://127.0.0.1/", &[], "is neither http"),
        ("127.0.0.1:80", &[], "has no scheme"),
        ("http://127.0.0.1:99999/", &[], "an invalid port"),
        (&url, &["--timeout", "0s"], "more than zero"),
        ("http://a:b@127.0.0.1/", &[], "user's name"),
        (&url, &["-R", "0"], "more than zero"),
        (&url, &["-R", "10~20/1s"], "at most its mean"),
        (&url, &["-R", "10,20@1s"], "rate@start+length"),
        (
            &url,
            &["--replay", "/dev/zero"],
            "no regular file but a device",
        ),
        (&url, &["-H", "no colon"], "has no colon"),
        (&url, &["-t", "9", "-c", "4"], "no more threads"),
        (&url, &["-D", "/no/such/file"], "failed to read the body"),
        (&url, &["--backoff", "exponential"], "not a back-off"),
        (&url, &["--retry-on", "rain"], "may be retried"),
        (&url, &["--breaker", "5 failures"], "users who think"),
        (&url, &["--hedge-after", "1s", "-m", "POST"], "made twice"),
    ];
    for (url, flags, sentence) in cases {
        let output = load(url, flags);
        assert_eq!(output.status.code(), Some(2), "{url} {flags:?}");
        assert!(error(&output).contains(sentence), "{}", error(&output));
    }
    assert_eq!(server.requests().len(), 0);
}
