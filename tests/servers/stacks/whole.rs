//! Each scenario whole, and each of its variants: what `./test --long` runs.

use std::fs;

use super::{EXAMPLES, folder, run};
use crate::run::alone;

/// A variant: its name, its settings, and the verdict that its file declares.
struct Variant {
    name: String,
    set: Vec<String>,
    verdict: Option<String>,
}

/// The variants of an example, the scenario as it is first.
fn variants(example: &str) -> Vec<Variant> {
    let path = folder(example).join("scenario.toml");
    let text = fs::read_to_string(path).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let listed = table["variant"].as_array().unwrap().iter();
    let listed = listed.map(|variant| Variant {
        name: text(&variant["name"]),
        set: variant["set"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect(),
        verdict: variant.get("verdict").map(text),
    });
    let as_it_is = Variant {
        name: "as it is".into(),
        set: Vec::new(),
        verdict: None,
    };
    std::iter::once(as_it_is).chain(listed).collect()
}

#[test]
#[ignore = "twenty minutes; `./test --long` runs it"]
fn every_scenario_and_every_variant_has_its_verdict() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        for Variant { name, set, verdict } in variants(example) {
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            let run = run(example, false, &set);
            let found = run.summary["incident"]["verdict"].as_str().unwrap();
            println!("{example}, {name}: {found}");
            // The scenario as it is has expectations, and its verdict is one of them.
            let right = match &verdict {
                Some(verdict) => found == verdict,
                None => run.output.status.code() == Some(0),
            };
            if !right {
                wrong.push(format!("{example}, {name}: {found}, not {verdict:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
