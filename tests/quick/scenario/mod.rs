//! Scenario files: the shipped ones hold, the schema is current, and mistakes
//! are told all at once.

mod contradictions;
mod gauges;
mod guide;
mod http2;
mod large;
mod load;
mod mistakes;
mod proxies;
mod responders;
mod variants;

use threadbare::model::{Action, ServiceAction, When};
use threadbare::scenario;
use threadbare::units::Nanos;

#[test]
fn every_shipped_scenario_parses_and_plans_the_same_way_twice() {
    for (name, _) in scenario::shipped() {
        let plan = scenario::load(name, false).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.scenario, *name);
        assert_eq!(plan, scenario::load(name, false).unwrap());
        assert!(!plan.claim.is_empty() && !plan.source.is_empty(), "{name}");
        assert!(!plan.expectations.is_empty(), "{name}");
    }
}

#[test]
fn every_scenario_in_the_folder_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let shipped = scenario::shipped().iter().any(|(name, _)| *name == stem);
        assert!(shipped, "{stem} is not in scenario::shipped()");
    }
}

#[test]
fn the_founding_incident_keeps_its_proportions() {
    let plan = scenario::load("missing-await", false).unwrap();
    assert_eq!(plan.end, Nanos::from_secs(144)); // 4 h at 100 to 1
    let pushed = &plan.timeline[0];
    assert_eq!(pushed.when, When::At(Nanos::from_secs(18)));
    assert_eq!(pushed.phase, "push");
    let phases: Vec<_> = plan.timeline.iter().map(|e| e.phase.as_str()).collect();
    assert_eq!(
        phases,
        [
            "push",
            "rollback refused",
            "rollback",
            "rollback",
            "monitors off",
            "gradual restart",
            "gradual restart",
            "admit 45 %",
            "admit 100 %"
        ]
    );
    let rollbacks = plan
        .timeline
        .iter()
        .filter(|e| e.action == Action::Service(ServiceAction::Rollback));
    assert_eq!(rollbacks.count(), 2);
}

/// The committed schema is what the code gives. To renew it after a change:
/// `THREADBARE_UPDATE=1 cargo test --test quick scenario`.
#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.schema.json");
    let current = scenario::schema();
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "docs/scenario.schema.json is not current: run \
         `THREADBARE_UPDATE=1 cargo test --test quick scenario`"
    );
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let error = scenario::load("mising-await", false).unwrap_err();
    insta::assert_snapshot!(error);
    assert_eq!(error.exit_code(), 2);
    assert!(
        scenario::load("zzz", false)
            .unwrap_err()
            .to_string()
            .contains("threadbare list")
    );
}

#[test]
fn a_file_is_named_after_its_stem_and_its_mistakes_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let (_, text) = scenario::shipped()[0];
    std::fs::write(&path, text).unwrap();
    assert_eq!(
        scenario::load(path.to_str().unwrap(), false)
            .unwrap()
            .scenario,
        "mine"
    );

    std::fs::write(&path, "title = 1\n").unwrap();
    let error = scenario::load(path.to_str().unwrap(), false).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("mine.toml:1:9"), "{error}");
    std::fs::write(&path, b"title = \"\xff\"\n").unwrap();
    let error = scenario::load(path.to_str().unwrap(), false).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

const SMALL: &str = "title = 'a'\nclaim = 'b'\nend = '40s'\n\
    [load]\nrate = '50/s'\nmix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]\n";

fn told(more: &str) -> String {
    let text = format!("{SMALL}{more}");
    let mistakes = scenario::parse("a", "a.toml", &text).expect_err("it has mistakes");
    mistakes.render(false)
}
