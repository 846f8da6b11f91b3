//! docs/SCENARIOS.md, held to what the code reads.

use threadbare::scenario;

/// The examples of docs/SCENARIOS.md are right, and every key is named there or
/// on the pages that it leads to.
#[test]
fn the_guide_is_right_and_complete() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/SCENARIOS.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let example = |holds: &str| {
        let examples = guide.split("```toml\n").skip(1);
        let mut examples = examples.map(|text| text.split("```").next().unwrap());
        examples.find(|text| text.contains(holds)).unwrap()
    };
    let smallest = example("title = ");
    scenario::parse("smallest", "SCENARIOS.md", smallest).unwrap();
    let careful = format!("{smallest}\n{}", example("[load.client]"));
    let client = scenario::parse("careful", "SCENARIOS.md", &careful)
        .unwrap()
        .load
        .client;
    assert!(client.respect_retry_after && client.hedge_after.is_some());
    let guarded = format!("{smallest}\n{}", example("[target.fleet]"));
    let fleet = scenario::parse("guarded", "SCENARIOS.md", &guarded)
        .unwrap()
        .fleet;
    let fleet = fleet.unwrap();
    assert!(fleet.queue.silent && fleet.identity.timeout.is_some());

    let page = |name: &str| {
        let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let pages = [
        "TARGETS.md",
        "LOAD.md",
        "PROXY.md",
        "TERMS.md",
        "EXPECTATIONS.md",
        "FAULTS.md",
    ]
    .map(page)
    .concat()
        + &guide;
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let mut keys = Vec::new();
    properties(&schema, &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys {
        let named = ["`", ".", ", ", "{ ", "[", "\"", "\n", "# "]
            .iter()
            .any(|before| pages.contains(&format!("{before}{key}")));
        assert!(named, "`{key}` is in none of the pages");
    }
}

/// The names of all keys and words anywhere in a schema.
fn properties(schema: &serde_json::Value, keys: &mut Vec<String>) {
    if let Some(serde_json::Value::Object(properties)) = schema.get("properties") {
        keys.extend(properties.keys().cloned());
    }
    let words = schema.get("enum").and_then(|words| words.as_array());
    let word = schema.get("const").into_iter();
    let words = word.chain(words.into_iter().flatten());
    keys.extend(words.filter_map(|word| word.as_str()).map(str::to_owned));
    match schema {
        serde_json::Value::Object(object) => {
            object.values().for_each(|value| properties(value, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| properties(item, keys)),
        _ => {}
    }
}
