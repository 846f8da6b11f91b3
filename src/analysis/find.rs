//! The whole analysis in order: from a record to its findings.

use super::findings::{Baseline, Findings, Measurement, Validity, Verdict};
use super::incident::Evidence;
use super::journal::Taken;
use super::{
    capacity, conservation, exhaustion, expectations, failures, incident, journal, observation,
    phases,
};
use super::{recovery, sentences, series, validity, wire};
use crate::record::Record;

/// The version of the findings' format.
const FORMAT: u32 = 1;

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
    let baseline = recovery::baseline(&series, observation, first, &plan.recovery);
    let evidence = Evidence {
        record,
        series: &series,
        observation,
        taken: &taken,
        surges: &surges,
        baseline: &baseline,
        valid: measurement.validity == Validity::Valid,
    };
    let mut findings = Findings {
        baseline: baseline.as_ref().ok().map(shown),
        phases: stretches
            .iter()
            .map(|stretch| phases::phase(record, &series, stretch))
            .collect(),
        exhaustion: exhaustion::windows(&series, observation),
        instances: (series.instances.len() + exhaustion::known(&series)) as u64,
        incident: incident::incident(&evidence),
        complete: observation.completed,
        conservation: conservation::conservation(&series),
        interval_s: series.interval.as_secs_f64(),
        ..bare(record, &taken, measurement)
    };
    if let Some(capacity) = capacity::infer(record, &series, observation) {
        for (phase, stretch) in findings.phases.iter_mut().zip(&stretches) {
            phase.saturation_inferred = capacity::saturation(&capacity, stretch.buckets(&series));
        }
        findings.inferred_capacity = Some(capacity);
    }
    let killed = conservation::warnings(record, &series);
    findings.warnings.extend(killed);
    findings
        .warnings
        .extend(observation.cut_short(record.load_end()));
    findings.expectations = expectations::results(&findings, &plan.expectations);
    findings.verdict = verdict(&findings);
    findings.sentences = sentences::sentences(&findings);
    findings
}

/// What is known without any computation.
fn bare(record: &Record, taken: &[Taken<'_>], measurement: Measurement) -> Findings {
    let header = &record.header;
    Findings {
        format: FORMAT,
        scenario: header.plan.scenario.clone(),
        title: header.plan.title.clone(),
        claim: header.plan.claim.clone(),
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
        phases: Vec::new(),
        exhaustion: Vec::new(),
        instances: 0,
        inferred_capacity: None,
        incident: super::Incident::default(),
        steady_state_returned: journal::steady_state(record),
        expectations: Vec::new(),
        failures: failures::failures(record),
        accept_queue: failures::accept_queue(record),
        exchanged: wire::exchanged(record),
        scrape_failures: journal::scrape_failures(record),
        warnings: journal::warnings(record),
        sentences: Vec::new(),
        verdict: Verdict::Invalid,
    }
}

fn shown(baseline: &recovery::Baseline) -> Baseline {
    Baseline {
        from_s: baseline.from.as_secs_f64(),
        to_s: baseline.to.as_secs_f64(),
        operations: baseline.operations.scheduled,
        offered_per_s: baseline.offered_per_s(),
        goodput_per_s: baseline.operations.succeeded as f64 / baseline.seconds(),
        error_share: baseline.error_share,
        response_p99_ms: super::totals::millis(baseline.p99),
    }
}

/// Invalid judges nothing; a run that was cut off has not shown what it was to show.
fn verdict(findings: &Findings) -> Verdict {
    if findings.measurement.validity == Validity::Invalid {
        return Verdict::Invalid;
    }
    let mut expectations = findings.expectations.iter();
    // A run that leaves the target broken is no success.
    let broken = findings.steady_state_returned == Some(false);
    if findings.complete && !broken && expectations.all(|result| result.passed == Some(true)) {
        Verdict::Passed
    } else {
        Verdict::Failed
    }
}
