//! Every reader of what comes from outside, as a function of bytes: what fuzzing calls.
//!
//! A reader may refuse anything. What it must not do is panic, run without end, or take
//! memory that its input only claims. `fuzz/` wraps each for `cargo fuzz`; the tests run
//! the same functions over the committed corpora and over mutations of them.

use std::sync::LazyLock;

use crate::bounds;
use crate::model::{PRESETS, Replay, Roles};
use crate::record::Record;
use crate::{agents, analysis, fleet, gauges, net, proxy, report, scenario, target};

/// A reader: its name, which is that of its corpus, and what it does with bytes.
pub type Reader = (&'static str, fn(&[u8]));

/// All of them.
pub const READERS: [Reader; 16] = [
    ("scenario", scenario_file),
    ("operations", operations),
    ("values", values),
    ("replay", replay),
    ("certificates", certificates),
    ("header", header),
    ("journal", journal),
    ("series", series),
    ("latency", latency),
    ("summary", summary),
    ("undos", undos),
    ("gauges", page),
    ("control", control),
    ("proxy_api", proxy_api),
    ("agent_packet", agent_packet),
    ("agent_call", agent_call),
];

/// Cuts what is longer than the bound: a file of that length is refused before it is parsed.
fn within<'a>(bytes: &'a [u8], bound: &bounds::Bound) -> &'a [u8] {
    &bytes[..bytes.len().min(bound.length_max())]
}

/// A scenario.
pub fn scenario_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(within(bytes, &bounds::SCENARIO));
    if let Err(mistakes) = scenario::parse("fuzzed", "fuzzed.toml", &text) {
        assert!(mistakes.count() > 0);
        let _ = mistakes.render(true);
    }
}

/// A file of operations.
pub fn operations(bytes: &[u8]) {
    let text = String::from_utf8_lossy(within(bytes, &bounds::SCENARIO));
    if let Err(mistakes) = scenario::operations("fuzzed.toml".as_ref(), &text) {
        let _ = mistakes.render(false);
    }
}

/// A file of values.
pub fn values(bytes: &[u8]) {
    let _ = scenario::csv_values(bytes);
}

/// Recorded times.
pub fn replay(bytes: &[u8]) {
    let _ = Replay::parse(&String::from_utf8_lossy(bytes));
}

/// Certificates and keys.
pub fn certificates(bytes: &[u8]) {
    net::read_pem(bytes);
}

/// `run.json`.
pub fn header(bytes: &[u8]) {
    told(Record::of_parts(bytes, b"", b"", b""));
}

/// `journal.jsonl`.
pub fn journal(bytes: &[u8]) {
    told(Record::of_parts(HEADER.as_bytes(), bytes, b"", b""));
}

/// `series.csv`.
pub fn series(bytes: &[u8]) {
    told(Record::of_parts(HEADER.as_bytes(), b"", bytes, b""));
}

/// `latency.hlog`.
pub fn latency(bytes: &[u8]) {
    told(Record::of_parts(
        HEADER.as_bytes(),
        b"",
        SERIES.as_bytes(),
        bytes,
    ));
}

/// Whatever can be read can be analysed and reported.
fn told(record: crate::error::Result<Record>) {
    if let Ok(record) = record {
        let findings = analysis::findings(&record);
        let _ = report::text::render(&record, &findings, None, false);
    }
}

/// `summary.json`, and every figure of it.
pub fn summary(bytes: &[u8]) {
    if let Ok(findings) = analysis::trend::read_summary(within(bytes, &bounds::SUMMARY)) {
        for (name, ..) in analysis::trend::figures() {
            if let Ok(figure) = name.parse::<analysis::trend::NamedFigure>() {
                let _ = figure.read(&findings);
            }
        }
    }
}

/// `undo.jsonl`.
pub fn undos(bytes: &[u8]) {
    target::read_undos(bytes);
}

/// A page of gauges, with the readings of every preset.
pub fn page(bytes: &[u8]) {
    if let Ok(page) = gauges::read_page(within(bytes, &bounds::GAUGES), &|_| true) {
        for preset in &PRESETS {
            let _ = Roles::of(preset).reading(&page);
        }
    }
}

/// A request to the control listener.
pub fn control(bytes: &[u8]) {
    fleet::read_control(bytes);
}

/// A request to the proxies' API: method, path, and in the next lines the body.
pub fn proxy_api(bytes: &[u8]) {
    proxy::read_api(bytes);
}

/// A packet between a conductor and an agent, and the message in it.
pub fn agent_packet(bytes: &[u8]) {
    agents::read_packet(within(bytes, &bounds::AGENT_PACKET));
}

/// A call for agents, or the answer to one.
pub fn agent_call(bytes: &[u8]) {
    agents::read_call(bytes);
}

/// A plan, as `run.json` has it.
static HEADER: LazyLock<String> = LazyLock::new(|| {
    let text = "title='a'\nclaim='b'\nend='9s'\n[target.fleet]\n[load]\nrate='1/s'\n\
        mix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]\n";
    let plan = scenario::parse("a", "a.toml", text).expect("it has no mistake");
    let header = crate::record::Header::new(plan, crate::record::Backend::Sim);
    serde_json::to_string(&header).expect("a header is JSON")
});

/// Samples that a log's histograms belong to.
const SERIES: &str = "from_ns,to_ns,axis,kind,source,counter,value\n\
    0,1000000000,intended,operations,user,scheduled,9\n\
    0,1000000000,instant,attempts,user,first_tries,9\n\
    1000000000,2000000000,intended,operations,user,scheduled,9\n";
