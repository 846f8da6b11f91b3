//! Keys that presuppose what the file does not have: each is told at its place, and
//! nothing is told where it is there.

use threadbare::scenario;

/// A scenario of the built-in fleet without an incident.
const FLEET: &str = r#"
title = "Rest"
claim = "Nothing happens."
end = "60s"
[load]
rate = "100/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
"#;

/// One of a service that is started by a command.
const OWN: &str = r#"
title = "Rest"
claim = "Nothing happens."
end = "60s"
[target]
url = "http://127.0.0.1:8000"
command = ["./serve"]
[load]
rate = "100/s"
"#;

/// One of a service that is only known by its address.
const URL: &str = r#"
title = "Rest"
claim = "Nothing happens."
end = "60s"
[target]
url = "http://127.0.0.1:8000"
[load]
rate = "100/s"
"#;

const PUSH: &str = "[[timeline]]\nat = '20s'\ndo = 'configure'\nenv = { A = 'b' }\n";
const ROLLBACK: &str = "[[timeline]]\nat = '30s'\ndo = 'rollback'\n";
const SURGE: &str = "[[load.step]]\nat = '20s'\nrate = '300/s'\n";
const BACK: &str = "[[load.step]]\nat = '30s'\nrate = '100/s'\n";
const MONITOR: &str = "[[monitor]]\nname = 'm'\nprobe = '/'\nevery = '1s'\n";
const ALERT: &str = "[[alert]]\nname = 'a'\nwhen = 'error share > 5 %'\nfor = '1s'\n";
const GAUGES: &str = "[[gauges]]\nname = 'g'\nurl = 'http://127.0.0.1:9100/metrics'\n\
                      busy = 'b'\nworkers = 'w'\n";
const PAUSE: &str = "[[timeline]]\nat = '20s'\ndo = 'process'\nfault = 'pause'\n";
const CONTINUE: &str = "[[timeline]]\nat = '30s'\ndo = 'process'\nfault = 'continue'\n";

/// The heads of what is told.
fn told(text: &str) -> Vec<String> {
    let Err(mistakes) = scenario::parse("test", "test.toml", text) else {
        return Vec::new();
    };
    let rendered = mistakes.render(false);
    let heads = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("error: "));
    heads.map(str::to_owned).collect()
}

const MOST: &str = "at_most = '9s'";
/// No expectation.
const NONE: (&str, &str) = ("", "");

/// A scenario, what is added to it, what is expected with which bound, and a few words of
/// what is told; none where nothing is.
type Case = (
    &'static str,
    &'static [&'static str],
    (&'static str, &'static str),
    &'static str,
);

