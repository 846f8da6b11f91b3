//! The answer in few words: the verdict, the headline figures, the cause.
//!
//! Every format leads with these, so they are put together once. What is here
//! chooses and words what the analysis found; it judges nothing itself.

use super::figures::{
    NONE, count, maybe, number, percent, plural, seconds, story_span, watched, words,
};
use crate::analysis::{ExpectationResult, Findings, TimeSpent, Validity, Verdict};
use crate::record::{Backend, printable};

/// What is said beside a censored figure.
const NOT_SEEN: &str = "not reached before the observation stopped";

/// The verdict in one word.
pub(super) fn verdict_word(findings: &Findings) -> &'static str {
    match findings.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Invalid => "invalid",
    }
}

/// Why the verdict is what it is, in one sentence without a full stop.
pub(super) fn verdict_reason(findings: &Findings) -> String {
    let reason = findings.ending.reasons.first();
    reason.map_or_else(String::new, |reason| printable(reason).into_owned())
}

/// What the incident came to: `recovered by intervention, sustained by retries`.
pub(super) fn incident_line(findings: &Findings) -> String {
    let verdict = words(findings.incident.verdict.word());
    let line = match findings.incident.sustaining {
        Some(effect) => format!("{verdict}, sustained by {}", effect.in_words()),
        None => verdict,
    };
    let all = &findings.incidents;
    match all.iter().position(|it| *it == findings.incident) {
        Some(place) if all.len() > 1 => {
            format!("{line} (incident {} of {})", place + 1, all.len())
        }
        _ => line,
    }
}

/// What must be said before any figure: the record is not whole, or not to be
/// trusted. Empty where all is well.
pub(super) fn banners(findings: &Findings) -> Vec<String> {
    let mut banners = Vec::new();
    if !findings.complete {
        banners.push(
            "Incomplete: this run did not reach its planned end. What it recorded is below; what \
             would have followed is unknown."
                .to_owned(),
        );
    }
    if findings.measurement.validity == Validity::Invalid {
        let reasons = findings.measurement.reasons.join(" ");
        let so = if findings.conservation.scheduled == 0 {
            "there are no figures that could describe the target"
        } else {
            "the load generator or the machine was the limit, so the figures do not describe the \
             target"
        };
        banners.push(format!(
            "Invalid measurement: {so}. {}",
            printable(&reasons)
        ));
    }
    banners
}

/// A figure with what it is called, what to know of it, and how it is defined.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// What it is called.
    pub label: &'static str,
    /// The value with its unit.
    pub value: String,
    /// What puts it into proportion; may be empty.
    pub note: String,
    /// How it is defined, in one sentence.
    pub definition: &'static str,
}

/// The four figures that a reader should see first.
pub(super) fn headline(findings: &Findings) -> [Figure; 4] {
    [
        recovery_after(findings),
        lost_operations(findings),
        amplification(findings),
        exhaustion(findings),
    ]
}

/// The incident's spans, from the headline figure on.
pub(super) fn spans(findings: &Findings) -> Vec<Figure> {
    let incident = &findings.incident;
    let span = |label, seen, censored_after, definition| Figure {
        label,
        value: watched(seen, censored_after),
        note: match (seen, censored_after) {
            (None, Some(_)) => NOT_SEEN.to_owned(),
            _ => maybe_story(findings, seen),
        },
        definition,
    };
    let acknowledged = span(
        "time to acknowledge",
        incident.time_to_acknowledge_s,
        incident.time_to_acknowledge_censored_after_s,
        "from the impact until somebody on call looked at the alert",
    );
    let on_call = incident.time_to_acknowledge_s.is_some()
        || incident.time_to_acknowledge_censored_after_s.is_some();
    let mut spans = vec![
        recovery_after(findings),
        span(
            "recovery after the last action",
            incident.recovery_after_last_action_s,
            incident.recovery_after_last_action_censored_after_s,
            "from the last action of the timeline to the recovery",
        ),
        span(
            "time to detect",
            incident.time_to_detect_s,
            incident.time_to_detect_censored_after_s,
            "from the impact to the first alert after it",
        ),
        span(
            "time to mitigate",
            incident.time_to_mitigate_s,
            incident.time_to_mitigate_censored_after_s,
            "from the impact until goodput is back at half of the baseline for a hold window",
        ),
        span(
            "time to recover",
            incident.time_to_recover_s,
            incident.time_to_recover_censored_after_s,
            "from the impact to the recovery",
        ),
    ];
    spans.extend(on_call.then_some(acknowledged));
    spans
}

