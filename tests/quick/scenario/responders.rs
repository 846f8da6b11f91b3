//! `[[responder]]`: what they would try in vain is told at its key.

use threadbare::scenario;

const FLEET: &str = r#"
title = "Rest"
claim = "Nothing happens."
end = "60s"
[load]
rate = "100/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
[[alert]]
name = "a"
when = "error share > 5 %"
for = "1s"
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
[[alert]]
name = "a"
when = "error share > 5 %"
for = "1s"
"#;

const PUSH: &str = "[[timeline]]\nat = '20s'\ndo = 'push'\n\
                    set = { 'authorization.verification' = 'detached' }\n";
const SLOW: &str = "[[timeline]]\nat = '20s'\ndo = 'slow'\npart = 'database'\nfactor = 8\n";
const MONITOR: &str = "[[monitor]]\nname = 'm'\nprobe = '/readyz'\nevery = '1s'\n";

/// What is told of a responder with these keys, as it is shown.
fn told(file: &str, more: &str, keys: &str) -> String {
    let text = format!("{file}{more}[[responder]]\nname = 'on call'\n{keys}\n");
    scenario::parse("test", "test.toml", &text)
        .err()
        .map_or_else(String::new, |mistakes| mistakes.render(false))
}

#[test]
fn what_a_responder_would_try_in_vain_is_told_at_its_key() {
    for (file, more, keys, sentence) in [
        (
            FLEET,
            SLOW,
            "restart = true",
            "nothing is pushed in this run",
        ),
        (
            FLEET,
            SLOW,
            "rollback = true",
            "nothing is pushed in this run",
        ),
        (
            FLEET,
            PUSH,
            "monitors_off = true",
            "no [[monitor]] to switch",
        ),
        (FLEET, PUSH, "alerts = []", "hears none"),
        (
            URL,
            "",
            "restart = true\nrollback = false",
            "needs a target that is started",
        ),
        (URL, "", "rollback = true", "needs a target that is started"),
        (
            URL,
            "",
            "rollback = false\nmonitors_off = true",
            "no [[monitor]] to switch",
        ),
    ] {
        let shown = told(file, more, keys);
        assert!(shown.contains(sentence), "{keys}: {shown}");
    }
}

#[test]
fn what_can_be_done_is_not_told() {
    for (file, more, keys) in [
        (FLEET, PUSH, "restart = true"),
        (FLEET, SLOW, "rollback = false\nrestart = true"),
        (
            FLEET,
            &format!("{PUSH}{MONITOR}"),
            "monitors_off = true\nalerts = ['a']",
        ),
    ] {
        let shown = told(file, more, keys);
        assert_eq!(shown, "", "{keys}");
    }
}