const CASES: &[Case] = &[
    // Expectations on a rollback.
    (
        OWN,
        &[PUSH],
        ("recovery after rollback", MOST),
        "no entry of the timeline is a rollback",
    ),
    (
        OWN,
        &[PUSH, ROLLBACK],
        ("recovery after rollback", MOST),
        "",
    ),
    (
        OWN,
        &[PUSH],
        ("rejected rollbacks", "at_least = 1"),
        "no entry of the timeline is a rollback",
    ),
    (OWN, &[PUSH], ("rejected rollbacks", "at_most = 0"), ""),
    // On a cause that ends.
    (
        OWN,
        &[],
        ("recovery after trigger off", MOST),
        "nothing begins in this run",
    ),
    (
        OWN,
        &[PUSH],
        ("recovery after trigger off", MOST),
        "no entry ends what `push` begins",
    ),
    (
        OWN,
        &[PUSH],
        ("time to recover", MOST),
        "no entry ends what `push` begins",
    ),
    (OWN, &[PUSH], ("time to recover", "at_least = '9s'"), ""),
    (OWN, &[PAUSE, CONTINUE], ("time to recover", MOST), ""),
    (
        OWN,
        &[PAUSE],
        ("recovery after trigger off", MOST),
        "no entry ends what `pause` begins",
    ),
    (
        OWN,
        &[SURGE, BACK],
        ("recovery after trigger off", MOST),
        "",
    ),
    (
        OWN,
        &[SURGE],
        ("recovery after trigger off", MOST),
        "the load never falls back",
    ),
    (
        OWN,
        &[],
        ("recovery after the last action", MOST),
        "the timeline has no entry",
    ),
    // On an alert.
    (
        OWN,
        &[PUSH],
        ("time to detect", MOST),
        "there is no [[alert]]",
    ),
    (OWN, &[PUSH, ALERT], ("time to detect", MOST), ""),
    // On what the run has no time to see, or no baseline to judge by.
    (
        OWN,
        &["[recovery]\nhold = '40s'\n", PUSH, ROLLBACK],
        ("recovery after rollback", MOST),
        "the run goes on for 30s after it",
    ),
    (
        OWN,
        &["[recovery]\noperations_min = 2000\n", PUSH, ROLLBACK],
        ("recovery after rollback", MOST),
        "a verdict needs a baseline of 2000",
    ),
    (
        OWN,
        &["[recovery]\noperations_min = 1500\n", PUSH, ROLLBACK],
        ("recovery after rollback", MOST),
        "",
    ),
    // On words that the run cannot come to.
    (
        OWN,
        &[],
        ("incident verdict", "is = 'metastable'"),
        "nothing begins in this run",
    ),
    (
        OWN,
        &[PUSH],
        ("incident verdict", "is = 'metastable'"),
        "no entry ends what `push` begins",
    ),
    (
        OWN,
        &[PUSH],
        ("incident verdict", "is = 'undetermined'"),
        "",
    ),
    (
        OWN,
        &[PUSH, ROLLBACK],
        ("incident verdict", "is = 'recovered_by_intervention'"),
        "no entry of the timeline intervenes",
    ),
    (
        OWN,
        &[PUSH, ROLLBACK],
        ("sustaining effect", "is = 'monitor_probes'"),
        "there is no [[monitor]]",
    ),
    (
        OWN,
        &[PUSH, ROLLBACK, MONITOR],
        ("sustaining effect", "is = 'monitor_probes'"),
        "",
    ),
    // On gauges.
    (
        OWN,
        &[],
        ("saturation", "in = 'baseline'\nat_most = '50 %'"),
        "no [[gauges]] say how many workers are busy",
    ),
    (
        FLEET,
        &[],
        ("saturation", "in = 'baseline'\nat_most = '50 %'"),
        "",
    ),
    (
        OWN,
        &[GAUGES],
        ("saturation", "in = 'baseline'\nat_most = '50 %'"),
        "",
    ),
    (
        OWN,
        &[GAUGES],
        ("exhausted instances", "in = 'baseline'\nat_most = 0"),
        "no [[gauges]] say how many jobs wait",
    ),
    (
        OWN,
        &[],
        ("queue depth", "in = 'baseline'\nat_most = 0"),
        "",
    ),
    (
        URL,
        &[],
        ("queue depth", "in = 'baseline'\nat_most = 0"),
        "no [[gauges]] say how many jobs wait",
    ),
    // Alerts and stop conditions on what nothing tells.
    (
        OWN,
        &["[[alert]]\nname = 'a'\nwhen = 'probe failures > 5 %'\nfor = '1s'\n"],
        NONE,
        "`probe failures` is never known: there is no [[monitor]]",
    ),
    (
        OWN,
        &[
            MONITOR,
            "[[alert]]\nname = 'a'\nwhen = 'probe failures > 5 %'\nfor = '1s'\n",
        ],
        NONE,
        "",
    ),
    (
        OWN,
        &["[[alert]]\nname = 'a'\nwhen = 'saturation > 5 %'\nfor = '1s'\n"],
        NONE,
        "`saturation` is never known",
    ),
    (
        OWN,
        &["[safety]\nabort_if = ['probe failures > 5 % for 1s']\n"],
        NONE,
        "`probe failures` is never known",
    ),
    (
        OWN,
        &["[[alert]]\nname = 'a'\nwhen = 'error share > 5 %'\nfor = '60s'\n"],
        NONE,
        "the run ends at 1min",
    ),
    // Actions on what is not there.
    (
        OWN,
        &["[[timeline]]\nat = '20s'\ndo = 'monitors'\non = false\n"],
        NONE,
        "there is no [[monitor]] to switch",
    ),
    (
        OWN,
        &[CONTINUE],
        NONE,
        "no entry pauses what this continues",
    ),
    (
        OWN,
        &["[[timeline]]\nat = '20s'\ndo = 'process'\nfault = 'lift'\n"],
        NONE,
        "no entry sets the limits that this lifts",
    ),
    (
        FLEET,
        &["[[timeline]]\nat = '20s'\ndo = 'continue'\n"],
        NONE,
        "no entry pauses what this continues",
    ),
];

#[test]
fn what_presupposes_another_is_told_without_it_and_only_then() {
    for (base, parts, (that, bound), expected) in CASES {
        let last = match *that {
            "" => String::new(),
            that => format!("[[expect]]\nthat = '{that}'\n{bound}\n"),
        };
        let text = [*base, &parts.concat(), &last].concat();
        let told = told(&text);
        match (*expected, told.as_slice()) {
            ("", []) => {}
            ("", _) => panic!("{text}\n{told:?}"),
            (_, [only]) => assert!(only.contains(expected), "{text}\n{only}"),
            (_, _) => panic!("{text}\n{told:?}"),
        }
    }
}

#[test]
fn a_drain_is_as_long_as_clients_wait() {
    let plan = |top: &str, client: &str| {
        let text = FLEET.replace("[load]", &format!("{top}\n[load]\nclient = {{ {client} }}"));
        scenario::parse("test", "test.toml", &text)
    };
    let drain = |top: &str, client: &str| plan(top, client).unwrap().drain.to_string();
    assert_eq!(drain("", ""), "3s");
    assert_eq!(drain("", "timeout = '5s'"), "5s");
    assert_eq!(drain("", "timeout = '5s', deadline = '2s'"), "3s");
    assert_eq!(
        drain("drain = '2s'", "timeout = '5s', deadline = '2s'"),
        "2s"
    );
    assert_eq!(drain("drain = '2s'", "timeout = '5s'"), "2s");
    let mistakes = plan("drain = '4s'", "deadline = '5s'").unwrap_err();
    let mistakes = mistakes.render(false);
    let told = "operations may take 5s (`deadline`), and are given 4s after the end";
    assert!(mistakes.contains(told), "{mistakes}");
    assert!(mistakes.contains("test.toml:5:9"), "{mistakes}");
}

