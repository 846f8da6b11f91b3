//! Screens of fixed boards as snapshots, at any size, and what keys come to.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::board::Board;
use super::controls::{Pressed, Prompt};
use super::draw;
use super::keys::Key;
use crate::model::{Action, FailureCause, FleetAction, GameOrder, GameRole, Person, SourceName};
use crate::plan::{Entry, Plan, When};
use crate::record::{
    AttemptCounters, Counters, Event, FailureCounters, GeneratorCounters, Histogram,
    InstanceCounters, MachineCounters, Measure, OperationCounters, Outcome, Sample,
};
use crate::scenario;
use crate::units::Nanos;

fn ana() -> Person {
    Person {
        name: "Ana".into(),
        role: GameRole::Facilitator,
    }
}

fn founding() -> Plan {
    scenario::load("missing-await", false).unwrap()
}

fn histogram(millis: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for (value, times) in millis.iter().zip([800, 150, 40, 10]) {
        histogram.record_times(Nanos::from_millis(*value), times);
    }
    histogram
}

/// Everything that an interval of a run tells, users harmed or not; of the last intervals
/// nothing is settled.
fn interval(board: &mut Board, index: u64, harmed: bool, settled: bool) {
    let width = board.plan.interval;
    let sample = |source, counters, histograms| Sample {
        from: width * index,
        to: width * (index + 1),
        source,
        counters,
        histograms,
    };
    let (well, badly) = if harmed { (12, 188) } else { (210, 0) };
    let times = if harmed {
        histogram(&[400, 900, 1_600, 1_990])
    } else {
        histogram(&[8, 12, 20, 31])
    };
    let mut failures = FailureCounters::default();
    for _ in 0..badly {
        failures.count(FailureCause::ALL[5]);
    }
    let worker = width.0 * 4;
    let busy = if harmed { worker } else { worker / 4 };
    let mut samples = vec![
        sample(
            SourceName::User,
            Counters::Attempts(AttemptCounters {
                first_tries: 210,
                retries: badly * 2,
                ended_well: well,
                ended_badly: badly,
                ..AttemptCounters::default()
            }),
            vec![(Measure::Service, times.clone())],
        ),
        sample(SourceName::User, Counters::Failures(failures), Vec::new()),
        sample(
            SourceName::Monitor,
            Counters::Attempts(AttemptCounters {
                first_tries: 60,
                ..AttemptCounters::default()
            }),
            Vec::new(),
        ),
        sample(
            SourceName::Generator,
            Counters::Generator(GeneratorCounters {
                threads: 1,
                cpu_ns: width.0 / 20,
                scheduled: 210,
                connections_open: 64,
                backlog_max: if harmed { 17 } else { 0 },
                ..GeneratorCounters::default()
            }),
            vec![(Measure::SendLag, histogram(&[0, 0, 1, 1]))],
        ),
        sample(
            SourceName::Machine,
            Counters::Machine(MachineCounters {
                total_ns: width.0 * 2,
                busy_ns: width.0 * 2 / 3,
                ..MachineCounters::default()
            }),
            Vec::new(),
        ),
    ];
    if settled {
        samples.push(sample(
            SourceName::User,
            Counters::Operations(OperationCounters {
                scheduled: 210,
                succeeded: well,
                missed_deadline: 210 - well,
                ..OperationCounters::default()
            }),
            vec![(Measure::Response, times)],
        ));
    }
    for number in 1..=4 {
        samples.push(sample(
            SourceName::Instance(number),
            Counters::Instance(InstanceCounters {
                workers: 4,
                worker_ns: worker,
                busy_ns: busy,
                busy_zombie_ns: if harmed { busy / 2 } else { 0 },
                busy_detached_ns: if harmed { busy / 4 } else { 0 },
                busy_cold_ns: busy / 10,
                busy_probe_ns: busy / 8,
                queue_depth_ns: if harmed { width.0 * 90 } else { 0 },
                ..InstanceCounters::default()
            }),
            Vec::new(),
        ));
    }
    for sample in &samples {
        board.sample(sample);
    }
}

