//! A process that runs out of file descriptors.

use std::env;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plan::{ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::run;

/// Set in the process whose descriptors are limited.
const LIMITED: &str = "THREADBARE_TEST_LIMITED";

/// The limit holds for a whole process, so the test has one of its own, whether
/// or not whoever runs the tests gives it one.
#[test]
fn without_descriptors_attempts_fail_and_the_reason_is_told_once() {
    if env::var_os(LIMITED).is_some() {
        return limited();
    }
    let own = "load::descriptors::without_descriptors_attempts_fail_and_the_reason_is_told_once";
    let output = Command::new(env::current_exe().unwrap())
        .args([own, "--exact", "--nocapture"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{failed}");
    assert!(told.contains("1 passed"), "it did not run: {told}");
}

fn limited() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let mut plan = plan(200.0, ms(500));
    plan.drain = ms(100);
    plan.load.connections = 1_000;
    plan.load.client.timeout = ms(60_000);
    // Both ends are in this process: some 20 connections fit.
    let limit = Rlimit {
        current: Some(60),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let told = run(&plan, server.address());
    assert_eq!(told.operations.scheduled, 100);
    assert!(
        told.operations.failed_connection > 40,
        "{:?}",
        told.operations
    );
    assert!(told.operations.unfinished > 5, "{:?}", told.operations);
    assert_eq!(told.warnings.len(), 1);
    assert!(
        told.warnings[0].contains("ulimit -n"),
        "{:?}",
        told.warnings
    );
}
