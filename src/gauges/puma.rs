//! Puma's control application: the JSON of `/stats`.
//!
//! One process gives its figures at the top; a cluster gives one object for
//! each worker process, whose figures get the label `worker`. Numbers only: what
//! else is there, dates and phases, is no gauge.

use serde_json::Value;

use crate::model::{Malformed, Page, Series};

/// Reads the statistics.
pub(super) fn parse(text: &str) -> Result<Page, &'static str> {
    let json: Value = serde_json::from_str(text).map_err(|_| "it is not valid JSON")?;
    let mut page = Page {
        series: Vec::new(),
        malformed: Malformed::default(),
    };
    numbers(&json, None, &mut page.series);
    for worker in json["worker_status"].as_array().into_iter().flatten() {
        let index = worker["index"].to_string();
        numbers(&worker["last_status"], Some(&index), &mut page.series);
    }
    Ok(page)
}

fn numbers(object: &Value, worker: Option<&str>, into: &mut Vec<Series>) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let Some(value) = value.as_f64() else {
            continue;
        };
        let series = Series::new(name, value);
        into.push(match worker {
            Some(index) => series.with("worker", index),
            None => series,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Preset, Roles};

    #[test]
    fn one_process_and_a_cluster_give_the_same_figures() {
        // As Puma 5.6 gave it, with four threads busy and two requests waiting.
        let one = r#"{"started_at":"2026-11-24T20:51:06Z","backlog":2,"running":4,
            "pool_capacity":0,"max_threads":4,"requests_count":4}"#;
        let cluster = r#"{"started_at":"2026-11-24T20:51:06Z","workers":2,"phase":0,
            "booted_workers":2,"old_workers":0,"worker_status":[
            {"pid":1,"index":0,"phase":0,"booted":true,"last_checkin":"2026",
             "last_status":{"backlog":1,"running":2,"pool_capacity":0,"max_threads":2,
                            "requests_count":3}},
            {"pid":2,"index":1,"phase":0,"booted":true,"last_checkin":"2026",
             "last_status":{"backlog":1,"running":2,"pool_capacity":0,"max_threads":2,
                            "requests_count":1}}]}"#;
        let roles = Roles::of(Preset::of("puma").unwrap());
        for text in [one, cluster] {
            let reading = roles.reading(&parse(text).unwrap());
            let values = reading
                .each()
                .map(|(_, value)| value.unwrap().as_ref().unwrap().value);
            assert!(
                values
                    .iter()
                    .zip([4.0, 4.0, 2.0, 4.0])
                    .all(|(own, it)| (own - it).abs() < 1e-9),
                "{values:?}"
            );
        }
        assert!(parse("{\"backlog\":").is_err());
    }
}
