//! Any process of a run, any signal, any instant: nothing is left but what
//! `threadbare recover` names and then undoes.
//!
//! Cases are drawn from a seed, and run a few beside each other: nothing is measured here.
//! `./test --long` runs two hundred, goes on where it was interrupted, and leaves its counts
//! in reports/long/kills.json.

mod case;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use self::case::{Case, Kind, command_line, send};
use crate::rig::state;
use crate::run::{alone, threadbare, wait_until};

/// Who has waited so long for a process to end waits in vain: a guardian gives 15 s to one
/// that stands still.
const PATIENCE: Duration = Duration::from_secs(90);
/// Cases in `./test --long`.
const CASES: u64 = 200;
/// Cases beside each other.
const AT_ONCE: usize = 3;
/// Cases after which the counts are written down.
const BATCH: usize = 10;

const KINDS: [Kind; 3] = [Kind::Fleet, Kind::Command, Kind::Running];
const VICTIMS: [&str; 5] = ["conductor", "guardian", "both", "target", "any"];
const SIGNALS: [(&str, Signal); 5] = [
    ("SIGKILL", Signal::KILL),
    ("SIGTERM", Signal::TERM),
    ("SIGINT", Signal::INT),
    ("SIGHUP", Signal::HUP),
    ("SIGSTOP+SIGCONT", Signal::STOP),
];

/// What came of some cases.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Counts {
    cases: u64,
    /// Those in which the load had begun and not ended when the signal was sent.
    under_load: u64,
    /// Those in which something acted then that has to be undone.
    acting: u64,
    /// Those in which something was left that `recover` named and undid.
    recovered: u64,
    /// Those in which something was left after that.
    left: u64,
}

/// The counts that are committed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    all: Counts,
    each: BTreeMap<String, Counts>,
}

/// Those who are to be signalled, of the processes that there are at this instant.
fn victims(case: &Case, conductor: u32, role: &str, random: &mut StdRng) -> Vec<u32> {
    let others: Vec<u32> = case
        .processes()
        .into_iter()
        .filter(|pid| *pid != conductor)
        .collect();
    let is = |word: &'static str| move |pid: &&u32| command_line(**pid).contains(word);
    let guardian = others.iter().find(is("__guardian")).copied();
    let word = if case.kind == Kind::Fleet {
        "__part"
    } else {
        "server.py"
    };
    let mut parts: Vec<u32> = others.iter().filter(is(word)).copied().collect();
    parts.extend(case.theirs.as_ref().map(Child::id));
    let target = parts.choose(random).copied();
    match role {
        "guardian" => guardian.into_iter().collect(),
        "both" => guardian.into_iter().chain([conductor]).collect(),
        "target" => target.into_iter().collect(),
        "any" if !others.is_empty() => others.choose(random).copied().into_iter().collect(),
        _ => vec![conductor],
    }
}

/// Lets a seeded time pass: the instant itself is what is drawn, and nothing is awaited.
fn pass(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}

/// Runs one case; gives its name and what came of it.
fn kill(number: u64) -> (String, Counts) {
    let mut random = StdRng::seed_from_u64(number);
    let at = |count: usize, step: usize| (usize::try_from(number).unwrap() / step) % count;
    let kind = KINDS[at(3, 1)];
    let (name, chosen) = SIGNALS[at(5, 3)];
    let role = VICTIMS[at(5, 15)];
    let case = Case::new(kind);
    let mut child = case.start();
    pass(Duration::from_millis(random.random_range(0..4500)));
    let (under_load, acting) = case.stage();
    let victims = victims(&case, child.id(), role, &mut random);
    let still_there = |pid: &&u32| **pid != child.id() || child_runs(**pid);
    for pid in victims.iter().filter(still_there) {
        send(*pid, chosen);
    }
    if chosen == Signal::STOP {
        pass(Duration::from_millis(random.random_range(0..2000)));
        for pid in victims.iter().filter(still_there) {
            send(*pid, Signal::CONT);
        }
    }
    let what = format!("case {number}: {kind:?} {role} {name}");
    wait_until(PATIENCE, &format!("the run ends: {what}"), || {
        child.try_wait().unwrap().is_some()
    });
    settled(&case);
    let mut counts = Counts {
        cases: 1,
        under_load: under_load.into(),
        acting: acting.into(),
        ..Counts::default()
    };
    let left = case.left();
    if !left.is_empty() {
        let named = recover(&case, &[]);
        let undone = recover(&case, &["--yes"]);
        settled(&case);
        let after = case.left();
        let told = !named.contains("Nothing is left to undo");
        counts.recovered = u64::from(after.is_empty() && told);
        counts.left = 1 - counts.recovered;
        eprintln!("{what}: left {left:?}; recover: {named} {undone}; then left {after:?}");
    }
    let said = fs::read_to_string(case.path("said")).unwrap();
    let wrong = ["panicked", "bug of threadbare", "nothing was run"];
    if wrong.iter().any(|word| said.contains(word)) {
        eprintln!("{what}: {said}");
        counts.left = 1;
    }
    (format!("{kind:?} {role} {name}").to_lowercase(), counts)
}