/// The headline: recovery after the rollback, or after the trigger was off where
/// that was no rollback's doing.
pub(super) fn recovery_after(findings: &Findings) -> Figure {
    let recovery = findings.recovery();
    let seen = recovery.seen_s;
    let note = match (seen, findings.incident.trigger_off_s) {
        (None, None) if recovery.after_rollback => "no rollback was applied".to_owned(),
        (None, None) => "the fault was never cleared".to_owned(),
        (Some(_), _) => {
            let resolution = format!("to within {}", seconds(findings.interval_s));
            match maybe_story(findings, seen) {
                story if story.is_empty() => resolution,
                story => format!("{story}; {resolution}"),
            }
        }
        (None, Some(_)) => NOT_SEEN.to_owned(),
    };
    let (label, definition) = if recovery.after_rollback {
        (
            "recovery after rollback",
            "from the instant the rollback was applied to the start of the first hold window in \
             which goodput, error share and p99 are back near the baseline",
        )
    } else {
        (
            "recovery after trigger off",
            "from the instant the last cause ended to the start of the first hold window \
             in which goodput, error share and p99 are back near the baseline",
        )
    };
    Figure {
        label,
        value: watched(seen, recovery.censored_after_s),
        note,
        definition,
    }
}

fn lost_operations(findings: &Findings) -> Figure {
    let conservation = &findings.conservation;
    Figure {
        label: "operations lost",
        value: count(conservation.lost()),
        note: format!(
            "{} of the {} that were scheduled",
            percent(conservation.lost_share()),
            count(conservation.scheduled)
        ),
        definition: "operations of the whole run, warm-up included, that did not succeed before \
                     their deadline",
    }
}

fn amplification(findings: &Findings) -> Figure {
    let worst = findings.worst_amplification();
    Figure {
        label: "load on the target",
        value: maybe(worst, |worst| format!("{}×", number(worst.times()))),
        note: worst.map_or_else(String::new, |worst| {
            format!(
                "{} attempts and {} probes per operation in “{}”",
                number(worst.attempts),
                maybe(worst.phase.probes_per_operation, number),
                printable(&worst.phase.name)
            )
        }),
        definition: "attempts and monitor probes per operation, in the phase since the trigger \
                     where it was highest; 1.00× means no extra load",
    }
}

fn exhaustion(findings: &Findings) -> Figure {
    const LABEL: &str = "instances exhausted";
    const DEFINITION: &str = "an instance is exhausted in an unbroken window with saturation of \
                              at least 99 % and jobs waiting";
    if findings
        .exhaustion
        .iter()
        .any(|window| window.point_samples)
    {
        return exhausted_by_gauges(findings);
    }
    if findings.instances == 0 {
        return Figure {
            label: LABEL,
            value: NONE.to_owned(),
            note: "no gauge of workers and queues was read".to_owned(),
            definition: DEFINITION,
        };
    }
    let exhausted = findings.exhausted();
    let instances = exhausted.as_ref().map_or(0, |it| it.instances.len());
    let longest = exhausted.map(|it| it.longest_s);
    Figure {
        label: LABEL,
        value: format!("{instances} of {}", findings.instances),
        note: format!(
            "longest {}; queue depth at most {}",
            maybe(longest, seconds),
            maybe(findings.queue_depth_max(), count)
        ),
        definition: DEFINITION,
    }
}

/// The same of a target's own gauges, which are no instances: the source that was exhausted
/// for the longest.
fn exhausted_by_gauges(findings: &Findings) -> Figure {
    let mut sources: Vec<(String, f64, usize)> = Vec::new();
    for window in &findings.exhaustion {
        let name = window.instance.to_string();
        let length = window.to_s - window.from_s;
        match sources.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, all, count)) => {
                *all += length;
                *count += 1;
            }
            None => sources.push((name, length, 1)),
        }
    }
    let longest = sources
        .into_iter()
        .max_by(|one, other| one.1.total_cmp(&other.1));
    Figure {
        label: "workers exhausted",
        value: maybe(longest.as_ref(), |(_, all, _)| seconds(*all)),
        note: longest.map_or_else(String::new, |(name, _, count)| {
            format!(
                "“{}”, {}, point samples; at most {} waiting",
                printable(&name),
                plural(count as u64, "interval"),
                maybe(findings.gauge_queue_max(), number)
            )
        }),
        definition: "by its own gauges the target had no free worker and jobs waiting, in \
                     intervals with saturation of at least 99 %",
    }
}

/// The same span on the story's clock, where there is one.
fn maybe_story(findings: &Findings, span: Option<f64>) -> String {
    span.zip(findings.story)
        .map_or_else(String::new, |(span, story)| {
            format!("{} in incident time", story_span(span * story.scale))
        })
}

