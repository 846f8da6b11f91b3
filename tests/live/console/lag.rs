//! What ten open pages cost the generator: the same run with none and with ten, in turns.
//!
//! `./test --long` measures it; docs/GAMEDAY.md quotes reports/long/console-lag.json.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};

use crate::figures::{keep, median};
use crate::run::{alone, summary, threadbare};

/// Pages that are open in every second run.
const PAGES: usize = 10;
/// Runs of each kind.
const RUNS: usize = 5;

/// Two instances of two workers each, calm, for fifteen seconds.
const CALM: &str = r#"
title    = "calm"
claim    = "nothing happens"
end      = "15s"
warm_up  = "2s"
interval = "500ms"

[target.fleet]
instances = 2
workers   = 2
users     = 30
boot      = "0s"

[load]
rate = "200/s"
mix  = [{ weight = 1, request = "list tasks", role = "contributor" }]
"#;

/// The send lag of a run that so many pages follow, and the lines that they were sent.
fn run(folder: &Path, number: usize, pages: usize) -> (Value, usize) {
    let file = folder.join("calm.toml");
    fs::write(&file, CALM).unwrap();
    let out: PathBuf = folder.join(number.to_string());
    let mut process = threadbare()
        .args(["run", "--console", "--out"])
        .arg(&out)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let link = lines.find_map(|line| {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        words
            .find(|it| it.starts_with("http://"))
            .map(str::to_owned)
    });
    thread::spawn(move || lines.for_each(drop));
    let link = link.unwrap();
    let (address, key) = link.split_once("/#key=").unwrap();
    let readers: Vec<_> = (0..pages)
        .map(|_| {
            let (address, key) = (address.to_owned(), key.to_owned());
            thread::spawn(move || {
                let answer = ureq::get(format!("{address}/events?from=0"))
                    .header("X-Threadbare-Key", &key)
                    .call()
                    .unwrap();
                let mut body = BufReader::new(answer.into_body().into_reader());
                let mut text = String::new();
                // The run ends, and the stream with it.
                let _ = body.read_to_string(&mut text);
                text.lines()
                    .filter(|line| line.starts_with("data:"))
                    .count()
            })
        })
        .collect();
    assert!(process.wait().unwrap().success());
    let read = readers.into_iter().map(|it| it.join().unwrap());
    let least = read.min().unwrap_or(0);
    let found = summary(&out).unwrap();
    assert_eq!(found["measurement"]["validity"], "valid");
    (found["measurement"]["send_lag_us"].clone(), least)
}

#[test]
#[ignore = "minutes; ./test --long"]
fn ten_pages_cost_the_generator_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut told: [Vec<Value>; 2] = [Vec::new(), Vec::new()];
    for turn in 0..RUNS {
        for (kind, pages) in [0, PAGES].into_iter().enumerate() {
            let (lag, messages) = run(folder.path(), 2 * turn + kind, pages);
            assert!(pages == 0 || messages > 20, "{messages} messages");
            told[kind].push(lag);
        }
    }
    let medians = told.each_ref().map(|runs| {
        let of = |name: &str| median(runs.iter().map(|it| it[name].as_f64().unwrap()).collect());
        json!({ "p50": of("p50"), "p99": of("p99") })
    });
    let [none, ten] = &medians;
    let written = json!({
        "unit": "microseconds",
        "runs_of_each": RUNS,
        "pages": PAGES,
        "median_send_lag_with_no_page": none,
        "median_send_lag_with_pages": ten,
        "each_run": { "no_page": told[0], "pages": told[1] },
    });
    keep("console-lag.json", &written);
    // The spread of the runs without pages is what the machine does anyhow.
    let of_none = told[0].iter().map(|it| it["p50"].as_f64().unwrap());
    let most = of_none.fold(0.0, f64::max);
    let with = ten["p50"].as_f64().unwrap();
    assert!(
        with <= most,
        "p50 {with} µs with pages, {most} µs at most without"
    );
}
