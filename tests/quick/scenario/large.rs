//! Files of ten thousand entries and of as many mistakes: what takes their square
//! takes minutes here.

use std::fmt::Write as _;

use threadbare::scenario;

const COUNT: usize = 10_000;

const TARGET: &str = "title = 'a'\nclaim = 'b'\nend = '40s'\n[target]\nurl = 'http://127.0.0.1:8000'\n\
     [load]\nrate = '50/s'\n[[proxy]]\nname = 'front'\n[[hook]]\nname = 'deploy'\n\
     command = ['true']\n";
const FLEET: &str = "title = 'a'\nclaim = 'b'\nend = '40s'\n[load]\nrate = '50/s'\n\
     mix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]\n";

fn timeline(head: &str, entry: impl Fn(usize) -> String) -> String {
    (0..COUNT).fold(head.to_owned(), |mut text, index| {
        let _ = writeln!(text, "[[timeline]]\n{}", entry(index));
        text
    })
}

/// How many mistakes are told of a text.
fn mistakes(text: &str) -> usize {
    let found = scenario::parse("a", "a.toml", text).unwrap_err();
    let told = found.render(false);
    assert_eq!(told.matches("error:").count(), found.count());
    found.count()
}

#[test]
fn ten_thousand_faults_hooks_and_undos_are_read() {
    let text = timeline(TARGET, |index| match index % 4 {
        0 => format!(
            "at = '{index}ms'\ndo = 'fault'\nproxy = 'front'\nfault = 'latency'\n\
             with = {{ latency = '1s' }}\nname = 'late {index}'"
        ),
        1 => format!("at = '{index}ms'\ndo = 'undo'\nname = 'late {}'", index - 1),
        2 => format!("at = '{index}ms'\ndo = 'hook'\nhook = 'deploy'\nas = 'rollback'"),
        _ => "after = 'rollback applied'\ndo = 'hook'\nhook = 'deploy'".to_owned(),
    });
    let plan = scenario::parse("a", "a.toml", &text).unwrap();
    assert_eq!(plan.timeline.len(), COUNT);
}

#[test]
fn ten_thousand_actions_on_a_fleet_are_read() {
    let text = timeline(FLEET, |index| {
        let action = match index % 3 {
            0 => "do = 'push'\nset = { 'authorization.verification' = 'detached' }",
            1 => "do = 'rollback'",
            _ => "do = 'pause'\ninstances = 1",
        };
        format!("at = '{index}ms'\n{action}")
    });
    let plan = scenario::parse("a", "a.toml", &text).unwrap();
    let last = &plan.timeline[COUNT - 1].phase;
    assert_eq!(last, "push 3334");
}

#[test]
fn ten_thousand_names_that_nothing_has_are_told() {
    let text = timeline(TARGET, |index| match index % 2 {
        0 => format!(
            "at = '{index}ms'\ndo = 'fault'\nproxy = 'front'\nfault = 'latency'\nname = 'late {index}'"
        ),
        _ => format!("at = '{index}ms'\ndo = 'undo'\nname = 'laet {index}'"),
    });
    assert_eq!(mistakes(&text), COUNT / 2);
}

#[test]
fn twenty_thousand_unknown_keys_are_told() {
    let text = timeline(TARGET, |index| {
        format!("at = '{index}ms'\ndo = 'hook'\nhok = 'deploy'\nkey{index} = 1")
    });
    assert_eq!(mistakes(&text), 2 * COUNT);
    let in_one_table = (0..2 * COUNT).fold(TARGET.to_owned(), |mut text, index| {
        let _ = writeln!(text, "key{index} = 1");
        text
    });
    assert_eq!(mistakes(&in_one_table), 2 * COUNT);
}

#[test]
fn ten_thousand_lines_that_are_no_toml_are_told() {
    let text = timeline(TARGET, |_| "at = = '1s'".to_owned());
    assert!(mistakes(&text) >= COUNT);
}
