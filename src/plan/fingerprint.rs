//! The fingerprint of a plan: whether what was measured of a scenario is of the scenario as
//! it is now.
//!
//! It is of the plan as it was read, and not of the file: a comment, a sentence, an order of
//! keys or a default that is written out changes nothing of what a run does, and a default of
//! threadbare that became another one changes it all.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Plan;

impl Plan {
    /// A digest of what decides the plan's outcome, as 32 hexadecimal digits. Texts, the seed
    /// and the incident's own clock decide none, and of what is expected only what ends a run
    /// early does. A variant has that of a scenario that is written so.
    pub fn fingerprint(&self) -> String {
        let mut deciding = Self {
            scenario: String::new(),
            title: String::new(),
            claim: String::new(),
            source: String::new(),
            mechanism: String::new(),
            seen: Vec::new(),
            variant: None,
            seed: 0,
            story: None,
            ..self.clone()
        };
        deciding.expectations.retain(|it| it.abort);
        digest(&deciding)
    }

    /// A digest of what is expected of the plan, likewise.
    pub fn expected(&self) -> String {
        digest(&self.expectations)
    }
}

/// A digest of this, as 32 hexadecimal digits.
fn digest(of: &impl Serialize) -> String {
    // As a value its keys are in the order of the alphabet, however they are declared.
    let value = serde_json::to_value(of).expect("run.json holds every plan as JSON");
    let digest = Sha256::digest(value.to_string());
    let head: [u8; 16] = std::array::from_fn(|place| digest[place]);
    format!("{:032x}", u128::from_be_bytes(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Expectation, FailuresOf, IncidentVerdict, Variant, Word};
    use crate::plan::{Bound, Figure};
    use crate::units::Nanos;

    fn expected(abort: bool) -> Expectation {
        Expectation {
            that: Figure::IncidentVerdict,
            phase: None,
            window: None,
            kind: None,
            of: FailuresOf::default(),
            bound: Bound::Is(Word::Verdict(IncidentVerdict::Metastable)),
            abort,
            share: None,
        }
    }

    #[test]
    fn what_is_told_is_no_other_plan_and_what_is_done_is() {
        let plan = Plan::default();
        let own = plan.fingerprint();
        assert_eq!(own.len(), 32);
        let retold = Plan {
            scenario: "b".into(),
            title: "another".into(),
            claim: "It does.".into(),
            source: "a paper".into(),
            mechanism: "retries".into(),
            seen: vec!["it is slow".into()],
            variant: Some(Variant::default()),
            seed: 9,
            expectations: vec![expected(false)],
            ..plan.clone()
        };
        assert_eq!(retold.fingerprint(), own);
        let mut faster = plan.clone();
        faster.load.connections += 1;
        let longer = Plan {
            end: Nanos(1),
            ..plan.clone()
        };
        let ends_early = Plan {
            expectations: vec![expected(true)],
            ..plan
        };
        let mut all = vec![own];
        all.extend([faster, longer, ends_early].iter().map(Plan::fingerprint));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4, "{all:?}");
    }
}
