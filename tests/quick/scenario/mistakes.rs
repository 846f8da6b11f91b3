//! Every mistake of a file is told, all at once and each once.

use proptest::prelude::*;
use threadbare::scenario;

use super::{SMALL, told};

/// Every kind of mistake that the structure of a file can have.
const WRONG_STRUCTURE: &str = r#"titel = "Misspelt"
claim = 7
seed = -1
end = "150 parsecs"
warm_up = 5
interval = "0s"

[story]
starts = 16:00:00
scale = 0

[[target]]
fleet = {}

[target2.fleet]
wokers = 4

[load]
arrivals = "poison"
mix = [
  { weight = 0, request = "list tasks", role = "contributor" },
  { weight = 1.5, request = "list task", role = "contributer" },
  { request = "dance", rolle = "viewer" },
  "list tasks",
]

[load.client]
timeout = "500"
retries = 1000
backoff = "exponential"
retry_on = ["server_eror", 429]
respect_retry_after = "yes"
retry_budget = "20"
breaker = "five failures"

[[load.step]]
at = "20s"

[monitor]
name = "deep health"

[[alert]]
name = "users refused"
when = "error share >= 50 %"
for = "0s"

[[timeline]]
at = "16.30"
do = "push"
set = { "authorization.verifcation" = "detached", "authorization.unverified" = "shrug" }

[[timeline]]
at = "18s"
do = "waive"
check = "gravity"
share = "10 %"

[[timeline]]
at = "19s"
do = "admit"
share = "145 %"

[[timeline]]
at = "20s"
do = "rolback"

[[timeline]]
at = "21s"

[[expect]]
that = "godput"
at_most = true
"#;

/// Every mistake that only the meaning of a file can show.
const WRONG_MEANING: &str = r#"title = "Wrong in what it says"
claim = "Every line of this file fits the schema."
end = "2min"
warm_up = "3min"
interval = "1500us"

[load]
rate = "2000000/s"
mix = [{ weight = 1, request = "create task", role = "contributor" }]
step = [{ at = "3min", rate = "10/s" }]
client = { timeout = "200ms", hedge_after = "200ms" }

[[monitor]]
name = "health"
probe = "/readyz"
every = "1s"

[[monitor]]
name = "health"
probe = "/livez"
every = "1s"

[[alert]]
name = "users refused"
when = "error share > 50 %"
for = "10s"

[[timeline]]
at = "16:30"
do = "monitors"
on = false

[[timeline]]
at = "10s"
do = "rollback"
phase = "baseline"

[[timeline]]
at = "11s"
do = "push"
set = { "authorization.verification" = "detached" }
phase = "broken"

[[timeline]]
at = "5min"
do = "admit"
share = "10 %"
phase = "broken"

[[timeline]]
after = "restarted"
do = "admit"
share = "50 %"

[[timeline]]
after = "alert users refusd"
delay = "1s"
do = "retries"
retries = 0

[[timeline]]
at = "20s"
after = "rollback applied"
do = "admit"
share = "50 %"

[[timeline]]
at = "21s"
delay = "1s"
do = "admit"
share = "50 %"

[[timeline]]
do = "restart"

[[expect]]
that = "recovery after rollback"
at_most = "50 %"

[[expect]]
that = "goodput share"
at_least = 0.5
at_most = "90 %"

[[expect]]
that = "rejected rollbacks"
in = "baseline"
at_least = 1

[[expect]]
that = "incident verdict"
is = "recovered_by_interventoin"

[[expect]]
that = "saturation"
in = "baseline"
is = "high"

[[expect]]
that = "time to detect"
"#;

/// What cannot be asked of a fleet.
const WRONG_FLEET: &str = r#"title = "A fleet that cannot be"
claim = "Every key of this fleet is wrong, the load is right."
end = "30s"

[target.fleet]
queue = "unbounded, silent"
contention = "10"
bulkhead = 0
monitor_workers = -1
propagate_deadline = "yes"
shed_above = 0
identity = { timeout = "0s" }

[load]
rate = "10/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
"#;

