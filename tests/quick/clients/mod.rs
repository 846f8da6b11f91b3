//! The clients over a script in virtual time: the cases that every carrier must
//! meet, and what holds for any plan and any server.

mod properties;
mod script;

use threadbare::model::SourceName;
use threadbare::plan::ClosedLoop;
use threadbare::record::{Counters, Histogram, Measure};
use threadbare::units::Nanos;

use crate::conformance::{self, Reply};
use crate::plan::{ms, plan};
use script::{Script, run};

#[test]
fn a_script_carries_clients_as_it_should() {
    conformance::holds(|plan, replies| {
        let mut turn = replies.iter().cycle();
        let next = move |_| *turn.next().unwrap_or(&Reply::Silence);
        let mut script = Script::new(plan, Box::new(next));
        run(plan, &mut script);
        script.samples
    });
}

/// One operation, whose answer comes after so long, of which the carrier held it up for
/// so long while its connection was made; its client waits for a second.
fn held_up(after: u64, held: u64) -> Script<'static> {
    let mut plan = plan(1.0, ms(5_000));
    plan.load.client.timeout = ms(1_000);
    plan.load.drive.closed = Some(ClosedLoop {
        users: 1,
        think: Nanos::ZERO,
    });
    plan.load.drive.operations = Some(1);
    let mut script = Script::new(&plan, Box::new(move |_| Reply::Late(200, after)));
    script.held = ms(held);
    run(&plan, &mut script);
    script
}

/// Time of the target and of the generator, and the operations that timed out.
fn whose(script: &Script<'_>) -> (Nanos, Nanos, u64) {
    let mut whose = (Nanos::ZERO, Nanos::ZERO, 0);
    for sample in &script.samples {
        if let Counters::Operations(operations) = &sample.counters {
            whose.0 += Nanos(operations.target_ns);
            whose.1 += Nanos(operations.generator_ns);
            whose.2 += operations.timed_out;
        }
    }
    whose
}

#[test]
fn what_the_carrier_held_up_is_neither_service_nor_timeout() {
    for (after, held, target, generator, timed_out) in [
        // without
        (800, 0, 800, 0, 0),
        (1_200, 0, 1_000, 0, 1),
        // the same answer, later by as much
        (1_200, 400, 800, 400, 0),
        // too late even so
        (1_500, 400, 1_000, 400, 1),
    ] {
        let script = held_up(after, held);
        let expected = (ms(target), ms(generator), timed_out);
        assert_eq!(whose(&script), expected, "{after} {held}");
        let samples = script.samples.iter();
        let samples = samples.filter(|it| it.source == SourceName::User);
        let service = samples.filter_map(|sample| sample.histogram(Measure::Service));
        let longest = service.filter_map(Histogram::max).max();
        let served = (timed_out == 0).then(|| ms(target));
        let off = longest
            .zip(served)
            .map(|(one, other)| one.0.abs_diff(other.0));
        assert_eq!(longest.is_some(), served.is_some(), "{after} {held}");
        assert!(off.is_none_or(|off| off < 1_000_000), "{longest:?}");
    }
}
