//! Prometheus itself, from Debian's package: it scrapes, and answers queries.

use std::process::Command;

use serde_json::Value;

use super::{Process, directory, free_ports};

/// A Prometheus that scrapes every second.
pub(crate) struct Prometheus {
    process: Process,
}

impl Prometheus {
    /// Starts one that scrapes these ports of this machine, each under a name.
    pub(crate) fn scraping(targets: &[(&str, u16)]) -> Self {
        let [port] = free_ports();
        let mut config =
            String::from("global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n");
        for (job, port) in targets {
            let job = format!("  - job_name: {job}\n    static_configs:\n");
            config.extend([job, format!("      - targets: [\"127.0.0.1:{port}\"]\n")]);
        }
        let directory = directory(&[("prometheus.yml", config.as_str())]);
        let mut command = Command::new("prometheus");
        command.args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--log.level=warn",
        ]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Self {
            process: Process::start(command, directory, port, "/-/ready"),
        }
    }

    /// The result of a query, now: its series.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let url = format!("http://{}/api/v1/query", self.process.address);
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.build());
        let mut answer = agent.get(&url).query("query", query).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {text}");
        let data = &answer["data"];
        match data["resultType"].as_str() {
            Some("vector") => data["result"].as_array().unwrap().clone(),
            _ => panic!("{query}: {text}"),
        }
    }

    /// The one number that a query results in.
    pub(crate) fn number(&self, query: &str) -> f64 {
        let series = self.query(query);
        let [one] = series.as_slice() else {
            panic!("{query}: {series:?}");
        };
        one["value"][1].as_str().unwrap().parse().unwrap()
    }
}
