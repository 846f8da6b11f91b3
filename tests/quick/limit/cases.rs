//! Ways in which a search can come out, made from the example of every part.

use threadbare::analysis::limit::{
    LimitBeyond, LimitCause, LimitEnded, LimitFound, LimitPoint, LimitRecovery, LimitResource,
    LimitReturnRate, LimitReturns, LimitShape, LimitStage, LimitStatus, LimitStep, LimitVerdict,
};

use super::found::EXAMPLE;
use threadbare::model::{IncidentVerdict, SustainingEffect};

/// The scenario whose edge the example has.
const SCENARIO: &str = "\
title = \"What it takes\"
claim = \"It takes a lot.\"
end   = \"30s\"
[target]
url = \"http://127.0.0.1:8000/\"
[load]
rate = \"100/s\"
";

/// Everything that was asked for was found.
pub(super) fn found() -> LimitFound {
    let mut found: LimitFound = serde_json::from_str(EXAMPLE).unwrap();
    found.sought.scenario = Some(SCENARIO.into());
    let last = found.steps.pop().unwrap();
    found.steps.push(beyond(&last, 3, 618.0, 397.0));
    found.steps.push(beyond(&last, 4, 824.0, 384.0));
    found
        .beyond
        .as_mut()
        .unwrap()
        .points
        .extend(
            [(3, 618.0, 397.0), (4, 824.0, 384.0)].map(|(step, offered, goodput)| {
                let mut point = found_point(&found.steps[0]);
                point.step = step;
                point.offered_per_s = offered;
                point.goodput_per_s = goodput;
                point.low_per_s = Some(goodput - 9.0);
                point.high_per_s = Some(goodput + 9.0);
                point
            }),
        );
    let trials = [
        (200.0, &[Some(4.0), Some(5.0), Some(4.5)][..]),
        (300.0, &[None]),
    ];
    returned(&mut found, LimitStatus::Found, &trials);
    let number = u32::try_from(found.steps.len()).unwrap() + 1;
    let mut advised = trial(&found.steps[0], number, 300.0, Some(3.0));
    advised.stage = LimitStage::Advice;
    advised.measure = Some("no retries".into());
    found.steps.push(advised);
    found.advice[0].rates[0].steps = vec![number];
    found
}

fn found_point(step: &LimitStep) -> LimitPoint {
    LimitPoint {
        step: step.number,
        offered_per_s: step.figures.offered_per_s,
        goodput_per_s: step.figures.goodput_per_s,
        low_per_s: None,
        high_per_s: None,
    }
}

fn beyond(like: &LimitStep, number: u32, rate: f64, goodput: f64) -> LimitStep {
    let mut step = like.clone();
    step.number = number;
    step.seed = number.into();
    step.stage = LimitStage::Beyond;
    step.rate_per_s = rate;
    step.why = "response p99 is 980 ms (910 ms to 1,020 ms), more than 250 ms".into();
    step.recovery = None;
    step.figures.offered_per_s = rate;
    step.figures.goodput_per_s = goodput;
    step.figures.error_share = Some(1.0 - goodput / rate);
    step.figures.response_p50_ms = Some(620.0);
    step.figures.response_p99_ms = Some(980.0);
    step.run = Some(format!("step-{number:03}-beyond-{rate}"));
    step
}

/// A trial with the trigger: back after so long, or not at all.
fn trial(like: &LimitStep, number: u32, rate: f64, after: Option<f64>) -> LimitStep {
    let mut step = like.clone();
    step.number = number;
    step.seed = number.into();
    step.stage = LimitStage::Returns;
    step.rate_per_s = rate;
    step.objectives = Vec::new();
    step.limited_by = Vec::new();
    step.measure = None;
    step.figures.offered_per_s = rate;
    (step.verdict, step.why) = match after {
        Some(after) => (
            LimitVerdict::Holds,
            format!("service was back {after:.1} s after the trigger"),
        ),
        None => (
            LimitVerdict::DoesNot,
            "service was not back 60 s after the trigger: metastable".into(),
        ),
    };
    step.recovery = Some(LimitRecovery {
        returned: Some(after.is_some()),
        after_s: after,
        censored_after_s: after.is_none().then_some(60.0),
        verdict: if after.is_some() {
            IncidentVerdict::SlowDrain
        } else {
            IncidentVerdict::Metastable
        },
        sustaining: after.is_none().then_some(SustainingEffect::Retries),
    });
    step.run = Some(format!("step-{number:03}-returns-{rate}"));
    step
}

