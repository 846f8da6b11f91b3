//! Monitors, commands, and plans that cannot be carried out.

use std::sync::mpsc::channel;

use super::held::HeldAnswers;
use crate::plan::{monitor, ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::{GeneratorRecord, run, setup, setup_in, start};
use threadbare::load::{Command, Generator, Identities, Setup, Update, Work};
use threadbare::model::ClientsAction;
use threadbare::model::MonitorPolicy;
use threadbare::plan::{ClosedLoop, Request};
use threadbare::record::Counters;
use threadbare::units::Nanos;

#[test]
fn monitors_probe_more_often_after_a_failure_and_can_be_switched() {
    let probes = |status| {
        let server = Server::start(move |_| ScriptedAnswer::status(status));
        let mut plan = plan(0.0, ms(1_000));
        plan.monitors = vec![monitor()];
        let told = run(&plan, server.address());
        assert_eq!(told.monitor.first_tries, told.monitor.responses);
        assert!(server.requests().iter().all(|request| {
            request.line() == "GET /readyz?deep=true HTTP/1.1"
                && request.text.contains("Bearer service\r\n")
        }));
        (told.monitor.ended_well, told.monitor.ended_badly)
    };
    let (well, badly) = probes(200);
    assert!((8..=10).contains(&well) && badly == 0, "{well} {badly}");
    let (well, badly) = probes(503);
    assert!(well == 0 && (25..=50).contains(&badly), "{badly}");

    let server = Server::start(|_| ScriptedAnswer::status(200));
    let mut plan = plan(0.0, ms(1_000));
    plan.monitors = vec![monitor()];
    let (updates, receiver) = channel();
    let generator = start(&setup(&plan, server.address()), updates);
    generator.command(Command::Act(ClientsAction::Monitors { on: false }));
    let told = GeneratorRecord::gather(&plan, &receiver);
    assert!(
        told.monitor.first_tries <= 1,
        "{}",
        told.monitor.first_tries
    );
}

#[test]
fn monitors_do_not_need_the_users_connections() {
    let server = Server::start(|request| {
        if request.line().contains("readyz") {
            ScriptedAnswer::status(200)
        } else {
            ScriptedAnswer::never()
        }
    });
    let mut plan = plan(100.0, ms(500));
    plan.load.connections = 1;
    plan.drain = ms(100);
    plan.monitors = vec![monitor()];
    let told = run(&plan, server.address());
    assert_eq!((told.operations.succeeded, told.monitor.ended_well), (0, 5));
}

#[test]
fn a_stop_ends_at_once_and_accounts_for_everything() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let plan = plan(200.0, ms(60_000));
    let (updates, receiver) = channel();
    let generator = start(&setup(&plan, server.address()), updates);
    let (sender, forwarded) = channel();
    let mut seen = 0;
    for update in &receiver {
        seen += usize::from(matches!(&update, Update::Sample(sample)
            if matches!(sample.counters, Counters::Generator(_))));
        if seen == 3 {
            generator.command(Command::Stop);
        }
        sender.send(update).unwrap();
    }
    drop(sender);
    let told = GeneratorRecord::gather(&plan, &forwarded);
    generator.join().unwrap();
    assert_eq!(told.operations.unfinished, told.operations.scheduled);
    assert!(
        (59..2_000).contains(&told.operations.scheduled),
        "{}",
        told.operations.scheduled
    );
    assert_eq!(told.load_ended, 0);
}

