//! How bad a loss was, in words that fit its size.

use super::expectations::decimal;
use super::findings::Baseline;
use super::harm::Harm;
use super::sentences::percent;

/// Goodput below this share of the baseline's is called an outage: fewer than half of
/// the users are served, which is also the default bound of "mitigated".
pub(super) const OUTAGE_BELOW: f64 = 0.5;
/// Outages that fill this share of a time are one.
const UNBROKEN: f64 = 0.9;
/// Load that differs by more than this share makes rates of goodput no comparison.
pub(super) const SAME_LOAD: f64 = 0.1;

/// In the place of a p99 that is not the target's.
pub(super) const NOT_MEASURED: &str =
    "p99 was not measured, since more than a tenth of it is the generator's own lag";

/// Harm beside what was usual.
pub(super) struct Sized<'a> {
    pub(super) harm: &'a Harm,
    pub(super) baseline: &'a Baseline,
    /// Whether its length is worth telling.
    pub(super) part: bool,
}

impl Sized<'_> {
    fn is_outage(&self) -> bool {
        let usual = self.baseline.goodput_per_s / self.baseline.offered_per_s;
        let share = self.harm.goodput_per_s / self.harm.offered_per_s / usual;
        share < OUTAGE_BELOW
    }

    fn seconds(&self) -> String {
        decimal(self.harm.to_s - self.harm.from_s, 1)
    }

    fn verb(&self) -> &'static str {
        match (self.harm.latency_alone, self.is_outage()) {
            (true, _) => "slowed service",
            (false, true) if self.is_broken() => "caused outages",
            (false, true) => "caused an outage",
            (false, false) => "degraded service",
        }
    }

    /// Whether service was out several times and not throughout.
    fn is_broken(&self) -> bool {
        let length = self.harm.to_s - self.harm.from_s;
        self.harm.outages > 1 && self.harm.outages_s < UNBROKEN * length
    }

    /// The verb, and for how long where that is worth telling.
    pub(super) fn verb_of(&self) -> String {
        let verb = self.verb();
        match (self.part, self.is_outage() && !self.is_broken()) {
            (false, _) => verb.into(),
            (true, true) => format!("{verb} of {} s", self.seconds()),
            (true, false) => format!("{verb} for {} s", self.seconds()),
        }
    }

    pub(super) fn noun(&self) -> String {
        let noun = match (self.harm.latency_alone, self.is_outage()) {
            (true, _) => "operations were slow",
            (false, true) if self.is_broken() => "outages",
            (false, true) => "an outage",
            (false, false) => "degraded service",
        };
        let of = if self.is_outage() && !self.is_broken() {
            "of"
        } else {
            "for"
        };
        let length = if self.part {
            format!(" {of} {} s", self.seconds())
        } else {
            String::new()
        };
        let rates = self.rates();
        format!("{noun}{length}{}", rates.replacen(':', ";", 1))
    }

    pub(super) fn rates(&self) -> String {
        let (harm, baseline) = (self.harm, self.baseline);
        if harm.latency_alone {
            let marked = harm.response_p99_marked || baseline.response_p99_marked;
            let p99 = match harm.response_p99_ms {
                None => "more than one in a hundred operations took too long".into(),
                Some(_) if marked => NOT_MEASURED.into(),
                Some(p99) => match baseline.told_p99_ms() {
                    Some(before) => format!(
                        "p99 went from {} ms to {} ms",
                        decimal(before, 1),
                        decimal(p99, 1)
                    ),
                    None => format!("p99 went to {} ms", decimal(p99, 1)),
                },
            };
            let succeeded = 1.0 - harm.error_share.unwrap_or(0.0);
            return format!(
                ": {p99}, and {} of the operations succeeded",
                percent(succeeded)
            );
        }
        let before = baseline.offered_per_s;
        let failed = percent(harm.error_share.unwrap_or(0.0));
        let goodput = if same_load(harm.offered_per_s, baseline) {
            format!(
                "goodput went from {:.0}/s to {:.0}/s",
                baseline.goodput_per_s, harm.goodput_per_s
            )
        } else {
            format!(
                "goodput was {:.0}/s of {:.0}/s offered ({:.0}/s of {before:.0}/s before)",
                harm.goodput_per_s, harm.offered_per_s, baseline.goodput_per_s
            )
        };
        format!(": {goodput}, and {failed} of the operations ended without success")
    }
}

/// Whether so many operations per second are as many as in the baseline.
pub(super) fn same_load(offered_per_s: f64, baseline: &Baseline) -> bool {
    let before = baseline.offered_per_s;
    (offered_per_s - before).abs() <= SAME_LOAD * before
}
