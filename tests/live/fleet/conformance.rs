//! One body, two fleets: the same scenario on real processes and in virtual time is
//! answered with the same statuses, and what a responder does to it is told in the
//! same sentences.
//!
//! Judged is which statuses come at all: how many requests find a queue full is a
//! matter of timing.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use crate::run::{alone, run_directory, threadbare};
use threadbare::record::{AttemptCounters, Counters, Event, Outcome, Record};

/// How a scenario is carried out: the subcommand that does it.
const ARMS: [&str; 2] = ["simulate", "run"];

/// Two instances of two workers, by far not busy, unless a test says otherwise.
const FLEET: [(&str, &str); 5] = [
    ("instances", "2"),
    ("workers", "2"),
    ("application", "'constant(1ms)'"),
    ("database", "'constant(1ms)'"),
    ("boot", "'600ms'"),
];

/// Half a second into the run, so that there is something before it.
const DETACH: &str = "[[timeline]]\nat = '500ms'\ndo = 'push'\n";

/// The record of a scenario with this in its fleet, this identity service, this request
/// of this role, and more.
fn carried_out(arm: &str, fleet: &str, identity: &str, request: &str, more: &str) -> Record {
    let own: Vec<&str> = fleet
        .lines()
        .filter_map(|it| it.split(' ').next())
        .collect();
    let usual = FLEET.iter().filter(|(key, _)| !own.contains(key));
    let usual: Vec<_> = usual
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    let usual = usual.concat();
    let text = format!(
        "title = 'a'\nclaim = 'b'\nwarm_up = '200ms'\ndrain = '1s'\n{more_top}\n\
         [target.fleet]\n{usual}{fleet}\nidentity = {{ {identity} }}\n\
         [load]\narrivals = 'constant'\nrate = '60/s'\nmix = [{{ weight = 1, {request} }}]\n\
         client = {{ timeout = '400ms' }}\n{more}",
        more_top = if more.contains("restart") {
            "end = '5s'"
        } else {
            "end = '2s'"
        },
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    fs::write(&file, &text).unwrap();
    let output = threadbare()
        .args([arm, "--out"])
        .arg(run_directory(&folder))
        .arg(&file)
        .output()
        .unwrap();
    Record::open(&run_directory(&folder)).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{error}; {said}\n{text}");
    })
}

/// How attempts ended, each kind once.
fn ends(record: &Record) -> BTreeSet<&'static str> {
    let mut sum = AttemptCounters::default();
    for sample in &record.samples {
        if let Counters::Attempts(counters) = &sample.counters {
            sum.merge(counters);
        }
    }
    let known = sum.status_2xx + sum.status_403 + sum.status_500 + sum.status_502 + sum.status_503;
    [
        ("2xx", sum.status_2xx),
        ("403", sum.status_403),
        ("500", sum.status_500),
        ("502", sum.status_502),
        ("503", sum.status_503),
        ("another", sum.responses - known),
        ("timeout", sum.timeouts),
        ("connection", sum.connection_errors),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, _)| name)
    .collect()
}