/// A run in its outage: pushed, alerted, a rollback refused, a note written.
fn outage(plan: &Plan) -> Board {
    let mut board = Board::new(plan, true, true);
    let at = |index: u64| plan.interval * index;
    board.event(Nanos::ZERO, &Event::Joined { by: ana() });
    board.event(Nanos::ZERO, &Event::LoadStarted);
    for index in 0..90 {
        match index {
            30 => {
                let action = plan.timeline[0].action.clone();
                board.event(at(30), &Event::ActionStarted { entry: 0, action });
                let outcome = Outcome::Applied {
                    detail: "version 2".into(),
                };
                board.event(at(30), &Event::ActionEnded { entry: 0, outcome });
            }
            55 => {
                let alert = "users refused".into();
                board.event(at(55), &Event::AlertFired { alert });
            }
            80 => {
                let Entry { action, phase, .. } = plan.timeline[1].clone();
                let by = ana();
                board.event(
                    at(80),
                    &Event::Ordered {
                        by,
                        entry: 1,
                        action: action.clone(),
                        phase,
                    },
                );
                board.event(at(80), &Event::ActionStarted { entry: 1, action });
                let outcome = Outcome::Rejected {
                    check: "schema current".into(),
                    reason: "version 1 is written in schema 1, and 2 is demanded".into(),
                };
                board.event(at(80), &Event::ActionEnded { entry: 1, outcome });
            }
            85 => {
                let text = "we wait for the waiver \u{1b}[2J".into();
                board.event(at(85), &Event::Noted { by: ana(), text });
                board.event(at(86), &Event::Held { by: ana() });
            }
            _ => {}
        }
        interval(&mut board, index, index >= 32, index < 86);
        board.tick(at(index + 1));
    }
    board.tick(at(90) + Nanos::from_millis(300));
    board
}

/// A load on a server that refuses some of what it is asked.
fn load() -> Board {
    let plan = Plan {
        scenario: "load".into(),
        title: "127.0.0.1:8080: GET /".into(),
        end: Nanos::from_secs(60),
        drain: Nanos::from_secs(2),
        ..Plan::default()
    };
    let mut board = Board::new(&plan, false, true);
    board.event(Nanos::ZERO, &Event::LoadStarted);
    for index in 0..40 {
        interval(&mut board, index, (20..24).contains(&index), index < 39);
    }
    board.event(
        Nanos::from_secs(20),
        &Event::Warning {
            text: "the generator was late".into(),
        },
    );
    board.tick(Nanos::from_millis(40_300));
    board
}

