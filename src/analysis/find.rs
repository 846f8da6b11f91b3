//! The whole analysis in order: from a record to its findings.

use super::ending::Ending;
use super::expectations::decimal;
use super::findings::{Baseline, Findings, Measurement, Validity, Verdict};
use super::incident::Evidence;
use super::journal::Taken;
use super::owners::TimeSpent;
use super::recovery::Service;
use super::totals::Totals;
use super::{
    agents, baseline, capacity, conservation, exhaustion, expectations, failures, gameday,
    incident, journal, kinds, load, observation, observed, phases, refused, sentences, series,
    steps, validity, wire,
};
use crate::record::{Event, Record, StopCause, Tallied, is_told};
use crate::units::whole;

/// The version of the findings' format.
pub(super) const FORMAT: u32 = 1;

/// What a record shows. Pure and total: the same record gives the same
/// findings, and a record that is cut off, empty or damaged gives fewer.
pub fn findings(record: &Record) -> Findings {
    let series = series::series(record);
    let observation = observation::observation(record, &series);
    let taken = journal::taken(record);
    let plan = &record.header.plan;
    let mut surges = match record.merged_to {
        None => plan.surge_changes(),
        // In one bucket nothing is before or after.
        Some(_) => Vec::new(),
    };
    surges.retain(|change| change.at < observation.to);
    let cuts = phases::cuts(&taken, &surges);
    let stretches = phases::stretches(&series, &cuts, observation);
    let measurement = validity::measurement(record, &series, &stretches, observation);
    let first = cuts.first().map(|first| first.at);
    let baseline = baseline::until_lost(&series, observation, first, &plan.recovery);
    let evidence = Evidence {
        record,
        series: &series,
        observation,
        taken: &taken,
        surges: &surges,
        stretches: &stretches,
        baseline: &baseline,
        valid: measurement.validity == Validity::Valid,
    };
    let incidents = incident::incidents(&evidence);
    let whole = kinds::Whole {
        record,
        series: &series,
        observation,
    };
    let main_incident = incident::main(&incidents);
    let mut findings = Findings {
        baseline: evidence.service().as_ref().map(shown),
        phases: stretches
            .iter()
            .map(|stretch| phases::phase(record, &series, stretch))
            .collect(),
        kinds: kinds::kinds(&whole),
        urls: kinds::urls(&whole),
        whole_run: phases::whole(&stretches)
            .map(|stretch| Box::new(phases::phase(record, &series, &stretch))),
        exhaustion: exhaustion::windows(&series, observation),
        gauge_gaps: observed::gaps(&series, observation, plan),
        agents: agents::agents(record, &stretches),
        instances: (series.instances.len() + exhaustion::known(&series)) as u64,
        game_day: gameday::game_day(record, &journal::actions(&taken), &main_incident),
        incident: main_incident,
        incidents: incident::harmful(incidents),
        complete: observation.completed,
        conservation: conservation::conservation(&series),
        time_spent: {
            let seen = series.between(observation.from, observation.to);
            TimeSpent::of(&Totals::over(seen).operations)
        },
        interval_s: series.interval.as_secs_f64(),
        ..bare(record, &taken, measurement)
    };
    // The workers of the built-in fleet are measured.
    let measured = !series.instances.is_empty();
    let capacity = (!measured).then(|| capacity::infer(record, &series, observation));
    let known = capacity
        .as_ref()
        .and_then(|capacity| capacity.as_ref().ok());
    findings.steps = steps::steps(record, &series, known);
    match capacity {
        Some(Ok(capacity)) => {
            for (phase, stretch) in findings.phases.iter_mut().zip(&stretches) {
                let buckets = stretch.buckets(&series);
                phase.saturation_inferred = capacity::saturation(&capacity, buckets);
            }
            findings.inferred_capacity = Some(capacity);
        }
        Some(Err(why)) if !findings.steps.is_empty() => findings.no_capacity = Some(why.into()),
        _ => {}
    }
    let killed = conservation::warnings(record, &series);
    findings.warnings.extend(killed);
    findings.warnings.extend(refused::warnings(record));
    findings
        .warnings
        .extend(observation.cut_short(record.load_end()));
    findings.expectations = expectations::results(&expectations::Seen {
        record,
        series: &series,
        observation,
        stretches: &stretches,
        findings: &findings,
    });
    findings.verdict = verdict(record, &findings);
    findings.ending = Ending::of(record, &findings);
    findings.sentences = sentences::sentences(&findings);
    findings
}

/// What a load shows that was added up: as a whole, and its steps and capacity from the
/// slices.
pub(crate) fn load_findings(tallied: &Tallied) -> Findings {
    let whole = findings(&tallied.whole);
    let sliced = findings(&tallied.slices);
    let whole = with_windows(whole, &sliced, &tallied.whole);
    let mut findings = Findings {
        steps: sliced.steps,
        inferred_capacity: sliced.inferred_capacity,
        no_capacity: sliced.no_capacity,
        ..whole
    };
    // The sum counts what came after the load as well.
    let end = tallied.whole.load_end();
    if let Some(completed) = load::completed_per_s(&tallied.slices, end) {
        for phase in &mut findings.phases {
            phase.completed_per_s = Some(completed);
        }
    }
    findings
}