/// Gives a search these trials, and what is known of the edge by them.
fn returned(found: &mut LimitFound, status: LimitStatus, trials: &[(f64, &[Option<f64>])]) {
    let like = found.steps[0].clone();
    let mut rates = Vec::new();
    for (rate, results) in trials {
        let first = u32::try_from(found.steps.len()).unwrap() + 1;
        let numbers: Vec<u32> = (first..).take(results.len()).collect();
        for (number, after) in numbers.iter().zip(*results) {
            found.steps.push(trial(&like, *number, *rate, *after));
        }
        let back: Vec<f64> = results.iter().flatten().copied().collect();
        let share = back.len() as f64 / results.len() as f64;
        rates.push(LimitReturnRate {
            rate_per_s: *rate,
            trials: u32::try_from(results.len()).unwrap(),
            returned: u32::try_from(back.len()).unwrap(),
            unharmed: 0,
            low: (share - 0.4).max(0.0),
            high: (share + 0.4).min(1.0),
            after_s: back,
            steps: numbers,
        });
    }
    let always = |it: &&LimitReturnRate| it.returned == it.trials;
    let never = |it: &&LimitReturnRate| it.returned == 0;
    let low = rates.iter().rfind(always).map(|it| it.rate_per_s);
    let high = rates.iter().find(never).map(|it| it.rate_per_s);
    found.returns = Some(LimitReturns {
        status,
        low_per_s: low,
        high_per_s: high,
        rates,
        sustaining: high.map(|_| SustainingEffect::Retries),
        sentence: "After `surge 3x for 10s` that is from where it comes back.".into(),
    });
}

/// The first steps alone, and nothing that follows from later ones.
fn only(steps: usize) -> LimitFound {
    let mut found = found();
    found.steps.truncate(steps);
    found.limited_by.clear();
    found.beyond = None;
    found.returns = None;
    found.headroom = None;
    found.advice.clear();
    found.served.high_per_s = None;
    found.served.confirmed = false;
    found.served.broken = None;
    found.expectations[0].verdict = LimitVerdict::CannotTell;
    found.expectations[0].observed = "not known".into();
    found
}

/// Every rate that was allowed is served, and service came back from each.
pub(super) fn no_limit() -> LimitFound {
    let mut found = only(1);
    found.served.status = LimitStatus::NoLimit;
    found.served.low_per_s = Some(10_000.0);
    found.served.confirmed = true;
    found.served.sentence = "It serves every rate up to 10000/s, the highest allowed.".into();
    found.steps[0].rate_per_s = 10_000.0;
    found.steps[0].figures.offered_per_s = 10_004.0;
    found.steps[0].figures.goodput_per_s = 10_001.0;
    found.expectations[0].verdict = LimitVerdict::Holds;
    found.expectations[0].observed = "at least 10000/s".into();
    found.sentence = "It serves every rate up to 10000/s, and comes back from all.".into();
    let trials = [(5_000.0, &[Some(0.0)][..]), (10_000.0, &[Some(0.5)])];
    returned(&mut found, LimitStatus::NoLimit, &trials);
    found
}

/// The generator was too slow before the service was.
pub(super) fn the_generator() -> LimitFound {
    let mut found = only(2);
    found.served.status = LimitStatus::NotTheService;
    found.served.sentence =
        "No limit was found below 400/s: at 412/s the generator was the limit.".into();
    let step = &mut found.steps[1];
    step.verdict = LimitVerdict::CannotTell;
    step.why = "the generator's threads were 97 % busy".into();
    let cause = LimitCause {
        resource: LimitResource::Generator,
        name: None,
        value: 0.97,
        sentence: "The generator's threads were 97 % busy.".into(),
    };
    step.limited_by = vec![cause.clone()];
    found.limited_by = vec![cause];
    found.sentence = "No limit of the service was found below 400/s.".into();
    found
}

/// Not even the first rate is served.
pub(super) fn nothing() -> LimitFound {
    let mut found = only(2);
    found.steps.remove(0);
    found.served.status = LimitStatus::Nothing;
    found.served.low_per_s = None;
    found.served.high_per_s = Some(412.0);
    found.served.broken = Some("p99 <= 250ms".into());
    found.served.sentence = "Not even 412/s is served: there `p99 <= 250ms` does not hold.".into();
    found.expectations[0].verdict = LimitVerdict::DoesNot;
    found.expectations[0].observed = "less than 412/s".into();
    found.sentence = "Nothing is served, not even 412/s.".into();
    found
}