/// What a terminal of this size shows.
fn shown(board: &Board, is_load: bool, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw::draw(board, is_load, frame))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let rows = (0..height).map(|y| {
        let cells = (0..width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_at_80_by_24() {
    insta::assert_snapshot!(shown(&outage(&founding()), false, 80, 24));
}

#[test]
fn a_run_at_120_by_40() {
    insta::assert_snapshot!(shown(&outage(&founding()), false, 120, 40));
}

#[test]
fn a_load_at_80_by_24() {
    insta::assert_snapshot!(shown(&load(), true, 80, 24));
}

#[test]
fn a_load_at_120_by_40() {
    insta::assert_snapshot!(shown(&load(), true, 120, 40));
}

#[test]
fn a_question_and_a_note_and_the_help() {
    let mut board = outage(&founding());
    board.press(Key::Char('1'));
    insta::assert_snapshot!("question", shown(&board, false, 80, 24));
    board.press(Key::Escape);
    board.press(Key::Char('n'));
    for character in "the pool is full".chars() {
        board.press(Key::Char(character));
    }
    insta::assert_snapshot!("note", shown(&board, false, 80, 24));
    board.press(Key::Escape);
    board.press(Key::Char('?'));
    insta::assert_snapshot!("help", shown(&board, false, 80, 24));
}

#[test]
fn before_the_load_nothing_is_known_and_all_is_drawn() {
    let screen = shown(&Board::new(&founding(), true, true), false, 80, 24);
    assert!(
        screen.contains("set-up") && screen.contains("no incident yet"),
        "{screen}"
    );
}

#[test]
fn without_colour_there_is_none() {
    let mut board = outage(&founding());
    let mut colours = BTreeMap::new();
    for color in [true, false] {
        board.color = color;
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal
            .draw(|frame| draw::draw(&board, false, frame))
            .unwrap();
        let cells = terminal.backend().buffer().content().iter();
        let plain = ratatui::style::Color::Reset;
        let coloured = cells.filter(|cell| cell.fg != plain || cell.bg != plain);
        colours.insert(color, coloured.count());
    }
    assert!(colours[&true] > 0, "{colours:?}");
    assert_eq!(colours[&false], 0);
}

#[test]
fn a_terminal_that_is_too_small_is_told_so_in_a_sentence() {
    let screen = shown(&outage(&founding()), false, 79, 24);
    assert!(screen.starts_with("The screen needs 80 × 24"), "{screen}");
}

#[test]
fn keys_come_to_orders_and_what_is_dangerous_is_asked_once() {
    let mut board = Board::new(&founding(), true, false);
    let order = |order| Pressed::Order(order);
    // A push is dangerous.
    assert_eq!(board.press(Key::Char('1')), Pressed::Shown);
    assert_eq!(board.controls.prompt, Prompt::Act(0));
    assert_eq!(board.press(Key::Char('x')), Pressed::Shown);
    assert_eq!(board.press(Key::Char('1')), Pressed::Shown);
    let act = order(GameOrder::Act { offer: 0 });
    assert_eq!(board.press(Key::Char('y')), act);
    // A rollback is not.
    let act = order(GameOrder::Act { offer: 1 });
    assert_eq!(board.press(Key::Char('2')), act);
    assert_eq!(board.press(Key::Char('9')), Pressed::Shown);
    assert_eq!(board.press(Key::Char('h')), order(GameOrder::Hold));
    assert_eq!(board.press(Key::Char('g')), order(GameOrder::GoOn));
    assert_eq!(board.press(Key::Char('s')), Pressed::Shown);
    assert_eq!(board.press(Key::Enter), order(GameOrder::Stop));
    assert_eq!(board.press(Key::Char('q')), Pressed::Interrupt);
    // What is pasted is no command.
    assert_eq!(board.press(Key::Pasted('h')), Pressed::Shown);
    // A note may hold every letter.
    board.press(Key::Char('n'));
    for key in [
        Key::Char('q'),
        Key::Pasted('s'),
        Key::Char('x'),
        Key::Backspace,
    ] {
        assert_eq!(board.press(key), Pressed::Shown);
    }
    let text = "qs".to_owned();
    assert_eq!(board.press(Key::Enter), order(GameOrder::Note { text }));
    // In a load nothing can be asked for.
    let mut board = load();
    for key in ['1', 'h', 'g', 's', 'n'] {
        assert_eq!(board.press(Key::Char(key)), Pressed::Shown);
        assert_eq!(board.controls.prompt, Prompt::None);
    }
}

#[test]
fn more_actions_than_keys_come_by_pages() {
    let mut plan = founding();
    let entry = |number: u32| Entry {
        when: When::Offered,
        action: Action::Fleet(FleetAction::Continue {
            instances: std::num::NonZeroU32::new(number),
        }),
        phase: format!("go on {number}"),
        inject: None,
    };
    plan.timeline = (1..=20).map(entry).collect();
    let mut board = Board::new(&plan, true, false);
    board.press(Key::Next);
    let act = |offer| Pressed::Order(GameOrder::Act { offer });
    assert_eq!(board.press(Key::Char('1')), act(9));
    board.press(Key::Next);
    board.press(Key::Next);
    assert_eq!(board.press(Key::Char('2')), act(19));
    assert_eq!(board.press(Key::Char('3')), Pressed::Shown);
    board.press(Key::Previous);
    board.press(Key::Previous);
    board.press(Key::Previous);
    assert_eq!(board.press(Key::Char('1')), act(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_size_can_be_drawn_on(width in 1_u16..=300, height in 1_u16..=100, prompt in 0..5) {
        let mut board = outage(&founding());
        match prompt {
            1 => _ = board.press(Key::Char('1')),
            2 => _ = board.press(Key::Char('s')),
            3 => {
                board.press(Key::Char('n'));
                for _ in 0..600 {
                    board.press(Key::Char('漢'));
                }
            }
            4 => _ = board.press(Key::Char('?')),
            _ => {}
        }
        let screen = shown(&board, false, width, height);
        let escaped = screen.contains('\u{1b}');
        prop_assert!(!escaped);
        shown(&load(), true, width, height);
    }
}