/// A target whose address is wrong is no fleet: one mistake is told once.
#[test]
fn nothing_is_told_that_only_follows_from_another_mistake() {
    let more = "[[load.operation]]\nname = 'o'\n[[load.operation.step]]\nrequest = 'GET /'\n\
                [[hook]]\nname = 'h'\ncommand = ['true']\n\
                [[proxy]]\nname = 'p'\n[[timeline]]\nat = '20s'\ndo = 'hook'\nhook = 'h'\n";
    for (from, to, expected) in [
        (
            "\"http://127.0.0.1:8000\"",
            "\"127.0.0.1:8000\"",
            "`url` cannot be",
        ),
        ("url = \"http://127.0.0.1:8000\"", "urls = 7", "`urls` is"),
        ("url = \"http://127.0.0.1:8000\"", "url = 8000", "`url` is"),
        ("url = ", "ulr = ", "has no key `ulr`"),
        (
            "[target]\nurl = \"http://127.0.0.1:8000\"",
            "target = 7",
            "`target` is",
        ),
    ] {
        let own = URL.replace(from, to);
        let told = told(&(own + more));
        let [only] = told.as_slice() else {
            panic!("{to}: {told:?}");
        };
        assert!(only.contains(expected), "{to}: {only}");
    }
    // A command that cannot be read may be what is restarted.
    let told = told(&[&*OWN.replace("[\"./serve\"]", "7"), PUSH, ROLLBACK].concat());
    assert!(
        matches!(told.as_slice(), [only] if only.contains("`command` is")),
        "{told:?}"
    );
}

/// A bare number is answered with itself and the unit that it lacks.
#[test]
fn a_number_without_its_unit_is_answered_with_it() {
    for (from, to, expected) in [
        ("end = \"60s\"", "end = 60", "`end = \"60s\"`"),
        ("end = \"60s\"", "end = 1.5", "`end = \"1.5s\"`"),
        ("rate = \"100/s\"", "rate = 350", "`rate = \"350/s\"`"),
        ("end = \"60s\"", "end = -1", "`end = \"18s\"`"),
    ] {
        let text = FLEET.replace(from, to);
        let mistakes = scenario::parse("test", "test.toml", &text).unwrap_err();
        let mistakes = mistakes.render(false);
        assert!(mistakes.contains(expected), "{mistakes}");
        assert!(!mistakes.contains("16:30"), "{mistakes}");
    }
}

/// A hook's body is sent as it is: a field that frames it otherwise is a mistake where it
/// stands, in the hook and in its undo.
#[test]
fn a_hook_that_would_be_read_as_two_requests_is_a_mistake() {
    let hook = |headers: &str| {
        let call =
            format!("request = 'POST http://127.0.0.1:8000/x'\nheaders = {headers}\nbody = 'abc'");
        let undo = call.replace('\n', ", ");
        let beside = "[[hook]]\nname = 'h'\n";
        let done = "[[timeline]]\nat = '20s'\ndo = 'hook'\nhook = 'h'\n";
        [
            format!("{URL}{beside}{call}\n{done}"),
            format!("{URL}{beside}command = ['true']\nundo = {{ {undo} }}\n{done}"),
        ]
    };
    for (headers, name) in [
        ("['transfer-encoding: chunked']", "transfer-encoding"),
        ("['Transfer-Encoding: gzip']", "Transfer-Encoding"),
        ("['x: y', 'content-length: 4']", "content-length"),
    ] {
        for text in hook(headers) {
            let expected = format!("the header `{name}` does not say where the body ends");
            assert_eq!(told(&text), [expected], "{text}");
        }
    }
    for text in hook("['content-length: 3', 'accept: */*']") {
        assert_eq!(told(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_is_taken_back_before_it_is_done_is_told() {
    let brought =
        |at: u64| format!("[[timeline]]\nat = '{at}s'\ndo = 'break'\nfault = 'database_down'\n");
    let mended = "[[timeline]]\nat = '20s'\ndo = 'mend'\nfault = 'database_down'\n";
    for (file, before, after) in [
        (
            FLEET,
            format!("{mended}{}", brought(10)),
            format!("{mended}{}", brought(30)),
        ),
        (OWN, format!("{PAUSE}{CONTINUE}"), {
            let early = CONTINUE.replace("30s", "10s");
            format!("{PAUSE}{early}")
        }),
    ] {
        assert_eq!(told(&format!("{file}{before}")), [""; 0]);
        assert_eq!(
            told(&format!("{file}{after}")),
            ["this takes back what only a later entry does"]
        );
    }
    // At the same instant the order of the file decides.
    let together = brought(20);
    assert_eq!(told(&format!("{FLEET}{together}{mended}")), [""; 0]);
    assert_eq!(told(&format!("{FLEET}{mended}{together}")).len(), 1);
}