#[test]
fn a_request_is_answered_with_the_same_statuses() {
    let _alone = alone();
    let detached = |unverified: &str| {
        format!(
            "{DETACH}set = {{ 'authorization.verification' = 'detached', \
             'authorization.unverified' = '{unverified}' }}\n"
        )
    };
    let (deny, allow, hang) = (detached("deny"), detached("allow"), detached("hang"));
    let may = "request = 'list tasks', role = 'viewer'";
    let may_not = "request = 'close project', role = 'viewer'";
    let fast = "latency = 'constant(1ms)'";
    let slow = "latency = 'constant(100ms)'";
    // 4 workers carry 27/s of the 60/s, and whoever waits for one job does not time out.
    let busy = "application = 'constant(150ms)'\n";
    let queue = |policy: &str| format!("{busy}queue = '{policy}'\n");
    let (full, silent) = (queue("bounded(1)"), queue("bounded(1), silent"));
    let expires = queue("unbounded, expire 50ms");
    let propagated = "propagate_deadline = true\napplication = 'constant(500ms)'\n";
    let admit = "[[timeline]]\nat = '500ms'\ndo = 'admit'\nshare = '50 %'\n";
    let restart = "[[timeline]]\nat = '1s'\ndo = 'restart'\n";
    let cases = [
        ("", fast, may, "", &["2xx"][..]),
        ("", fast, may_not, "", &["403"]),
        ("", fast, may, &*deny, &["2xx", "500"]),
        ("", fast, may_not, &*allow, &["403", "2xx"]),
        ("", fast, may, &*hang, &["2xx", "timeout"]),
        ("bulkhead = 1\n", slow, may, "", &["2xx", "503"]),
        (
            "",
            "latency = 'constant(100ms)', timeout = '30ms'",
            may,
            "",
            &["503"],
        ),
        (&*full, fast, may, "", &["2xx", "503"]),
        (&*silent, fast, may, "", &["2xx", "timeout"]),
        (&*expires, fast, may, "", &["2xx", "503"]),
        (propagated, fast, may, "", &["timeout"]),
        ("", fast, may, admit, &["2xx", "503"]),
        // What an instance held is lost; then there is none.
        (
            "application = 'constant(50ms)'\n",
            fast,
            may,
            restart,
            &["2xx", "502", "503"],
        ),
    ];
    // Four fleets of 60/s beside each other leave the machine nearly idle.
    let at_a_time = 4;
    thread::scope(|scope| {
        for lane in 0..at_a_time {
            let cases = cases.iter().skip(lane).step_by(at_a_time);
            scope.spawn(move || {
                for (fleet, identity, request, more, expected) in cases {
                    let expected: BTreeSet<&str> = expected.iter().copied().collect();
                    for arm in ARMS {
                        let found = ends(&carried_out(arm, fleet, identity, request, more));
                        assert_eq!(
                            found, expected,
                            "{arm}: {fleet} {identity} {request} {more}"
                        );
                    }
                }
            });
        }
    });
}

/// What came of each entry of the timeline, in its order.
fn outcomes(record: &Record) -> Vec<Outcome> {
    let ended = record.events.iter().filter_map(|(_, event)| match event {
        Event::ActionEnded { entry, outcome } => Some((*entry, outcome.clone())),
        _ => None,
    });
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|(entry, _)| *entry);
    ended.into_iter().map(|(_, outcome)| outcome).collect()
}

#[test]
fn what_a_responder_does_is_told_in_the_same_sentences() {
    let _alone = alone();
    let detached = "set = { 'authorization.verification' = 'detached' }";
    let entries = [
        ("0.3s", "push", format!("{detached}\ncanary = '50 %'")),
        ("0.5s", "pause", "instances = 1".into()),
        ("0.6s", "push", format!("{detached}\nschema = 2")),
        ("0.7s", "slow", "part = 'database'\nfactor = 2".into()),
        ("0.8s", "continue", String::new()),
        ("0.9s", "rollback", String::new()), // refused: an older schema
        ("1.0s", "waive", "check = 'schema current'".into()),
        ("1.1s", "rollback", String::new()),
        ("1.2s", "slow", "part = 'identity'\nfactor = 3".into()),
        ("1.3s", "slow", "part = 'identity'\nfactor = 1".into()),
        ("1.4s", "admit", "share = '45 %'".into()),
        ("1.5s", "restart", "pause = '200ms'".into()), // its first instance is down for 600 ms
        ("1.6s", "restart", String::new()),
        ("1.7s", "pause", "instances = 1".into()),
        ("1.8s", "push", format!("{detached}\ntested = false")),
        ("1.9s", "continue", String::new()), // one of the two can
        ("4.9s", "restart", String::new()),
    ];
    let timeline = entries
        .iter()
        .map(|(at, what, more)| format!("[[timeline]]\nat = '{at}'\ndo = '{what}'\n{more}\n"))
        .collect::<Vec<_>>()
        .concat();
    let [simulated, live] = ARMS.map(|arm| {
        let identity = "latency = 'constant(1ms)'";
        let request = "request = 'list tasks', role = 'viewer'";
        outcomes(&carried_out(arm, "", identity, request, &timeline))
    });
    assert_eq!(simulated.len(), entries.len(), "{simulated:#?}");
    assert_eq!(simulated, live);
}