/// A signal came after the first step.
pub(super) fn interrupted() -> LimitFound {
    let mut found = only(1);
    found.served.status = LimitStatus::Unknown;
    found.served.sentence = "It serves 400/s at least; the limit was not reached.".into();
    found.ended = LimitEnded::Interrupted;
    found.ended_because = "SIGINT came.".into();
    found.sentence = "It serves 400/s at least.".into();
    found
}

/// Nothing was tried yet.
pub(super) fn going() -> LimitFound {
    let mut found = interrupted();
    found.steps.clear();
    found.served.low_per_s = None;
    found.served.sentence = "Nothing is known yet.".into();
    found.ended = LimitEnded::Going;
    found.ended_because = "No step has ended yet.".into();
    found.sentence = "Nothing is known yet.".into();
    found
}

/// Between two rates chance decides.
pub(super) fn bistable() -> LimitFound {
    let mut found = found();
    found.steps.truncate(4);
    let trials = [
        (200.0, &[Some(4.0), Some(5.0), Some(4.5), Some(7.0)][..]),
        (240.0, &[Some(9.0), None, Some(14.0), None]),
        (300.0, &[None; 4]),
    ];
    returned(&mut found, LimitStatus::Found, &trials);
    let mut untold = found.steps[10].clone();
    untold.number = 17;
    untold.verdict = LimitVerdict::CannotTell;
    untold.why = "the measurement is invalid: the generator was late".into();
    untold.recovery.as_mut().unwrap().returned = None;
    found.steps.push(untold);
    found.advice[0].rates.clear();
    found.advice[0].returns_from_per_s = None;
    found
}

/// The service stayed down after the first trial, and nobody restarts it.
pub(super) fn stays_down() -> LimitFound {
    let mut found = found();
    found.steps.truncate(2);
    found.beyond = None;
    found.advice.clear();
    found.headroom.as_mut().unwrap().to_returns = None;
    returned(&mut found, LimitStatus::Nothing, &[(100.0, &[None])]);
    found.ended = LimitEnded::StayedDown;
    found.ended_because =
        "After `surge 3x for 10s` at 100/s the service stays down; say how it is restarted.".into();
    found
}

/// Goodput collapses past the limit.
pub(super) fn collapses() -> LimitFound {
    let mut found = found();
    found.steps[2].figures.goodput_per_s = 90.0;
    found.steps[3].figures.goodput_per_s = 20.0;
    let beyond: &mut LimitBeyond = found.beyond.as_mut().unwrap();
    beyond.shape = LimitShape::Collapses;
    beyond.share_at_half_more = Some(0.22);
    for (point, goodput) in beyond.points[2..].iter_mut().zip([90.0, 20.0]) {
        point.goodput_per_s = goodput;
        point.low_per_s = Some(goodput - 8.0);
        point.high_per_s = Some(goodput + 8.0);
    }
    found
}

/// Text that tries to leave every format.
pub(super) const HOSTILE: &str =
    "</script><script>alert(1)</script><!-- \u{1b}[31m `x` | [a](http://a.example) \"'&\nb = 1";

/// Every text of the user's or the target's is hostile.
pub(super) fn hostile() -> LimitFound {
    let mut found = found();
    for text in [
        &mut found.sought.target,
        &mut found.sentence,
        &mut found.command,
        &mut found.ended_because,
        &mut found.served.sentence,
        &mut found.expectations[0].expectation,
        &mut found.advice[0].change,
        &mut found.machine.processor,
        &mut found.steps[0].why,
        &mut found.limited_by[0].sentence,
    ] {
        HOSTILE.clone_into(text);
    }
    found.expectations[0].observed = HOSTILE.into();
    found.advice[1].name = HOSTILE.into();
    found.ended = LimitEnded::Failed;
    found.limited_by[0].name = Some(HOSTILE.into());
    found.steps[1].run = Some(HOSTILE.into());
    found.steps[2].measure = Some(HOSTILE.into());
    found.expectations[0].verdict = LimitVerdict::CannotTell;
    found
}
