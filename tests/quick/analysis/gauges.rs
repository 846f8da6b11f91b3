//! A target's own gauges: where they have no value, and what is said of exhausted workers.

use threadbare::analysis::{Findings, findings};
use threadbare::record::{Counters, GaugeCounters};
use threadbare::scenario;

use super::builder::Run;
use super::observed::{CALM, Second, gauges, record, with};

/// Sixty seconds with the readings of `puma` that each second has.
fn read(run: Run, each: impl Fn(u64) -> Option<GaugeCounters>) -> Findings {
    let mut record = record(run, &[CALM; 60]);
    record.header.plan.story = None;
    let read = with(record, "puma", |index| each(index).map(Counters::Gauges));
    findings(&read)
}

fn failed(failed: u64) -> GaugeCounters {
    GaugeCounters {
        failed,
        ..GaugeCounters::default()
    }
}

fn gaps(found: &Findings) -> Vec<(f64, f64, u64)> {
    let gaps = found.gauge_gaps.iter();
    gaps.map(|gap| (gap.from_s, gap.to_s, gap.failed)).collect()
}

/// The sentence that has these words; empty where none has.
fn said(found: &Findings, words: &str) -> String {
    let mut sentences = found.sentences.iter();
    sentences
        .find(|sentence| sentence.contains(words))
        .cloned()
        .unwrap_or_default()
}

#[test]
fn a_gap_is_where_readings_failed_or_were_silent_for_long() {
    let calm = || Some(gauges(2, 0));
    // Without readings for a second: one that came a little late.
    let late = read(Run::steady(), |index| calm().filter(|_| index != 30));
    assert_eq!(gaps(&late), []);
    assert_eq!(said(&late, "no value"), "");
    // Silent for two.
    let silent = read(Run::steady(), |index| {
        calm().filter(|_| !(30..32).contains(&index))
    });
    assert_eq!(gaps(&silent), [(30.0, 32.0, 0)]);
    // A single failed reading is known to be one, and at the ends there are gaps too.
    let broken = read(Run::steady(), |index| match index {
        0 | 20 | 21 => Some(failed(2)),
        58.. => None,
        _ => calm(),
    });
    assert_eq!(
        gaps(&broken),
        [(0.0, 1.0, 2), (20.0, 22.0, 4), (58.0, 60.0, 0)]
    );
    assert_eq!(
        said(&broken, "no value"),
        "The gauges of `puma` have no value for 5 s in all (3 gaps, the first at 0.0 s): what \
         was then is unknown."
    );
}

#[test]
fn a_page_without_one_of_its_gauges_is_a_gap() {
    let found = read(Run::steady(), |index| {
        let whole = gauges(2, 0);
        Some(if index == 40 {
            GaugeCounters {
                queue_readings: 0,
                ..whole
            }
        } else {
            whole
        })
    });
    assert_eq!(gaps(&found), [(40.0, 41.0, 0)]);
    let phase = &found.phases[0];
    assert_eq!(found.unread_s(&found.gauge_gaps[0].source, phase), 1.0);
    assert!(said(&found, "no value").contains("for 1 s in all (1 gap,"));
}

/// A page of the target itself, one beside it, and a target that answers nobody from 31 s to
/// 34 s.
#[test]
fn a_page_that_the_blocked_target_serves_itself_is_told_as_such() {
    let text = |page: &str| {
        format!(
            "title = 'a'\nclaim = 'b'\nend = '60s'\n[target]\nurl = 'http://127.0.0.1:8461'\n\
             [[gauges]]\nname = 'puma'\nurl = 'http://127.0.0.1:{page}'\nbusy = 'busy'\n\
             workers = '2'\n[load]\nrate = '6/s'\n[[load.operation]]\nname = 'item'\n\
             [[load.operation.step]]\nrequest = 'GET /item'\n"
        )
    };
    let found = |page: &str, blocked: bool| {
        let mut seconds = [CALM; 60];
        if blocked {
            seconds[31..34].fill(Second {
                answered: 0,
                in_flight: 8,
                ..CALM
            });
        }
        let plan = scenario::parse("a", "a.toml", &text(page));
        let plan = plan.unwrap_or_else(|it| panic!("{}", it.render(false)));
        let mut record = record(Run::steady(), &seconds);
        record.header.plan.story = None;
        record.header.plan.target = plan.target;
        record.header.plan.gauges = plan.gauges;
        findings(&with(record, "puma", |index| {
            Some(Counters::Gauges(if (30..34).contains(&index) {
                failed(2)
            } else {
                gauges(2, 0)
            }))
        }))
    };
    let own = found("8461/metrics", true);
    assert_eq!(gaps(&own), [(30.0, 34.0, 8)]);
    assert!((own.gauge_gaps[0].unanswered_s - 3.0).abs() < 1e-9);
    assert_eq!(
        said(&own, "no value"),
        "The gauges of `puma` have no value for 4 s in all (1 gap, the first at 30.0 s): the \
         target serves them itself, and for 3 s of that it answered nobody, so they have a value \
         only when it is free."
    );
    // A page of another process may be broken for any reason, and so may one of a target
    // that answers.
    for (page, blocked) in [("9000/metrics", true), ("8461/metrics", false)] {
        let other = said(&found(page, blocked), "no value");
        assert!(other.ends_with("what was then is unknown."), "{other}");
    }
}

#[test]
fn every_source_tells_its_own_gaps() {
    let record = record(Run::steady(), &[CALM; 60]);
    let silent = |from: u64, to: u64| {
        move |index| {
            let read = !(from..to).contains(&index);
            read.then(|| Counters::Gauges(gauges(2, 0)))
        }
    };
    let record = with(record, "puma", silent(10, 14));
    let record = with(record, "tomcat", silent(0, 0));
    let record = with(record, "haproxy", silent(50, 53));
    let told = said(&findings(&record), "no value");
    assert!(told.contains("`puma` have no value for 4 s"), "{told}");
    assert!(told.contains("`haproxy` have no value for 3 s"), "{told}");
    assert!(!told.contains("tomcat"), "{told}");
}

/// Pushed at 20 s, rolled back at 60 s; exhausted in these seconds.
fn exhausted(seconds: &[(u64, u64)]) -> String {
    let found = read(Run::pushed_and_rolled_back(), |index| {
        let full = seconds
            .iter()
            .any(|(from, to)| (*from..*to).contains(&index));
        Some(if full { gauges(4, 7) } else { gauges(2, 0) })
    });
    said(&found, "had no free worker")
}

#[test]
fn exhaustion_by_its_own_gauges_is_told_as_long_as_it_was_seen() {
    assert_eq!(
        exhausted(&[(25, 40)]),
        "By its own gauges `puma` had no free worker and jobs waiting from 25.0 s to 40.0 s: \
         point samples."
    );
    // Three stretches are not one from the first to the last.
    assert_eq!(
        exhausted(&[(22, 24), (30, 31), (45, 55)]),
        "By its own gauges `puma` had no free worker and jobs waiting for 13 s in all, in 3 \
         stretches between 22.0 s and 55.0 s (longest 10 s): point samples."
    );
    assert!(exhausted(&[(10, 40)]).contains("from 10.0 s to 40.0 s, from before the incident on:"));
    assert_eq!(exhausted(&[]), "");
}

#[test]
fn full_without_a_queue_is_not_called_exhausted() {
    for (busy, queue) in [(4, 0), (3, 7)] {
        let found = read(Run::pushed_and_rolled_back(), |_| Some(gauges(busy, queue)));
        assert_eq!(said(&found, "had no free worker"), "", "{busy} {queue}");
    }
}
