//! The clients over a script in virtual time: the cases that every carrier must
//! meet, and what holds for any plan and any server.

mod properties;
mod script;

use threadbare::model::SourceName;
use threadbare::plan::ClosedLoop;
use threadbare::record::{Counters, Histogram, Measure, OperationCounters};
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

/// Requests that one user of a closed loop makes in a second, to a server that replies so.
fn asked(replies: &'static [Reply]) -> usize {
    let mut plan = plan(1.0, ms(1_000));
    plan.load.drive.closed = Some(ClosedLoop {
        users: 1,
        think: Nanos::ZERO,
    });
    let next = move |number: u64| {
        let place = usize::try_from(number).unwrap() % replies.len();
        replies[place]
    };
    let mut script = Script::new(&plan, Box::new(next));
    run(&plan, &mut script);
    script.sent.len()
}

/// A port that accepts and closes, or speaks another protocol, is not asked as often as it
/// can close: an attempt takes a millisecond, and the rest after it ten.
#[test]
fn a_user_whom_nobody_has_answered_rests() {
    for replies in [&[Reply::Close][..], &[Reply::Garbage]] {
        let asked = asked(replies);
        assert!((85..=95).contains(&asked), "{replies:?}: {asked}");
    }
    // Who answers is asked at once, though it answers badly, or closes after each answer.
    for replies in [
        &[Reply::Status(200)][..],
        &[Reply::Status(503)],
        &[Reply::Status(200), Reply::Close],
    ] {
        let asked = asked(replies);
        assert!((950..=1_001).contains(&asked), "{replies:?}: {asked}");
    }
}

/// Each connection answers once, and the next request on it is lost and sent again.
#[test]
fn what_is_sent_again_is_within_the_bound() {
    let seconds = 2;
    let mut plan = plan(100.0, ms(1_000 * seconds));
    let replies = |number: u64| {
        if number.is_multiple_of(2) {
            Reply::Status(200)
        } else {
            Reply::Close
        }
    };
    let mut script = Script::new(&plan, Box::new(replies));
    run(&plan, &mut script);
    let sent = script.sent.len() as f64 / seconds as f64;
    let most = plan.requests_max_per_second();
    assert!(sent > 190.0 && sent <= most, "{sent} of {most}");
    // What is not kept cannot go stale.
    plan.load.drive.fresh_connections = true;
    assert_eq!((most, plan.requests_max_per_second()), (200.0, 100.0));
}

/// What a load came to whose clients were told to end it: its operations, where the last
/// bucket of them ends, and when all was over.
fn ended(script: &Script<'_>) -> (OperationCounters, Nanos, Nanos) {
    let mut all = OperationCounters::default();
    let (mut last, mut over) = (Nanos::ZERO, Nanos::ZERO);
    for sample in &script.samples {
        match &sample.counters {
            Counters::Operations(operations) => {
                all.merge(operations);
                last = last.max(sample.to);
            }
            Counters::Attempts(_) => over = over.max(sample.to),
            _ => {}
        }
    }
    (all, last, over)
}

/// Evenly spaced operations, the first after 5 ms and one each 10 ms; nothing starts at the
/// end or later.
#[test]
fn a_load_that_is_ended_early_is_whole_up_to_its_end() {
    // Told at, to end at, with a drain until; the reply: operations, succeeded, the last
    // bucket's end, and when all was over.
    for (told, reply, expected) in [
        // all is answered after the end
        (
            (1_005, 1_010, 3_010),
            Reply::Late(200, 200),
            (101, 101, 1_010, 1_205),
        ),
        // nothing is, and the drain ends it
        (
            (1_005, 1_010, 3_010),
            Reply::Silence,
            (101, 0, 1_010, 3_010),
        ),
        // heard of too late: what has started stays
        (
            (1_055, 1_000, 3_000),
            Reply::Late(200, 200),
            (106, 106, 1_056, 1_255),
        ),
        // the planned end comes before
        (
            (1_005, 60_000, 70_000),
            Reply::Late(200, 200),
            (500, 500, 5_000, 5_195),
        ),
    ] {
        let plan = plan(100.0, ms(5_000));
        let mut script = Script::new(&plan, Box::new(move |_| reply));
        let (at, end, drained) = told;
        script.ended = Some((ms(at), ms(end), ms(drained)));
        run(&plan, &mut script);
        let (all, last, over) = ended(&script);
        let (scheduled, succeeded, end, stop) = expected;
        assert_eq!((all.scheduled, all.succeeded), (scheduled, succeeded));
        assert_eq!(all.unfinished, scheduled - succeeded, "{told:?}");
        assert_eq!((last, over), (ms(end), ms(stop)), "{told:?}");
    }
}

#[test]
fn users_of_a_closed_loop_ask_no_more_once_their_load_is_ended() {
    let mut plan = plan(1.0, ms(5_000));
    plan.load.drive.closed = Some(ClosedLoop {
        users: 1,
        think: Nanos::ZERO,
    });
    let mut script = Script::new(&plan, Box::new(|_| Reply::Late(200, 100)));
    script.ended = Some((ms(1_005), ms(1_010), ms(3_010)));
    run(&plan, &mut script);
    let (all, last, over) = ended(&script);
    // One each tenth of a second, from zero on; an interval has a millisecond at least.
    assert_eq!((all.scheduled, all.succeeded), (11, 11));
    assert_eq!((last, over), (ms(1_010), ms(1_101)));
}

/// All values of a measure of users' samples.
fn merged(script: &Script<'_>, measure: Measure) -> Histogram {
    let mut all = Histogram::new();
    let samples = script.samples.iter();
    let users = samples.filter(|it| it.source == SourceName::User);
    for histogram in users.filter_map(|it| it.histogram(measure)) {
        all.merge(histogram);
    }
    all
}

/// A generator that stands still for 300 ms in each thirteenth of its turns, in a closed loop on
/// an encrypted connection: when an answer came in that time nobody knows. It is in the
/// response time as the generator's part, and in no service time.
#[test]
fn an_answer_that_nobody_looked_for_is_marked_and_no_service() {
    let stalls = |notes: bool, stall: u64| {
        let mut plan = plan(1.0, ms(30_000));
        plan.load.drive.closed = Some(ClosedLoop {
            users: 1,
            think: Nanos::ZERO,
        });
        let mut script = Script::new(&plan, Box::new(|_| Reply::Late(200, 100)));
        script.notes = notes;
        script.delays = [vec![stall], vec![0; 12]].concat();
        run(&plan, &mut script);
        script
    };
    let within = |value: Nanos, of: Nanos| value.0.abs_diff(of.0) <= of.0 / 500;
    let late = stalls(false, 300);
    let (own, response) = (
        merged(&late, Measure::Own),
        merged(&late, Measure::Response),
    );
    assert!(own.count() > 0 && own.count() < response.count());
    assert!(within(own.max().unwrap(), ms(300)), "{:?}", own.max());
    assert!(within(response.max().unwrap(), ms(400)));
    let service = merged(&late, Measure::Service);
    assert!(within(service.max().unwrap(), ms(100)));
    assert!(service.count() < response.count() && service.count() > response.count() / 2);
    // Where the kernel notes it, every answer has its time, and response times have no more.
    let noted = stalls(true, 300);
    assert!(within(
        merged(&noted, Measure::Service).max().unwrap(),
        ms(100)
    ));
    assert_eq!(
        merged(&noted, Measure::Service).count(),
        merged(&noted, Measure::Response).count()
    );
    // What is never late has no such part.
    assert!(merged(&stalls(false, 0), Measure::Own).is_empty());
}
