//! Points and seeds as work for all: the same map and the same bytes, whoever computed what.

use std::fs;
use std::path::Path;

use super::rig::{Agent, Nats, said};
use crate::run::{alone, threadbare};

/// What a command writes into `out`, without agents and with them; a file of it.
fn same(command: &[&str], file: &str, during: impl FnOnce(&mut [Agent])) {
    let nats = Nats::start(&[]);
    let mut agents = ["a", "b"].map(|name| Agent::start(&nats.url(), name));
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let mut child = threadbare();
        child.args(command).args(more).arg("--out").arg(&out);
        (child, out)
    };
    let read = |out: &Path| fs::read(out.join(file)).unwrap();
    let (mut here, local) = run("here", &[]);
    let output = here.output().unwrap();
    assert!(local.join(file).exists(), "{}", said(&output));
    let url = nats.url();
    let (mut there, by_agents) = run("there", &["--agents", &url]);
    let child = there
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    during(&mut agents);
    let with = child.wait_with_output().unwrap();
    assert_eq!(with.status.code(), output.status.code(), "{}", said(&with));
    assert!(by_agents.join(file).exists(), "{}", said(&with));
    assert!(read(&local) == read(&by_agents), "{file} differs");
}

#[test]
fn seeds_by_agents_are_the_seeds_of_this_machine() {
    let _alone = alone();
    same(
        &["simulate", "retry-collapse", "--seeds", "12"],
        "seeds.json",
        |_| {},
    );
}

#[test]
fn measures_by_agents_are_those_of_this_machine() {
    let _alone = alone();
    same(
        &["what-if", "retry-collapse", "--seeds", "2", "--alone"],
        "what-if.json",
        |_| {},
    );
}

#[test]
fn simulated_variants_by_agents_are_those_of_this_machine() {
    let _alone = alone();
    let command = [
        "variants",
        "retry-collapse",
        "--simulated",
        "--seeds",
        "2",
        "--variant",
        "no retries",
    ];
    same(&command, "variants.json", |_| {});
}

#[test]
fn a_map_by_agents_is_the_map_of_this_machine_though_one_of_them_dies() {
    let _alone = alone();
    let command = [
        "sweep",
        "retry-collapse",
        "--x",
        "load.rate=3..9/s",
        "--y",
        "target.fleet.queue=20..150",
        "--points",
        "4",
    ];
    same(&command, "sweep.json", |agents| {
        agents[1].await_saying("engaged");
        agents[1].kill();
    });
}
