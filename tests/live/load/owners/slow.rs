//! A generator that is asked for more than it, its pacing or its processor can do.

use std::fs;
use std::process::{Child, Command};

use super::{Load, Summary, server};

/// A process that uses all it gets of the first processor, until it is dropped.
struct Spinner(Child);

impl Spinner {
    fn start() -> Self {
        let spin = ["-c", "0", "sh", "-c", "while :; do :; done"];
        Self(Command::new("taskset").args(spin).spawn().unwrap())
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// On the first processor, behind everybody else there.
const BEHIND: [&str; 6] = ["taskset", "-c", "0", "nice", "-n", "19"];

#[test]
fn behind_others_on_its_processor_in_an_open_load() {
    let server = server(1);
    let _spinners = [Spinner::start(), Spinner::start()];
    for pacing in ["balanced", "precise", "thrifty"] {
        let flags = format!("-R 500 -c 100 -d 2s --pacing {pacing}");
        let summary = Load::start(&BEHIND, &server, &flags).end();
        summary.is_invalid();
        assert!(summary.own_by_target() > 1.0, "{pacing}: {}", summary.json);
    }
}

/// Its answers come as fast as to one that has a processor to itself.
#[test]
fn behind_others_on_its_processor_in_a_closed_loop() {
    let server = server(1);
    let _spinners = [Spinner::start(), Spinner::start()];
    let alone = Summary::of(&server, "-c 4 -d 2s");
    let behind = Load::start(&BEHIND, &server, "-c 4 -d 2s").end();
    behind.adds_up();
    assert!(
        behind.number("/measurement/generator_delayed") > 0.5,
        "{}",
        behind.json
    );
    let p50 = |summary: &Summary| summary.number("/phases/0/service_ms/p50");
    assert!(
        p50(&behind) < 4.0 * p50(&alone),
        "{} {}",
        p50(&behind),
        p50(&alone)
    );
    // Many times what a turn on the processor takes.
    behind.serves_within(100.0);
}

#[test]
fn too_few_connections_for_its_ticks() {
    let server = server(0);
    let summary = Summary::of(&server, "-R 5000 -c 2 -d 2s --pacing thrifty");
    summary.is_invalid();
    assert!(
        summary.reasons().contains("--pacing balanced"),
        "{}",
        summary.reasons()
    );
    assert!(summary.own_by_target() > 5.0, "{}", summary.json);
    let waited = summary.number("/time_spent/connection_wait_ns");
    assert!(
        summary.number("/time_spent/generator_ns") > waited,
        "{}",
        summary.json
    );
}

/// The control: where the target is slow, the limit of connections is what is waited for.
#[test]
fn too_few_connections_for_a_slow_target() {
    let server = server(20);
    for pacing in ["balanced", "thrifty"] {
        let flags = format!("-R 400 -c 4 -d 2s --pacing {pacing}");
        let summary = Summary::of(&server, &flags);
        summary.adds_up();
        let waited = summary.number("/time_spent/connection_wait_ns");
        let own = summary.number("/time_spent/generator_ns");
        assert!(waited > 3.0 * own, "{pacing}: {}", summary.json);
    }
}

/// The control: what lasts in the target is the target's.
#[test]
fn nothing_but_a_slow_target() {
    let server = server(50);
    let summary = Summary::of(&server, "-R 100 -c 100 -d 2s");
    assert!(summary.own_by_target() < 0.2, "{}", summary.json);
    let target = summary.number("/time_spent/target_ns");
    assert!(target > 0.8 * summary.number("/time_spent/response_ns"));
}

#[test]
fn ticks_are_the_generators() {
    let server = server(0);
    // Every third is due at a tick, the others between two.
    let summary = Summary::of(&server, "-R 300 -c 50 -d 2s --pacing thrifty");
    assert!(summary.own_by_target() > 1.0, "{}", summary.json);
}

#[test]
fn far_more_than_it_can_send() {
    let server = server(0);
    let summary = Summary::of(&server, "-R 2000000 -c 100 -d 1s --deadline 2s");
    summary.is_invalid();
    assert!(summary.own_by_target() > 1.0, "{}", summary.json);
}

/// The books of threads that end late add up.
#[test]
fn too_many_threads_for_its_processors() {
    let server = server(0);
    let summary = Summary::of(&server, "-R 10000000 -t 64 -c 64 -d 1s --deadline 1s");
    summary.is_invalid().adds_up();
}

/// A group of processes that is allowed a tenth of a processor.
#[test]
fn a_tenth_of_a_processor() {
    let folder = "/sys/fs/cgroup/cpu/threadbare-test-owners";
    if fs::create_dir_all(folder).is_err()
        || fs::write(format!("{folder}/cpu.cfs_quota_us"), "10000").is_err()
    {
        let _ = fs::remove_dir(folder);
        return println!("not tested: no group of processes can be made");
    }
    let server = server(1);
    let enter = format!("echo $$ > {folder}/cgroup.procs && exec \"$0\" \"$@\"");
    let wrapper = ["sh", "-c", &enter];
    let summary = Load::start(&wrapper, &server, "-R 3000 -c 200 -d 2s").end();
    let _ = fs::remove_dir(folder);
    summary.is_invalid();
    assert!(summary.own_by_target() > 1.0, "{}", summary.json);
}
