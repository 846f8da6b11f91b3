//! A generator that stands still: stopped with its whole group.

use super::{Load, Summary, server, wait};

/// Stopped for so long after so long, and over again.
fn stopped(flags: &str, stops: &[(u64, u64)]) -> Summary {
    let server = server(1);
    let load = Load::start(&[], &server, flags);
    for (after, millis) in stops {
        wait(*after);
        load.stand_still(*millis);
    }
    load.end()
}

#[test]
fn in_the_middle_of_an_open_load() {
    for pacing in ["balanced", "precise", "thrifty"] {
        let flags = format!("-R 300 -c 100 -d 3s --pacing {pacing}");
        let summary = stopped(&flags, &[(1_000, 1_000)]);
        summary.is_invalid().serves_within(250.0);
        assert!(summary.own_by_target() > 10.0, "{}", summary.json);
        assert_eq!(
            summary.json["phases"][0]["response_ms"]["marked"]["p99"],
            true
        );
        assert!(summary.number("/measurement/generator_away") > 0.2);
    }
}

#[test]
fn over_the_end_of_an_open_load() {
    let summary = stopped("-R 300 -c 100 -d 2s", &[(1_500, 2_000)]);
    summary.is_invalid().serves_within(250.0);
    assert!(
        summary.reasons().contains("sent late"),
        "{}",
        summary.reasons()
    );
    assert!(summary.own_by_target() > 10.0, "{}", summary.json);
}

#[test]
fn for_a_fifth_of_each_second() {
    let stops = [(800, 200); 4];
    for pacing in ["balanced", "thrifty"] {
        let flags = format!("-R 300 -c 100 -d 4s --timeout 60s --pacing {pacing}");
        let summary = stopped(&flags, &stops);
        summary.is_invalid().serves_within(100.0);
        assert!(summary.own_by_target() > 2.0, "{}", summary.json);
    }
}

/// Those who wait for their answers are not answered later because nobody looked.
#[test]
fn in_the_middle_of_a_closed_loop() {
    for pacing in ["balanced", "thrifty"] {
        let flags = format!("-c 4 -d 3s --pacing {pacing}");
        let summary = stopped(&flags, &[(1_000, 1_500)]);
        summary.adds_up();
        assert!(
            summary.number("/phases/0/service_ms/max") < 750.0,
            "{}",
            summary.json
        );
        assert!(
            summary.number("/phases/0/response_ms/max") < 750.0,
            "{}",
            summary.json
        );
        assert!(summary.number("/measurement/generator_away") > 0.3);
    }
}

/// Answers that lay in the kernel in time are in time, however late they are read.
#[test]
fn for_longer_than_the_timeout() {
    let server = server(50);
    let load = Load::start(&[], &server, "-c 16 -d 3s --timeout 400ms");
    wait(1_000);
    load.stand_still(1_200);
    let summary = load.end();
    let ended = &summary.json["conservation"];
    assert_eq!(ended["timed_out"], 0, "{}", summary.json);
    assert_eq!(ended["failed"], 0, "{}", summary.json);
    summary.adds_up();
}

/// What missed its deadline before it was sent was never the target's.
#[test]
fn for_longer_than_the_deadline() {
    let flags = "-R 300 -c 100 -d 3s --deadline 300ms";
    let summary = stopped(flags, &[(1_000, 1_500)]);
    summary.is_invalid();
    assert!(
        summary.reasons().contains("never sent"),
        "{}",
        summary.reasons()
    );
    assert!(summary.own_by_target() > 10.0, "{}", summary.json);
    let missed = summary.number("/conservation/missed_deadline");
    assert!(summary.number("/measurement/never_sent") > missed / 2.0);
}
