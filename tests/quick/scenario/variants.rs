//! `[[variant]]`: what would have prevented or ended an incident, and mistakes in it.

use threadbare::model::{IncidentVerdict, Word};
use threadbare::plan::{Bound, Figure, Plan};
use threadbare::scenario::{self, Changes};
use threadbare::units::Ratio;

const FILE: &str = r#"
title = "A fleet"
claim = "It serves."
end   = "40s"

[profile]
short = ["end=30s"]

[load]
rate = "50/s"
mix  = [{ weight = 1, request = "list tasks", role = "viewer" }]

[[timeline]]
at     = "12s"
do     = "slow"
part   = "database"
factor = 100

[[timeline]]
at     = "14s"
do     = "slow"
part   = "database"
factor = 1

[[expect]]
that = "incident verdict"
is   = "metastable"

[[expect]]
that     = "goodput share"
in       = "slow database"
at_least = "10 %"
"#;

fn with(variants: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{FILE}{variants}");
    std::fs::write(folder.path().join("own.toml"), text).unwrap();
    folder
}

fn changed(folder: &tempfile::TempDir, changes: &Changes<'_>) -> Result<Plan, String> {
    let path = folder.path().join("own.toml");
    let plan = scenario::load_changed(path.to_str().unwrap(), changes, false);
    plan.map_err(|error| error.to_string())
}

fn all(folder: &tempfile::TempDir) -> Result<Vec<Plan>, String> {
    let path = folder.path().join("own.toml");
    let plans = scenario::variants(path.to_str().unwrap(), &Changes::default(), false);
    plans.map_err(|error| error.to_string())
}

const TWO: &str = r#"
[[variant]]
name    = "calm"
about   = "Hardly anything is done."
set     = ["timeline.0.factor=2", "load.rate=60/s"]
verdict = "no_impact"
expect  = ["goodput share >= 99 %"]

[[variant]]
name  = "longer"
about = "It goes on, and then it ends."
set   = ['timeline.2={ at = "15s", do = "slow", part = "database", factor = 1 }']
"#;

#[test]
fn a_variant_is_a_plan_with_its_name_and_its_own_expectations() {
    let folder = with(TWO);
    let plans = all(&folder).unwrap();
    let [calm, longer] = &plans[..] else {
        panic!("{plans:?}")
    };
    let variant = calm.variant.as_ref().unwrap();
    assert_eq!((variant.name.as_str(), variant.set.len()), ("calm", 2));
    assert_eq!(calm.load.rate[0].1.to_string(), "60/s");
    let [verdict, goodput] = &calm.expectations[..] else {
        panic!("{:?}", calm.expectations)
    };
    let no_impact = Bound::Is(Word::Verdict(IncidentVerdict::NoImpact));
    assert_eq!(
        (verdict.that, &verdict.bound),
        (Figure::IncidentVerdict, &no_impact)
    );
    assert_eq!(goodput.that, Figure::GoodputShare);
    // One that says nothing keeps what the file expects, and a list may grow by one.
    assert_eq!((longer.timeline.len(), longer.expectations.len()), (3, 2));
    let whole = changed(&folder, &Changes::default()).unwrap();
    assert_eq!((whole.variant, whole.timeline.len()), (None, 2));
}

#[test]
fn the_profile_comes_first_then_the_variant_then_settings() {
    let folder = with(TWO);
    let settings = ["load.rate=70/s".parse().unwrap()];
    let changes = Changes {
        profile: Some("short"),
        variant: Some("calm"),
        settings: &settings,
        ..Changes::default()
    };
    let plan = changed(&folder, &changes).unwrap();
    assert_eq!(plan.end.to_string(), "30s");
    assert_eq!(plan.load.rate[0].1.to_string(), "70/s");
    let unknown = Changes {
        variant: Some("clam"),
        ..Changes::default()
    };
    let told = changed(&folder, &unknown).unwrap_err();
    assert!(told.contains("did you mean `calm`?"), "{told}");
}

