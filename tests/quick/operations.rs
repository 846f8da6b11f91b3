//! Files of operations: their schema, their example and their mistakes. What is
//! sent for them is tested in `tests/live/load/operations.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use threadbare::scenario;

/// The committed schema is what the code gives. To renew it after a change:
/// `THREADBARE_UPDATE=1 cargo test --test quick operations`.
#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.schema.json");
    let current = scenario::operations_schema();
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        fs::write(path, &current).unwrap();
    }
    assert!(
        fs::read_to_string(path).unwrap_or_default() == current,
        "docs/operations.schema.json is not current: run \
         `THREADBARE_UPDATE=1 cargo test --test quick operations`"
    );
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop.toml")
}

#[test]
fn the_guide_shows_the_example_as_it_is() {
    let guide = include_str!("../../docs/LOAD.md");
    let example = fs::read_to_string(example()).unwrap();
    let start = example.find("[[values]]").unwrap();
    assert!(guide.contains(&example[start..]));
    scenario::load_operations(&self::example(), false).unwrap();
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ragged.csv"), "a,b\n1\n").unwrap();
    let text = r#"
[[values]]
name = "item"
range = [9, 1]
[[values]]
name = "colour"
list = ["red"]
csv = "colours.csv"
[[values]]
name = "ragged"
csv = "ragged.csv"
[[operation]]
name = "one"
weight = 0
[[operation.step]]
request = "get /items"
headers = ["no colon"]
check = ["status 999", "cookies: yes"]
[[operation.step]]
request = "POST /${item"
body = "x"
body_file = "y"
capture = ["id from body", "number = body /id"]
colour = "red"
"#;
    let mistakes = scenario::operations(Path::new("shop.toml"), text).unwrap_err();
    insta::assert_snapshot!(mistakes.render(false));
    // A name can only be wrong where every table is right.
    let text = "
[[values]]
name = \"item\"
list = [\"a\"]
[[operation]]
name = \"one\"
[[operation.step]]
request = \"GET /${itme}?later=${order}\"
[[operation.step]]
request = \"GET /${item.id}\"
capture = [\"order = body /id\"]
";
    let mistakes = scenario::operations(Path::new("shop.toml"), text).unwrap_err();
    insta::assert_snapshot!(mistakes.render(false));
}