#[test]
fn an_end_lets_what_is_under_way_end() {
    let held = HeldAnswers::default();
    let server = Server::start({
        let held = held.clone();
        move |_| {
            held.wait();
            ScriptedAnswer::status(200)
        }
    });
    let mut plan = plan(200.0, ms(60_000));
    plan.load.client.timeout = ms(30_000);
    plan.drain = ms(30_000);
    let (updates, receiver) = channel();
    let generator = start(&setup(&plan, server.address()), updates);
    let (sender, forwarded) = channel();
    let mut ordered = false;
    for update in &receiver {
        if !ordered && server.requests().len() >= 5 {
            // An instant that has passed: it ends when it hears of it.
            generator.command(Command::EndLoad {
                at: Nanos::ZERO,
                drained: ms(60_000),
            });
            ordered = true;
        }
        if update == Update::LoadEnded {
            assert!(ordered);
            held.let_go();
        }
        sender.send(update).unwrap();
    }
    drop(sender);
    let told = GeneratorRecord::gather(&plan, &forwarded);
    generator.join().unwrap();
    let scheduled = told.operations.scheduled;
    assert!((5..2_000).contains(&scheduled), "{scheduled}");
    assert_eq!(told.operations.succeeded, scheduled);
    assert_eq!((told.operations.unfinished, told.load_ended), (0, 1));
}

#[test]
fn a_stop_before_the_start_leaves_nothing_behind() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let plan = plan(200.0, ms(1_000));
    let (updates, receiver) = channel();
    let generator = start(&setup_in(&plan, server.address(), ms(60_000)), updates);
    generator.command(Command::Stop);
    let told = GeneratorRecord::gather(&plan, &receiver);
    generator.join().unwrap();
    assert_eq!((told.operations.scheduled, server.connections()), (0, 0));
}

#[test]
fn retries_can_be_changed_under_way() {
    let server = Server::start(|_| ScriptedAnswer::status(503));
    let mut plan = plan(100.0, ms(1_000));
    plan.load.client.retries = 3;
    let (updates, receiver) = channel();
    let generator = start(&setup(&plan, server.address()), updates);
    generator.command(Command::Act(ClientsAction::Retries { retries: 0 }));
    let told = GeneratorRecord::gather(&plan, &receiver);
    assert_eq!((told.user.first_tries, told.user.retries), (100, 0));
    assert_eq!(told.operations.failed_server_error, 100);
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused_with_the_reason() {
    let refusal = |change: fn(&mut Setup)| {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut setup = setup(&plan(1.0, ms(10)), address);
        change(&mut setup);
        Generator::start(&setup, |_| ())
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    for (change, reason) in [
        (
            (|setup| setup.plan.load.mix[0].weight = 0) as fn(&mut Setup),
            "weights",
        ),
        (|setup| setup.plan.load.connections = 0, "connections"),
        (|setup| setup.plan.interval = Nanos::ZERO, "interval"),
        (|setup| setup.plan.fleet = None, "project"),
        (|setup| setup.plan.load.drive.threads = 65, "threads"),
        (
            |setup| {
                let think = Nanos::ZERO;
                setup.plan.load.drive.closed = Some(ClosedLoop { users: 1, think });
                setup.plan.load.client.breaker = Some("5 failures".parse().unwrap());
            },
            "circuit breaker",
        ),
        (
            |setup| setup.plan.load.client.hedge_after = Some(setup.plan.load.client.timeout),
            "before the timeout",
        ),
        (
            |setup| {
                setup.plan.load.mix[0].request = Request::CreateTask;
                setup.plan.load.client.hedge_after = Some(ms(10));
            },
            "made twice",
        ),
        (|setup| identities(setup).users.clear(), "manager"),
        (
            |setup| identities(setup).service = "a\r\nb: c".into(),
            "token",
        ),
        (
            |setup| {
                let probe = "no path".to_owned();
                setup.plan.monitors = vec![MonitorPolicy { probe, ..monitor() }];
            },
            "probe",
        ),
    ] {
        let text = refusal(change);
        assert!(text.contains(reason), "{text}");
    }
}

/// Who asks in a setup of the fleet's requests.
fn identities(setup: &mut Setup) -> &mut Identities {
    match &mut setup.work {
        Work::Fleet(identities) => identities,
        Work::Http { host, .. } => panic!("operations at {host}"),
    }
}