#[test]
fn every_mistake_is_reported_at_its_line() {
    for (variant, line, told) in [
        // By themselves: found without applying anything.
        (
            "name = \"a\"\nabout = \"b\"\nset = [\"load.rate\"]",
            4,
            "is not a setting",
        ),
        (
            "name = \"a\"\nabout = \"\"\nset = [\"end=30s\"]",
            3,
            "is empty",
        ),
        ("name = \"a\"\nabout = \"b\"\nset = []", 4, "is empty"),
        (
            "name = \"a\"\nabout = \"b\"\nset = [\"end=30s\"]\nverdict = \"fine\"",
            5,
            "unknown word",
        ),
        (
            "name = \"a\"\nabout = \"b\"\nset = [\"end=30s\"]\nexpect = [\"goodput\"]",
            5,
            "no bound",
        ),
        // Once applied: at the setting that leads to it.
        (
            "name = \"a\"\nabout = \"b\"\nset = [\n\"end=30s\",\n\"load.rat=5/s\",\n]",
            6,
            "`rat`",
        ),
        (
            "name = \"a\"\nabout = \"b\"\nset = [\n\"end=30s\",\n\"timeline.7.at=5s\",\n]",
            6,
            "index",
        ),
        (
            "name = \"a\"\nabout = \"b\"\nset = [\"timeline=[]\"]",
            4,
            "slow database",
        ),
    ] {
        let before = FILE.lines().count() + 1;
        let folder = with(&format!("\n[[variant]]\n{variant}\n"));
        let found = all(&folder).unwrap_err();
        assert!(found.contains(told), "{variant}: {found}");
        let place = format!("own.toml:{}:", before + line);
        assert!(found.contains(&place), "{variant}: not at {place} {found}");
    }
    let twice = format!("{TWO}{}", TWO.replace("longer", "other"));
    let found = all(&with(&twice)).unwrap_err();
    assert!(
        found.contains("another variant is called `calm`"),
        "{found}"
    );
}

#[test]
fn every_shipped_scenario_has_variants_that_are_right() {
    for (name, _) in scenario::shipped() {
        let plans = scenario::variants(name, &Changes::default(), false);
        let plans = plans.unwrap_or_else(|error| panic!("{error}"));
        assert!(!plans.is_empty(), "{name} has no variant");
        assert!(
            plans.iter().all(|plan| !plan.expectations.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn a_share_of_seeds_is_written_as_a_key_or_in_one_line() {
    let share = |expect: &str| {
        let text = format!("{FILE}\n[[expect]]\n{expect}\n");
        let plan = scenario::parse("own", "own.toml", &text);
        plan.map(|plan| plan.expectations.last().unwrap().share.map(Ratio::get))
    };
    let key = "that = \"incident verdict\"\nis = \"metastable\"\nshare = \"40 %\"";
    let line = "that = \"incident verdict is metastable in 40 % of seeds\"";
    for expect in [key, line] {
        assert_eq!(share(expect).unwrap(), Some(0.4), "{expect}");
    }
    for (expect, told) in [
        (
            "that = \"incident verdict is metastable in many of seeds\"",
            "behind no share",
        ),
        (
            "that = \"incident verdict is metastable in 40 % of seeds\"\nshare = \"50 %\"",
            "says already",
        ),
        (
            "that = \"error share\"\nat_most = \"1 %\"\nabort = true\nshare = \"50 %\"",
            "cannot fail",
        ),
        // Wilson's interval never reaches it.
        (
            "that = \"incident verdict\"\nis = \"metastable\"\nshare = \"100 %\"",
            "leave `share` out",
        ),
        (
            "that = \"incident verdict is metastable in 100 % of seeds\"",
            "can never hold",
        ),
    ] {
        let found = share(expect).unwrap_err().to_string();
        assert!(found.contains(told), "{expect}: {found}");
    }
}