/// How good the measurement is, in one line.
pub(super) fn measurement_line(findings: &Findings) -> String {
    let measurement = &findings.measurement;
    let validity = match measurement.validity {
        Validity::Valid => "valid",
        Validity::Invalid => "invalid",
    };
    let time = findings
        .time_spent
        .map_or_else(String::new, |spent| format!("; {}", time_line(&spent)));
    if findings.backend == Backend::Sim {
        return format!(
            "{validity}; simulated, without generator, network or machine (docs/SIMULATOR.md says \
             what is modelled){time}"
        );
    }
    let lag = |value: Option<f64>| maybe(value, |us| format!("{} ms", number(us / 1e3)));
    format!(
        "{validity}; send lag p50 {}, p99 {}, max {}; generator threads at most {} busy; \
         machine at most {} busy, {} stolen{time}",
        lag(measurement.send_lag_us.p50),
        lag(measurement.send_lag_us.p99),
        lag(measurement.send_lag_us.max),
        maybe(measurement.generator_busy, percent),
        maybe(measurement.machine_busy_max, percent),
        maybe(measurement.machine_steal, percent),
    )
}

/// Where the time went that operations took.
pub(super) fn time_line(spent: &TimeSpent) -> String {
    let shares = spent.shares().into_iter();
    let shares: Vec<_> = shares
        .map(|(owner, share)| format!("{owner} {}", percent(share)))
        .collect();
    format!("where the time went: {}", shares.join(", "))
}

/// Where every operation went, as an equation.
pub(super) fn conservation_line(findings: &Findings) -> String {
    let conservation = &findings.conservation;
    let parts = [
        (conservation.succeeded, "succeeded"),
        (conservation.failed, "failed"),
        (conservation.timed_out, "timed out"),
        (conservation.missed_deadline, "missed the deadline"),
        (conservation.shed, "shed"),
        (conservation.unfinished, "unfinished"),
    ]
    .map(|(value, name)| format!("{} {name}", count(value)));
    format!(
        "{} scheduled = {}",
        count(conservation.scheduled),
        parts.join(" + ")
    )
}

/// Lines of exhaustion that are shown: more would hide what follows.
const LINES: usize = 16;

/// Exhaustion windows in one line each: an instance's name, then its windows.
/// In a fleet too large for that, instances of the same windows share a line.
pub(super) fn exhaustion_by_instance(findings: &Findings) -> Vec<(String, String)> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for window in &findings.exhaustion {
        let mut name = printable(&window.instance.to_string()).into_owned();
        if window.point_samples {
            name.push_str(" (point samples)");
        }
        let span = format!("{:.1}–{:.1} s", window.from_s, window.to_s);
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, spans)) => spans.push(span),
            None => rows.push((name, vec![span])),
        }
    }
    let rows = rows.into_iter().map(|(name, spans)| (name, few(&spans)));
    let rows: Vec<(String, String)> = rows.collect();
    if rows.len() <= LINES {
        return rows;
    }
    let mut alike: Vec<(usize, String)> = Vec::new();
    for (_, windows) in rows {
        match alike.iter_mut().find(|(_, known)| *known == windows) {
            Some((instances, _)) => *instances += 1,
            None => alike.push((1, windows)),
        }
    }
    alike.sort_by_key(|(instances, _)| std::cmp::Reverse(*instances));
    let others = alike.split_off(alike.len().min(LINES));
    let others: usize = others.iter().map(|(instances, _)| instances).sum();
    let mut rows: Vec<(String, String)> = alike
        .into_iter()
        .map(|(instances, windows)| (plural(instances as u64, "instance"), windows))
        .collect();
    if others > 0 {
        let where_else = "at other times; summary.json has them all".to_owned();
        rows.push((plural(others as u64, "instance"), where_else));
    }
    rows
}

/// The first few of a list, and how many more there are.
fn few(texts: &[String]) -> String {
    /// More would fill the screen and add nothing.
    const SHOWN: usize = 6;
    let shown = texts[..texts.len().min(SHOWN)].join(", ");
    match texts.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What was seen, beside what was required.
pub(super) fn expectation_sign(passed: Option<bool>) -> &'static str {
    match passed {
        Some(true) => "✓",
        Some(false) => "✗",
        None => NONE,
    }
}

/// What was looked at, with the window that it was taken over.
pub(super) fn expectation_named(expectation: &ExpectationResult) -> String {
    match (expectation.from_s, expectation.to_s) {
        (Some(from), Some(to)) => format!("{} ({from:.1}–{to:.1} s)", expectation.that),
        _ => expectation.that.clone(),
    }
}

/// What was required, and how much room was left.
pub(super) fn expectation_required(expectation: &ExpectationResult) -> String {
    let required = words(&expectation.required);
    match &expectation.margin {
        Some(margin) => format!("required: {required}; margin {margin}"),
        None => format!("required: {required}"),
    }
}