#[test]
fn mistakes_about_a_fleet_are_told_all_at_once() {
    let diagnostics = scenario::parse("wrong", "wrong.toml", WRONG_FLEET).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn mistakes_of_structure_are_told_all_at_once() {
    let diagnostics = scenario::parse("wrong", "wrong.toml", WRONG_STRUCTURE).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn mistakes_of_meaning_are_told_all_at_once() {
    let diagnostics = scenario::parse("wrong", "wrong.toml", WRONG_MEANING).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn mistakes_of_notation_are_told_with_the_others() {
    let text = "title = \"unclosed\nclaim = 7\nseed = = 1\nend = \"two minutes\"\nend = \"2min\"\n";
    let diagnostics = scenario::parse("wrong", "wrong.toml", text).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

/// One file, one change, one mistake: no mistake is told twice, or hides behind another.
#[test]
fn one_change_makes_one_mistake() {
    let shipped = scenario::shipped();
    let founding = shipped.iter().find(|(name, _)| *name == "missing-await");
    let (_, text) = founding.unwrap();
    for (from, to, told) in [
        (
            "workers     = 4",
            "wokers     = 4",
            "did you mean `workers`?",
        ),
        ("\"350/s\"", "\"350\"", "rate"),
        (
            "\"350/s\"",
            "\"350/s\"\nswing = { amplitude = \"351/s\", period = \"30s\" }",
            "more than the rate of 350/s",
        ),
        ("weight = 1,", "weight = 0,", "too small"),
        (
            "queue       = \"unbounded\"",
            "queue       = \"bounded(35)\"\nshed_above  = 36",
            "at most 35 jobs can wait",
        ),
        (
            "do    = \"admit\"\nshare = \"45 %\"",
            "do    = \"admit\"\nshare = \"145 %\"",
            "0 % and 100 %",
        ),
        (
            "do    = \"admit\"\nshare = \"45 %\"",
            "do    = \"admit\"\nshare = 0.37",
            "37 %",
        ),
        (
            "do     = \"push\"",
            "do     = \"pusch\"",
            "did you mean `push`?",
        ),
        (
            "at     = \"16:30\"",
            "at     = \"18:13\"",
            "nothing to roll back to",
        ),
        ("at     = \"16:30\"", "at     = \"15:30\"", "after the end"),
        ("at     = \"16:30\"", "at     = \"1630\"", "moment"),
        (
            "in       = \"push\"",
            "in       = \"psuh\"",
            "did you mean `push`?",
        ),
        ("for  = \"32s\"\n", "", "lacks the key `for`"),
        ("[story]", "[storey]", "did you mean `story`?"),
    ] {
        assert!(text.contains(from), "{from}");
        let wrong = text.replacen(from, to, 1);
        let diagnostics = scenario::parse("wrong", "wrong.toml", &wrong).unwrap_err();
        let rendered = diagnostics.to_string();
        assert!(rendered.contains(told), "{rendered}");
        assert_eq!(diagnostics.count(), 1, "{rendered}");
    }
}

proptest! {
    /// Whatever is done to a file, it is read or its mistakes are told; and
    /// what fits the schema can be read.
    #[test]
    fn no_damage_to_a_file_is_too_much(
        from in 0usize..4800,
        length in 0usize..40,
        filling in "[a-z0-9=\"\\[\\]{}.,% \n\u{1b}é-]{0,6}",
    ) {
        let (_, text) = scenario::shipped()[0];
        let mut damaged: Vec<char> = text.chars().collect();
        let from = from.min(damaged.len());
        let to = (from + length).min(damaged.len());
        damaged.splice(from..to, filling.chars());
        let damaged: String = damaged.into_iter().collect();
        if let Err(diagnostics) = scenario::parse("damaged", "damaged.toml", &damaged) {
            prop_assert!(diagnostics.count() > 0);
            let rendered = diagnostics.render(false);
            prop_assert!(!rendered.contains("cannot be read"), "{}", rendered);
            prop_assert!(!rendered.contains('\u{1b}'), "{}", rendered);
        }
    }
}

#[test]
fn mistakes_in_new_actions_are_told() {
    for (entry, part) in [
        ("do = 'slow'\npart = 'database'", "factor"),
        ("do = 'slow'\npart = 'kitchen'\nfactor = 2", "kitchen"),
        ("do = 'slow'\npart = 'database'\nfactor = 0.5", "least"),
        ("do = 'pause'\ninstances = 0", "least"),
        ("do = 'continue'\ninstances = 5", "there are 4"),
        (
            "do = 'push'\nset = {}\ncanary = '120 %'",
            "between 0 % and 100 %",
        ),
    ] {
        let text = told(&format!("[[timeline]]\nat = '10s'\n{entry}\n"));
        assert!(text.contains(part), "{entry}: {text}");
    }
    // A phase of a surge is a phase, and so is known.
    let surge = "[[load.step]]\nat = '10s'\nrate = '150/s'\n";
    let expect = "[[expect]]\nthat = 'error share'\nin = 'surge'\nat_least = '1 %'\n";
    assert!(scenario::parse("a", "a.toml", &format!("{SMALL}{surge}{expect}")).is_ok());
    assert!(told(expect).contains("there is no phase `surge`"));
}

#[test]
fn expectations_of_failures_name_what_there_is() {
    let expect = |that: &str, keys: &str| format!("[[expect]]\nthat = '{that}'\n{keys}\n");
    for keys in [
        "at_most = 0",
        "cause = 'no_answer'\nat_least = 1",
        "cause = 'refused'\nsource = 'monitor'\nin = 'baseline'\nat_most = 3",
    ] {
        let text = format!("{SMALL}{}", expect("failures", keys));
        assert!(
            scenario::parse("a", "a.toml", &text).is_ok(),
            "{keys}: {}",
            told(&expect("failures", keys))
        );
    }
    for (that, keys, part) in [
        (
            "failures",
            "cause = 'refussed'\nat_most = 0",
            "did you mean `refused`?",
        ),
        (
            "failures",
            "source = 'monitors'\nat_most = 0",
            "did you mean `monitor`?",
        ),
        ("failures", "at_most = '3 %'", "needs a bare number"),
        (
            "failures",
            "in = 'later'\nat_most = 0",
            "there is no phase `later`",
        ),
        ("failures", "cause = 'refused'", "add `at_most = 0`"),
        (
            "time to detect",
            "cause = 'refused'\nat_most = '3s'",
            "`time to detect` has no `cause`: only failures have one",
        ),
        (
            "error share",
            "in = 'baseline'\nsource = 'user'\nat_most = '3 %'",
            "`error share` has no `source`",
        ),
    ] {
        let text = told(&expect(that, keys));
        assert!(text.contains(part), "{that} {keys}: {text}");
    }
}