/// What was expected of windows, which only the slices can tell, in place of what was
/// found of them in one bucket; of a load that was cut off everything, since its one
/// bucket is not final.
fn with_windows(mut whole: Findings, sliced: &Findings, record: &Record) -> Findings {
    let expected = &record.header.plan.expectations;
    let mut any = false;
    let cut_off = !whole.complete;
    let results = whole.expectations.iter_mut().zip(&sliced.expectations);
    for ((own, of_slices), expectation) in results.zip(expected) {
        if cut_off || expectation.window.is_some() {
            *own = of_slices.clone();
            any = true;
        }
    }
    if any {
        whole.verdict = verdict(record, &whole);
        whole.ending = Ending::of(record, &whole);
        whole.sentences = sentences::sentences(&whole);
    }
    whole
}

/// What is known without any computation.
fn bare(record: &Record, taken: &[Taken<'_>], measurement: Measurement) -> Findings {
    let header = &record.header;
    Findings {
        format: FORMAT,
        scenario: header.plan.scenario.clone(),
        title: header.plan.title.clone(),
        claim: header.plan.claim.clone(),
        variant: header.plan.variant.clone(),
        backend: header.backend,
        seed: header.plan.seed,
        complete: false,
        machine: header.machine.clone(),
        story: header.plan.story,
        interval_s: 0.0,
        measurement,
        baseline: None,
        actions: journal::actions(taken),
        conservation: super::Conservation::default(),
        time_spent: None,
        phases: Vec::new(),
        kinds: Vec::new(),
        urls: Vec::new(),
        whole_run: None,
        exhaustion: Vec::new(),
        game_day: None,
        instances: 0,
        steps: Vec::new(),
        inferred_capacity: None,
        no_capacity: None,
        incident: super::Incident::default(),
        incidents: Vec::new(),
        steady_state_returned: journal::steady_state(record),
        expectations: Vec::new(),
        failures: failures::failures(record),
        accept_queue: failures::accept_queue(record),
        exchanged: wire::exchanged(record),
        scrape_failures: journal::scrape_failures(record),
        gauge_gaps: Vec::new(),
        warnings: journal::warnings(record),
        agents: None,
        sentences: Vec::new(),
        verdict: Verdict::Invalid,
        seeds: None,
        ending: Ending::default(),
        command: header.command.clone(),
    }
}

impl Baseline {
    /// The p99 of its response time, in milliseconds, where enough operations succeeded to
    /// tell it ([`crate::record::Histogram::told_quantile`]). It bounds what comes after either way.
    pub(super) fn told_p99_ms(&self) -> Option<f64> {
        let succeeded = self.goodput_per_s * (self.to_s - self.from_s);
        is_told(0.99, whole(succeeded.round())).then_some(self.response_p99_ms)
    }

    /// The same as words beside another: ` (12.0 ms before)` or nothing.
    pub(super) fn p99_before(&self) -> String {
        let told = self.told_p99_ms();
        told.map_or_else(String::new, |ms| format!(" ({} ms before)", decimal(ms, 1)))
    }
}

fn shown(service: &Service<'_>) -> Baseline {
    let baseline = service.bounds().baseline;
    Baseline {
        from_s: baseline.from.as_secs_f64(),
        to_s: baseline.to.as_secs_f64(),
        operations: baseline.operations.scheduled,
        offered_per_s: baseline.offered_per_s(),
        goodput_per_s: baseline.operations.succeeded as f64 / baseline.seconds(),
        error_share: baseline.error_share,
        response_p99_ms: super::totals::millis(baseline.p99),
        response_p99_marked: baseline.p99_marked,
        response_p99_allowed_ms: Some(super::totals::millis(baseline.slow_above)),
        smallest_loss: service.smallest_loss(),
    }
}

/// Invalid judges nothing; a run that was cut off has not shown what it was to show, and
/// one in which nothing succeeded has passed only where that was expected.
fn was_stopped(record: &Record) -> bool {
    let last = record.events.last();
    last.is_some_and(|(_, event)| match event {
        Event::RunEnded { cause } => matches!(cause, StopCause::Stopped { .. }),
        _ => false,
    })
}

fn verdict(record: &Record, findings: &Findings) -> Verdict {
    if findings.measurement.validity == Validity::Invalid {
        return Verdict::Invalid;
    }
    let mut expectations = findings.expectations.iter();
    // A run that leaves the target broken is no success.
    let broken = findings.steady_state_returned == Some(false);
    let broken = broken || findings.nothing_succeeded();
    // Whoever ends a game day has seen what there was to see.
    let whole = findings.complete || was_stopped(record);
    if whole && !broken && expectations.all(|result| result.passed == Some(true)) {
        Verdict::Passed
    } else {
        Verdict::Failed
    }
}
