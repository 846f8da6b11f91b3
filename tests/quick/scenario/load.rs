//! What a file says of load, queues and times, and what the plan makes of it.

use threadbare::model::{Trigger, When};
use threadbare::scenario;
use threadbare::units::Nanos;

use super::{SMALL, told};

#[test]
fn a_swing_goes_around_the_rate_in_force() {
    let text = "title = 'a'\nclaim = 'b'\nend = '20s'\n[load]\nrate = '50/s'\n\
                swing = { amplitude = '20/s', period = '4s' }\nstep = [{ at = '10s', rate = '80/s' }]\n\
                mix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]";
    let load = scenario::parse("a", "a.toml", text).unwrap().load;
    let shapes = load.rate.iter().map(|(at, shape)| format!("{at}: {shape}"));
    let shapes: Vec<String> = shapes.collect();
    assert_eq!(
        shapes,
        ["0s: 50/s ± 20/s every 4s", "10s: 80/s ± 20/s every 4s"]
    );
}

#[test]
fn a_story_may_pass_midnight_and_entries_may_wait_for_events() {
    let text = r#"
title = "Night shift"
claim = "Nothing."
end = "00:30"
[story]
starts = "23:00"
scale = 60
[load]
rate = "10/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
step = [{ at = "00:15", rate = "20/s" }, { at = "1min", rate = "0/s" }]
[[alert]]
name = "errors"
when = "error share > 5 %"
for = "2s"
[[timeline]]
at = "00:10"
do = "push"
set = { "authorization.unverified" = "allow" }
[[timeline]]
after = "alert errors"
delay = "3s"
do = "rollback"
"#;
    let plan = scenario::parse("night", "night.toml", text).unwrap();
    let seconds = |seconds| Nanos::from_secs(seconds);
    assert_eq!(plan.end, seconds(90));
    let steps: Vec<_> = plan.load.rate.iter().map(|(at, _)| *at).collect();
    assert_eq!(steps, [seconds(0), seconds(60), seconds(75)]); // in the order of time
    assert_eq!(plan.timeline[0].when, When::At(seconds(70)));
    assert_eq!(
        plan.timeline[1].when,
        When::After {
            event: Trigger::Alert("errors".into()),
            delay: seconds(3)
        }
    );
    assert_eq!(plan.story.unwrap().at(seconds(70)).to_string(), "00:10");
}

#[test]
fn a_spike_goes_back_to_the_rate_before_it_whatever_that_is() {
    let rates = |more: &str| {
        let text = format!("{SMALL}{more}");
        let scenario = scenario::parse("a", "a.toml", &text).unwrap();
        let pieces = scenario.load.rate.iter();
        let pieces: Vec<_> = pieces.map(|(at, rate)| format!("{at}: {rate}")).collect();
        pieces.join(", ")
    };
    let spike = "[[load.step]]\nat = '10s'\nrate = '150/s'\nfor = '5s'\n";
    assert_eq!(rates(spike), "0s: 50/s, 10s: 150/s, 15s: 50/s");
    let next = |at: &str| format!("{spike}[[load.step]]\nat = '{at}'\nrate = '80/s'\n");
    assert_eq!(
        rates(&next("20s")),
        "0s: 50/s, 10s: 150/s, 15s: 50/s, 20s: 80/s"
    );
    // The next step says what comes when it is over.
    assert_eq!(rates(&next("15s")), "0s: 50/s, 10s: 150/s, 15s: 80/s");
    assert!(told(&next("12s")).contains("another step begins at 12s, while this one lasts"));
}

#[test]
fn a_queue_can_be_written_as_its_bound() {
    for queue in ["150", "'150'", "'bounded(150)'"] {
        let text = format!("{SMALL}[target.fleet]\nqueue = {queue}\n");
        let scenario = scenario::parse("a", "a.toml", &text).unwrap();
        assert_eq!(scenario.fleet.unwrap().queue.to_string(), "bounded(150)");
    }
    for queue in ["0", "1.5", "true", "'many'"] {
        let text = told(&format!("[target.fleet]\nqueue = {queue}\n"));
        assert!(text.contains("queue"), "{text}");
    }
}
