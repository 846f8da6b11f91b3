//! A process that runs out of file descriptors, which is why this test has one to itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "shared with load/, which uses all of it")]
mod common;

use common::plan::{ms, plan};
use common::server::{Answer, Server};
use common::told::run;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn without_descriptors_attempts_fail_and_the_reason_is_told_once() {
    let server = Server::start(|_| Answer::never());
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
    assert_eq!(told.operations.scheduled, 99);
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
