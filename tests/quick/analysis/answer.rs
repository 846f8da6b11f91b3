//! The figures of the headline: one formula each, for sentences and for reports.

use threadbare::analysis::{Findings, Limiter, Measurement};
use threadbare::model::Cause;

use super::builder::founding_findings;

fn amplified(found: &mut Findings, place: usize, attempts: f64, probes: f64) {
    let phase = &mut found.phases[place];
    phase.attempts_per_operation = Some(attempts);
    phase.probes_per_operation = Some(probes);
}

#[test]
fn the_worst_phase_is_the_one_that_the_sentence_names() {
    let found = founding_findings();
    let worst = found.worst_amplification().unwrap();
    let named = format!("in the phase `{}`.", worst.phase.name);
    let told = found.sentences.iter();
    let mut told = told.filter(|told| told.starts_with("Retries led to"));
    assert!(told.next().unwrap().ends_with(&named));
}

#[test]
fn the_worst_phase_lies_after_the_trigger_and_is_the_first_of_equals() {
    let mut found = founding_findings();
    let last = found.phases.len() - 1;
    amplified(&mut found, 0, 99.0, 0.0); // before the trigger
    amplified(&mut found, 1, 20.0, 5.0);
    amplified(&mut found, last, 25.0, 0.0); // as much, and later
    let worst = found.worst_amplification().unwrap();
    assert_eq!((worst.phase, worst.times()), (&found.phases[1], 25.0));
    found.incident.trigger_s = None;
    let worst = found.worst_amplification().unwrap();
    assert_eq!((worst.phase, worst.times()), (&found.phases[0], 99.0));
    for phase in &mut found.phases {
        phase.attempts_per_operation = None;
    }
    assert_eq!(found.worst_amplification(), None);
}

#[test]
fn recovery_is_counted_from_the_rollback_where_it_ended_the_trigger() {
    let mut found = founding_findings();
    let recovery = found.recovery();
    assert!(recovery.after_rollback && found.incident.ended_by_rollback());
    assert_eq!(recovery.seen_s, found.incident.recovery_after_rollback_s);
    // Something else acted for longer.
    found.incident.trigger_off_s = Some(80.0);
    found.incident.recovery_after_trigger_off_s = Some(13.0);
    let recovery = found.recovery();
    assert!(!recovery.after_rollback && !found.incident.ended_by_rollback());
    assert_eq!(recovery.seen_s, Some(13.0));
    // Never off: a rollback is what a push lacks, and nothing else does.
    found.incident.trigger_off_s = None;
    found.incident.rollback_applied_s = None;
    assert!(!found.incident.ended_by_rollback());
    for (trigger, after_rollback) in [
        (None, true),
        (Some(Cause::Push), true),
        (Some(Cause::Surge), false),
    ] {
        found.incident.trigger = trigger;
        assert_eq!(found.recovery().after_rollback, after_rollback);
    }
}

#[test]
fn all_windows_together_are_told_once() {
    let mut found = founding_findings();
    let all = found.exhausted().unwrap();
    let longest = found.exhaustion.iter().map(|it| it.to_s - it.from_s);
    assert_eq!(Some(all.longest_s), longest.reduce(f64::max));
    assert!(all.instances.is_sorted() && all.instances.len() as u64 <= found.instances);
    assert!(all.from_s < all.to_s);
    found.exhaustion.clear();
    assert_eq!(found.exhausted(), None);
    let scheduled = found.conservation.scheduled as f64;
    let lost = found.conservation.lost() as f64;
    assert_eq!(found.conservation.lost_share(), lost / scheduled);
}

#[test]
fn a_closed_loop_is_limited_by_what_is_busiest_on_its_way() {
    let measurement = founding_findings().measurement;
    for (generator, machine, limiter) in [
        (Some(0.95), Some(0.99), Limiter::Generator),
        (Some(0.5), Some(0.95), Limiter::Machine),
        (Some(0.5), Some(0.5), Limiter::Target),
        (None, None, Limiter::Target),
    ] {
        let measurement = Measurement {
            generator_busy: generator,
            generator_delayed: None,
            machine_busy_max: machine,
            ..measurement.clone()
        };
        assert_eq!(measurement.limiter(), limiter);
    }
}
