//! The grammar of expectations as its user meets it, and its page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use threadbare::model::{Figure, Moment, Scope, Unit};
use threadbare::plan::Plan;
use threadbare::scenario;

/// A scenario that expects this.
fn expecting(that: &str) -> Result<Plan, String> {
    let text = format!(
        "title = \"t\"\nclaim = \"c\"\nend = \"20s\"\n[target]\nurl = \"http://127.0.0.1:1/\"\n\
         [load]\nrate = \"10/s\"\n[[load.operation]]\nname = \"buy\"\n[[load.operation.step]]\n\
         request = \"GET /buy\"\n[[load.operation]]\nname = \"look\"\n[[load.operation.step]]\n\
         request = \"GET /\"\n[[expect]]\nthat = \"{that}\"\n"
    );
    scenario::parse("t", "t.toml", &text).map_err(|mistakes| mistakes.render(false))
}

#[test]
fn everything_that_the_page_shows_is_read_as_it_says() {
    for (text, read) in [
        ("p99 <= 50ms", "ResponseP99 - - -"),
        ("response p99.9<=2s", "ResponseP999 - - -"),
        ("response p99 over all <= 2 s", "OverAllP99 - - -"),
        ("errors ≤ 0.1 %", "ErrorShare - - -"),
        ("goodput >= 9.5/s", "Goodput - - -"),
        ("p99 in baseline <= 50ms", "ResponseP99 baseline - -"),
        ("p99 in the whole run <= 50ms", "ResponseP99 - - -"),
        ("p99 of buy in hold <= 50ms", "ResponseP99 - in hold buy"),
        (
            "p99 in the 10 s before trigger <= 50ms",
            "ResponseP99 - in the 10s before trigger -",
        ),
        (
            "goodput from rollback applied + 30s to the end >= 9/s",
            "Goodput - from rollback applied + 30s to the end -",
        ),
        (
            "attempts per operation from 5s to baseline+10s <= 2",
            "AttemptsPerOperation - from 5s to baseline + 10s -",
        ),
        (
            "service p50 from the start to trigger - 1s <= 5ms",
            "ServiceP50 - from the start to trigger - 1s -",
        ),
        ("failures <= 0", "Failures - - -"),
    ] {
        let plan = expecting(text).unwrap_or_else(|told| panic!("{text}: {told}"));
        let expectation = &plan.expectations[0];
        let or_dash = |it: Option<String>| it.unwrap_or_else(|| "-".into());
        let found = format!(
            "{:?} {} {} {}",
            expectation.that,
            or_dash(expectation.phase.clone()),
            or_dash(expectation.window.as_ref().map(ToString::to_string)),
            or_dash(expectation.kind.clone())
        );
        assert_eq!(found, read, "{text}");
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_a_way_out() {
    for (text, parts) in [
        (
            "p98 <= 50ms",
            ["there is no figure `p98`", "unknown figure"],
        ),
        (
            "reponse p99 <= 50ms",
            [
                "there is no figure `reponse p99`",
                "did you mean `response p99`?",
            ],
        ),
        ("p99 < 50ms", ["`<` is no bound", "write `<=`"]),
        (
            "p99 <= 50",
            [
                "`response p99` needs a duration",
                "write it like `response p99 <= 50ms`",
            ],
        ),
        (
            "error share <= 1",
            ["needs a share in percent", "`error share <= 1 %`"],
        ),
        ("p99", ["[[expect]] lacks its bound", "incomplete"]),
        (
            "p99 in basline <= 50ms",
            ["there is no phase `basline`", "did you mean `baseline`?"],
        ),
        (
            "p99 of sell <= 50ms",
            ["there is no operation `sell`", "`buy`, `look`"],
        ),
        (
            "service p99 of buy <= 50ms",
            ["is not counted by kind of operation", "remove `of`"],
        ),
        (
            "p99 in the 10 before trigger <= 1s",
            ["not a duration", "in the 10 s before trigger"],
        ),
        (
            "p99 in the 10s around trigger <= 1s",
            ["not a duration", "in the 10 s before trigger"],
        ),
        (
            "p99 from trigger <= 1s",
            ["`to` is missing here", "from rollback applied to the end"],
        ),
        (
            "time to detect in baseline <= 1s",
            ["is a figure of the whole incident", "remove it"],
        ),
        (
            "failures in hold <= 1",
            ["counted over a phase or the whole run", "no window here"],
        ),
        (
            "incident verdict is happy",
            ["is never `happy`", "`no_impact`"],
        ),
        ("", ["there is no figure ``", "unknown figure"]),
    ] {
        let told = expecting(text).expect_err(text);
        for part in parts {
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}

fn load(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command
        .args(["load", "http://127.0.0.1:1/", "-n", "1"])
        .args(words);
    command.output().unwrap()
}

#[test]
fn the_command_line_reads_the_same_and_refuses_before_anything_is_sent() {
    for (text, part) in [
        ("p99 in rollback <= 1s", "a load has no phase `rollback`"),
        (
            "p99 from rolback applied to the end <= 1s",
            "a load has no event and no phase `rolback applied`",
        ),
        (
            "p99 in the 10 s after rolback applied <= 1s",
            "did you mean `rollback applied`?",
        ),
        ("p99", "this has no bound"),
        ("p99 of buy <= 1s", "there is one kind of operation"),
    ] {
        let output = load(&["--expect", text]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_scenario_is_expected_to_do_more_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |expected: &str, out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        let words = [
            "simulate", "surge", "--expect", expected, "--out", out, "--quiet",
        ];
        command.args(words).current_dir(folder.path());
        command.output().unwrap()
    };
    let held = simulate("goodput in the 5s before trigger >= 1/s", "held");
    assert_eq!(held.status.code(), Some(0), "{held:?}");
    let missed = simulate(
        "attempts per operation in the 5s after trigger <= 0",
        "missed",
    );
    assert_eq!(missed.status.code(), Some(99), "{missed:?}");
    let mistaken = simulate("goodputt >= 1/s", "mistaken");
    assert_eq!(mistaken.status.code(), Some(2));
    let told = String::from_utf8(mistaken.stderr).unwrap();
    assert!(told.contains("did you mean `goodput`?"), "{told}");
}

/// `THREADBARE_UPDATE=1 cargo test --test quick expectations` writes it anew.
#[test]
fn the_page_has_the_tables_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/EXPECTATIONS.md");
    let page = fs::read_to_string(&path).unwrap();
    let with_figures = replaced(&page, "figures", &figures());
    let whole = replaced(&with_figures, "events", &events());
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        whole,
        "run `THREADBARE_UPDATE=1 cargo test --test quick expectations`"
    );
}

fn replaced(page: &str, mark: &str, table: &str) -> String {
    let begin = format!("<!-- {mark} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{begin}{table}<!-- end -->{after}")
}

fn figures() -> String {
    let mut text = String::from(
        "\n| figure | meaning | value | taken over | by operation |\n|---|---|---|---|---|\n",
    );
    for (figure, word) in Figure::ALL {
        let value = match figure.unit() {
            Unit::Seconds => "a duration: `50ms`".to_owned(),
            Unit::Share => "a share: `0.1 %`".to_owned(),
            Unit::PerSecond => "a rate: `100/s`".to_owned(),
            Unit::Number => "a number".to_owned(),
            Unit::Word => {
                let words = figure
                    .words()
                    .into_iter()
                    .map(|it| format!("`{}`", it.text()));
                words.collect::<Vec<_>>().join(", ")
            }
        };
        let over = match figure.scope() {
            Scope::Incident => "the incident",
            Scope::Window => "any window",
            Scope::Phase => "a phase, the whole run",
        };
        let by = if figure.is_by_kind() { "yes" } else { "" };
        let short = Figure::SHORT.iter().find(|(own, _)| *own == figure);
        let short = short.map_or_else(String::new, |(_, word)| format!(", `{word}`"));
        let meaning = figure.meaning();
        writeln!(
            text,
            "| `{word}`{short} | {meaning} | {value} | {over} | {by} |"
        )
        .unwrap();
    }
    text + "\n"
}

fn events() -> String {
    let mut text = String::from("\n| event | when |\n|---|---|\n");
    for (moment, word) in Moment::ALL {
        let when = match moment {
            Moment::Trigger => "the first cause of the incident began",
            Moment::Impact => "users began to be affected",
            Moment::Detection => "the first alert after the impact",
            Moment::TriggerOff => "the last cause ended",
            Moment::RollbackRejected => "the first rollback that was refused",
            Moment::RollbackApplied => "the first rollback that was applied",
            Moment::Mitigation => "goodput was back at half of the baseline's",
            Moment::Recovery => "service was back, and stayed so for a hold window",
        };
        writeln!(text, "| `{word}` | {when} |").unwrap();
    }
    text + "\n"
}
