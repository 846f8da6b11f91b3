//! The founding scenario with a story of the test's own, and its processes.

use std::fs;
use std::path::Path;

use crate::run::events;

/// The founding scenario with its fleet, load and monitors, and a story and
/// timeline of the test's own: `text` replaces `story`, `timeline`, `alert`,
/// `expect` and the times at the top.
pub(crate) fn founding(text: &str) -> toml::Table {
    let shipped = include_str!("../../scenarios/missing-await.toml");
    let mut table: toml::Table = shipped.parse().unwrap();
    for key in ["story", "timeline", "alert", "expect", "end", "warm_up"] {
        table.remove(key);
    }
    table.insert("interval".into(), "500ms".into());
    for (key, value) in text.parse::<toml::Table>().unwrap() {
        table.insert(key, value);
    }
    table
}

/// The table at a path like `load.client`.
pub(crate) fn at<'a>(table: &'a mut toml::Table, path: &str) -> &'a mut toml::Table {
    path.split('.').fold(table, |table, key| {
        table
            .get_mut(key)
            .and_then(toml::Value::as_table_mut)
            .unwrap_or_else(|| panic!("the scenario has no table {path}"))
    })
}

/// Processes of the fleet that a run's journal names and that are still alive.
pub(crate) fn survivors(directory: &Path) -> Vec<u32> {
    pids(directory)
        .into_iter()
        .filter(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            name.contains("__part")
        })
        .collect()
}

/// The pids of every process that a run's journal names.
pub(crate) fn pids(directory: &Path) -> Vec<u32> {
    events(directory)
        .iter()
        .filter(|event| event["event"] == "serving")
        .filter_map(|event| event["pid"].as_u64())
        .map(|pid| u32::try_from(pid).unwrap())
        .collect()
}
