//! The summary is a contract: its keys and its schema.

use threadbare::analysis::{Findings, summary_schema};

use super::builder::founding_findings;

#[test]
fn the_summary_has_the_keys_of_the_contract() {
    let json = serde_json::to_value(founding_findings()).unwrap();
    for pointer in [
        "/format",
        "/scenario",
        "/backend",
        "/seed",
        "/verdict",
        "/measurement/validity",
        "/measurement/send_lag_us/p99",
        "/conservation/missed_deadline",
        "/phases/0/probes_per_operation",
        "/phases/0/queue_depth/mean",
        "/phases/0/queue_wait_ms/p50",
        "/phases/0/response_ms/p999",
        "/phases/0/service_ms/max",
        "/exhaustion/0/instance",
        "/incident/recovery_after_rollback_s",
        "/incident/sustaining",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
    let keys: Vec<_> = json["conservation"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 7);
    let back: Findings = serde_json::from_value(json).unwrap();
    assert_eq!(back, founding_findings());
}

#[test]
fn the_committed_schema_is_the_types_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/summary.schema.json");
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, summary_schema()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        committed,
        summary_schema(),
        "docs/summary.schema.json is out of date; run `THREADBARE_UPDATE=1 cargo test --test quick contract`"
    );
}
