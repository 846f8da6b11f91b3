//! What two runs did differently, key by key.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Digest;

/// A key whose value is another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Its path from the top, such as `load.client.retries`.
    pub key: String,
    /// Its value in the base; null where it has none.
    #[schemars(with = "Option<serde_json::Value>")]
    pub base: Value,
    /// Its value in the candidate, likewise.
    #[schemars(with = "Option<serde_json::Value>")]
    pub candidate: Value,
}

/// The differences of plans, machines and versions of the first run of each side.
pub(super) fn changes(base: &Digest, candidate: &Digest) -> Vec<Change> {
    let [base, candidate] = [base, candidate].map(|digest| {
        let mut keys = BTreeMap::new();
        let plan = serde_json::to_value(&digest.plan).unwrap_or_default();
        flatten("", &plan, &mut keys);
        let machine = serde_json::to_value(&digest.machine).unwrap_or_default();
        flatten("machine", &machine, &mut keys);
        keys.insert(
            "threadbare.version".to_owned(),
            digest.version.clone().into(),
        );
        let backend = serde_json::to_value(digest.backend).unwrap_or_default();
        keys.insert("backend".to_owned(), backend);
        keys
    });
    let mut keys: Vec<&String> = base.keys().chain(candidate.keys()).collect();
    // What is said about a run, or expected of it, changes nothing in it.
    keys.retain(|key| {
        let top = key.split('.').next().unwrap_or_default();
        !["expectations", "claim", "source", "scenario"].contains(&top)
            // It is drawn anew, so that no two runs share their traces.
            && *key != "load.trace.salt"
    });
    keys.sort();
    keys.dedup();
    let changed = keys.into_iter().filter_map(|key| {
        let value = |of: &BTreeMap<String, Value>| of.get(key).cloned().unwrap_or_default();
        let (base, candidate) = (value(&base), value(&candidate));
        (base != candidate).then(|| Change {
            key: key.clone(),
            base,
            candidate,
        })
    });
    changed.collect()
}

fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match value {
        Value::Object(keys) if !keys.is_empty() => {
            for (key, value) in keys {
                flatten(&below(key), value, into);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (place, value) in list.iter().enumerate() {
                flatten(&below(&place.to_string()), value, into);
            }
        }
        value => {
            into.insert(path.to_owned(), value.clone());
        }
    }
}

/// Why the runs of the two sides cannot be compared, one sentence each; empty where they
/// can.
pub(super) fn obstacles(base: &[Digest], candidate: &[Digest]) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some(first) = base.first() else {
        return vec!["the base has no run".to_owned()];
    };
    for other in base.iter().chain(candidate) {
        let name = &other.name;
        if !other.invalid.is_empty() {
            let why = other.invalid.join(" ");
            reasons.push(format!("the measurement of {name} is invalid: {why}"));
        }
        if !other.complete {
            reasons.push(format!("{name} did not come to its planned end"));
        }
        if other.backend != first.backend {
            reasons.push(format!(
                "{name} was simulated and {} live, or the other way",
                first.name
            ));
        }
        let (a, b) = (&first.machine, &other.machine);
        if (a.cores, &a.processor) != (b.cores, &b.processor) {
            reasons.push(format!(
                "{name} ran on another machine ({} × {}, not {} × {})",
                b.cores, b.processor, a.cores, a.processor
            ));
        }
        let (a, b) = (first.schedule(), other.schedule());
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        // A run of an earlier version does not say what was requested.
        let silent = |key: &str| key == "requests" && !(a.contains_key(key) && b.contains_key(key));
        for key in keys {
            if a.get(key) != b.get(key) && !silent(key) {
                reasons.push(format!("{name} had another load: `{key}` differs"));
            }
        }
    }
    let succeeded = |run: &Digest| {
        let whole = run.stretch("").into_iter().flat_map(|whole| &whole.blocks);
        whole.map(|block| block.succeeded).sum::<u64>() > 0
    };
    if !base.iter().any(succeeded) {
        reasons.push("nothing succeeded in the base, so there is nothing to compare".to_owned());
    }
    reasons.sort();
    reasons.dedup();
    reasons
}