fn child_runs(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// Gives what ends by itself the time to do so: until nothing is left, or no process of
/// the program's is there any more.
fn settled(case: &Case) {
    let end = Instant::now() + Duration::from_secs(40);
    let at_work = || {
        let mut pids = case.processes().into_iter();
        pids.any(|pid| command_line(pid).contains(env!("CARGO_BIN_EXE_threadbare")))
    };
    while !case.left().is_empty() && at_work() {
        if Instant::now() > end {
            return;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
}

fn recover(case: &Case, arguments: &[&str]) -> String {
    let mut command = threadbare();
    command.arg("recover").arg(case.path("run")).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs the cases of these numbers, and tells of each as it ends.
fn each(numbers: impl Iterator<Item = u64> + Send, told: impl Fn(String, Counts) + Sync) {
    let numbers = Mutex::new(numbers);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = numbers.lock().unwrap().next();
                    let Some(number) = next else { return };
                    let (name, counts) = kill(number);
                    told(name, counts);
                }
            });
        }
    });
}

#[test]
fn a_few_kills_leave_nothing() {
    let _alone = alone();
    let (left, acting) = (AtomicU64::new(0), AtomicU64::new(0));
    // Each kind of target, each role once or more, several signals.
    let numbers = [0, 16, 32, 50, 67, 13, 46];
    each(numbers.into_iter(), |_, counts| {
        left.fetch_add(counts.left, Ordering::Relaxed);
        acting.fetch_add(counts.acting, Ordering::Relaxed);
    });
    assert_eq!(left.into_inner(), 0);
    assert!(acting.into_inner() > 0);
}

#[test]
#[ignore = "takes a quarter of an hour: ./test --long"]
fn two_hundred_kills_leave_nothing() {
    let _alone = alone();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/kills.json");
    let known = fs::read_to_string(&path).ok();
    let known: Report =
        known.map_or_else(Report::default, |text| serde_json::from_str(&text).unwrap());
    let begun = known.all.cases;
    let report = Mutex::new(known);
    // A few at a time are run beside each other, and written down when all have ended.
    for first in (begun..CASES).step_by(BATCH) {
        let numbers = first..CASES.min(first + BATCH as u64);
        each(numbers, |name, counts| {
            let mut report = report.lock().unwrap();
            let own = report.each.entry(name).or_default();
            add(own, &counts);
            add(&mut report.all, &counts);
        });
        let text = serde_json::to_string_pretty(&*report.lock().unwrap()).unwrap() + "\n";
        fs::write(&path, text).unwrap();
    }
    let all = report.into_inner().unwrap().all;
    assert_eq!((all.cases, all.left), (CASES, 0), "{all:?}");
    // Most hit a run that is at work, and some something that only `recover` can undo.
    assert!(
        all.under_load > CASES / 2 && all.acting > CASES / 3,
        "{all:?}"
    );
    assert!(all.recovered > 0, "{all:?}");
}

fn add(own: &mut Counts, more: &Counts) {
    own.cases += more.cases;
    own.under_load += more.under_load;
    own.acting += more.acting;
    own.recovered += more.recovered;
    own.left += more.left;
}
