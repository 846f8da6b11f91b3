//! Configuration release: versions, checks, push, rollback, refusal.
//!
//! A rollback goes through the same security checks as a push. It can be
//! refused for a reason that nobody intended: the checks demand the newest
//! schema ever accepted, and the version being restored may predate it. Nothing
//! here is told to refuse; the refusal follows from the documents.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Unverified, Verification};
use crate::units::{Nanos, Ratio};

/// The settings a document may hold, with the values each may take.
pub(crate) const KNOWN_SETTINGS: [(&str, &[&str]); 3] = [
    ("authorization.verification", &["awaited", "detached"]),
    ("authorization.unverified", &["deny", "allow", "hang"]),
    (TELEMETRY_SETTING, &["off", "on"]),
];

/// The setting that lets instances collect telemetry.
pub(crate) const TELEMETRY_SETTING: &str = "telemetry";

/// Whether instances collect telemetry from the identity service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telemetry {
    /// They do not.
    #[default]
    Off,
    /// They do, as the fleet's [`TelemetrySpec`](super::TelemetrySpec) says.
    On,
}

impl Telemetry {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// What a configuration document sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Whether handlers wait for the verification.
    pub verification: Verification,
    /// What they make of a missing result.
    pub unverified: Unverified,
    /// Whether instances collect telemetry.
    #[serde(default, skip_serializing_if = "Telemetry::is_off")]
    pub telemetry: Telemetry,
}

impl Settings {
    /// These settings with one changed.
    ///
    /// # Errors
    ///
    /// One sentence, where the key or the value is unknown.
    pub fn with(mut self, key: &str, value: &str) -> Result<Self, String> {
        match (key, value) {
            ("authorization.verification", "awaited") => self.verification = Verification::Awaited,
            ("authorization.verification", "detached") => {
                self.verification = Verification::Detached;
            }
            ("authorization.unverified", "deny") => self.unverified = Unverified::Deny,
            ("authorization.unverified", "allow") => self.unverified = Unverified::Allow,
            ("authorization.unverified", "hang") => self.unverified = Unverified::Hang,
            (TELEMETRY_SETTING, "off") => self.telemetry = Telemetry::Off,
            (TELEMETRY_SETTING, "on") => self.telemetry = Telemetry::On,
            _ => {
                let values = KNOWN_SETTINGS.iter().find(|(known, _)| *known == key);
                return Err(match values {
                    Some((_, values)) => {
                        format!("`{key}` is one of {}, not `{value}`", values.join(", "))
                    }
                    None => format!("there is no setting `{key}`"),
                });
            }
        }
        Ok(self)
    }
}

/// One check's result on one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's name.
    pub check: String,
    /// Whether the document passed it.
    pub passed: bool,
    /// Whether failing it refuses the document; an advisory check is only noted.
    pub enforced: bool,
}

/// A version of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// 1 for the first, one more for each accepted change.
    pub version: u32,
    /// The version it restores, where it came by rollback.
    pub restores: Option<u32>,
    /// Who released it.
    pub author: String,
    /// When, since the start of the run.
    pub at: Nanos,
    /// The schema it is written in.
    pub schema: u32,
    /// Whether its author ran the tests.
    pub tested: bool,
    /// What it sets.
    pub settings: Settings,
    /// SHA-256 of schema and settings, in hexadecimal.
    pub hash: String,
    /// The checks it went through.
    pub checks: Vec<CheckResult>,
    /// The share of the instances that it is in force on; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Ratio>,
}

impl Document {
    /// On how many instances of `all` it is in force, from the first on: its
    /// share rounded up, and one at least.
    pub fn instances(&self, all: usize) -> usize {
        /// What a share such as one in 49 loses by being a binary fraction.
        const ROUNDING: f64 = 1e-9;
        let Some(share) = self.canary else { return all };
        let covered = |count: &usize| *count as f64 + ROUNDING >= share.get() * all as f64;
        (1..all).find(covered).unwrap_or(all)
    }

    /// Which version it is, and where it is in force, in words, in a fleet of
    /// so many instances.
    pub fn named_in(&self, all: usize) -> String {
        let named = self.named();
        match self.canary {
            None => named,
            Some(_) => format!("{named}, on {} of {all} instances", self.instances(all)),
        }
    }

    /// Which version it is, in words.
    pub fn named(&self) -> String {
        let restores = self.restores.map_or_else(String::new, |version| {
            format!(", which restores version {version}")
        });
        format!("version {}{restores}", self.version)
    }
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The check that refused it.
    pub check: String,
    /// The reason, in one sentence.
    pub reason: String,
}

impl Refusal {
    fn by(check: &str, reason: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the check `{}`: {}", self.check, self.reason)
    }
}

/// The check that settings exist and have allowed values.
const CHECK_SETTINGS: &str = "settings known";
/// The check that a document's schema is not older than the newest accepted.
const CHECK_SCHEMA: &str = "schema current";
/// The check that the tests were run: advisory, unless the policy demands it.
const CHECK_TESTED: &str = "tests run";
/// The check that the identity service has verified who releases.
const CHECK_RELEASER: &str = "releaser verified";

/// What the release system demands besides what it always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReleasePolicy {
    /// Whether a document whose author did not run the tests is refused.
    pub require_tests: bool,
    /// Within how long the identity service must have verified who releases: a push
    /// and a rollback are refused otherwise. None: nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_within: Option<Nanos>,
}

impl ReleasePolicy {
    /// Whether it demands nothing.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The configuration release system: its history and its checks.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    policy: ReleasePolicy,
    history: Vec<Document>,
    active: usize,
    waived: Vec<String>,
}

impl Default for Release {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Release {
    /// The checks that an action can waive, by name.
    pub(crate) const CHECKS: [&str; 4] =
        [CHECK_SETTINGS, CHECK_SCHEMA, CHECK_TESTED, CHECK_RELEASER];

    /// A system whose version 1 sets `settings`, in schema 1.
    pub(crate) fn new(settings: Settings) -> Self {
        let first = Document {
            version: 1,
            restores: None,
            author: "release".into(),
            at: Nanos::ZERO,
            schema: 1,
            tested: true,
            settings,
            hash: hash(1, settings),
            checks: Vec::new(),
            canary: None,
        };
        Self {
            policy: ReleasePolicy::default(),
            history: vec![first],
            active: 0,
            waived: Vec::new(),
        }
    }

    /// This system under another policy.
    pub(crate) const fn under(mut self, policy: ReleasePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The document released last: in force, where it is a canary on its
    /// instances only.
    pub(crate) fn active(&self) -> &Document {
        &self.history[self.active]
    }

    /// The settings in force on the instance at this place of so many: those of
    /// the last document that reached it.
    pub(crate) fn settings_of(&self, index: usize, all: usize) -> Settings {
        let released = self.history[..=self.active].iter().rev();
        released
            .filter(|document| index < document.instances(all))
            .map(|document| document.settings)
            .next()
            .expect("the first version reaches every instance")
    }

    /// Releases the active settings with some changed, in `schema` or, where
    /// that is none, in the active schema; to the share `canary` of the
    /// instances or, where that is none, to all.
    ///
    /// # Errors
    ///
    /// The refusal of an enforced check; nothing has changed then.
    pub(crate) fn push(
        &mut self,
        now: Nanos,
        author: &str,
        set: &BTreeMap<String, String>,
        schema: Option<u32>,
        tested: bool,
        canary: Option<Ratio>,
    ) -> Result<&Document, Refusal> {
        let active = self.active();
        let mut settings = active.settings;
        for (key, value) in set {
            let with = settings.with(key, value);
            settings = with.map_err(|reason| Refusal::by(CHECK_SETTINGS, reason))?;
        }
        let draft = Document {
            at: now,
            author: author.to_owned(),
            schema: schema.unwrap_or(active.schema),
            settings,
            tested,
            restores: None,
            canary,
            ..active.clone()
        };
        self.accept(draft)
    }

    /// Restores the settings and schema of the last version before the active
    /// one that was in force everywhere, as a new version and everywhere,
    /// through the same checks.
    ///
    /// # Errors
    ///
    /// The refusal of an enforced check, or that there is nothing to roll back
    /// to; nothing has changed then.
    pub(crate) fn rollback(&mut self, now: Nanos, author: &str) -> Result<&Document, Refusal> {
        let before = self.history[..self.active].iter();
        let Some(previous) = before.rev().find(|document| document.canary.is_none()) else {
            let reason = "there is no earlier version to roll back to";
            return Err(Refusal::by("history", reason));
        };
        let draft = Document {
            at: now,
            author: author.to_owned(),
            restores: Some(previous.version),
            ..previous.clone()
        };
        self.accept(draft)
    }

    /// From now on the check is advisory: the way past a refusal, taken knowingly.
    ///
    /// # Errors
    ///
    /// The refusal, where no check has that name.
    pub(crate) fn waive(&mut self, check: &str) -> Result<(), Refusal> {
        if !Self::CHECKS.contains(&check) {
            let checks = Self::CHECKS.join(", ");
            let reason = format!("no check has this name; there are {checks}");
            return Err(Refusal::by(check, reason));
        }
        self.waived.push(check.to_owned());
        Ok(())
    }

    /// Within how long who releases must have been verified; none where nobody is asked,
    /// or the check is waived.
    pub(crate) fn verified_within(&self) -> Option<Nanos> {
        let waived = self.waived.iter().any(|waived| waived == CHECK_RELEASER);
        self.policy.verified_within.filter(|_| !waived)
    }

    /// What comes of a release whose author was not verified in time.
    pub(crate) fn unverified(within: Nanos) -> Refusal {
        let reason =
            format!("the identity service did not verify within {within} who releases this");
        Refusal::by(CHECK_RELEASER, reason)
    }

    fn accept(&mut self, draft: Document) -> Result<&Document, Refusal> {
        let (schema, tested) = (draft.schema, draft.tested);
        let newest = self.history.iter().map(|d| d.schema).max().unwrap_or(1);
        let waived = |check| self.waived.iter().any(|waived| waived == check);
        let schema_enforced = !waived(CHECK_SCHEMA);
        let tested_enforced = self.policy.require_tests && !waived(CHECK_TESTED);
        let what = draft.restores.map_or_else(
            || "the document".to_owned(),
            |version| format!("version {version}, which would be restored,"),
        );
        if !tested && tested_enforced {
            let reason = format!("{what} has not been through the tests");
            return Err(Refusal::by(CHECK_TESTED, reason));
        }
        if schema < newest && schema_enforced {
            let reason = format!(
                "{what} is written in schema {schema}, and the checks demand schema {newest} since \
                 version {} was accepted",
                self.version_that_raised_the_schema(newest)
            );
            return Err(Refusal::by(CHECK_SCHEMA, reason));
        }
        let result = |check: &str, passed, enforced| CheckResult {
            check: check.to_owned(),
            passed,
            enforced,
        };
        let document = Document {
            version: u32::try_from(self.history.len()).unwrap_or(u32::MAX - 1) + 1,
            hash: hash(schema, draft.settings),
            checks: vec![
                result(CHECK_SETTINGS, true, true),
                result(CHECK_SCHEMA, schema >= newest, schema_enforced),
                result(CHECK_TESTED, tested, tested_enforced),
            ],
            ..draft
        };
        self.history.push(document);
        self.active = self.history.len() - 1;
        Ok(self.active())
    }

    fn version_that_raised_the_schema(&self, schema: u32) -> u32 {
        self.history
            .iter()
            .find(|document| document.schema == schema)
            .map_or(1, |document| document.version)
    }
}

/// SHA-256 over the content of a document, in hexadecimal.
fn hash(schema: u32, settings: Settings) -> String {
    use std::fmt::Write as _;

    let Settings {
        verification,
        unverified,
        telemetry,
    } = settings;
    // What has been added since is left out where it is off: a document has the hash that
    // it always had.
    let telemetry = match telemetry {
        Telemetry::Off => "",
        Telemetry::On => ", telemetry: On",
    };
    let text = format!(
        "{schema} Settings {{ verification: {verification:?}, unverified: {unverified:?}{telemetry} }}"
    );
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detached() -> BTreeMap<String, String> {
        BTreeMap::from([("authorization.verification".into(), "detached".into())])
    }

    #[test]
    fn a_rollback_behind_the_schema_is_refused_and_changes_nothing() {
        let mut release = Release::default();
        release
            .push(Nanos(1), "ops", &detached(), Some(2), false, None)
            .unwrap();
        let refusal = release.rollback(Nanos(2), "ops").unwrap_err();
        insta::assert_snapshot!(refusal);
        assert_eq!(release.active().version, 2);
        assert_eq!(
            release.active().settings.verification,
            Verification::Detached
        );

        release.waive("schema current").unwrap();
        let restored = release.rollback(Nanos(3), "ops").unwrap().clone();
        assert_eq!((restored.version, restored.restores), (3, Some(1)));
        assert_eq!(restored.settings, Settings::default());
        assert_eq!(restored.hash, release.history[0].hash);
    }

    #[test]
    fn a_rollback_within_one_schema_is_accepted() {
        let mut release = Release::default();
        release
            .push(Nanos(1), "ops", &detached(), None, false, None)
            .unwrap();
        assert_eq!(
            release.rollback(Nanos(2), "ops").unwrap().settings,
            Settings::default()
        );
    }

    #[test]
    fn a_canary_reaches_its_share_of_the_instances_and_a_rollback_all_of_them() {
        let verifications = |release: &Release, all: usize| -> Vec<bool> {
            let settings = (0..all).map(|index| release.settings_of(index, all));
            settings
                .map(|settings| settings.verification == Verification::Detached)
                .collect()
        };
        let mut release = Release::default();
        let canary = Ratio::new(0.3); // of 4: 1.2, rounded up
        let pushed = release.push(Nanos(1), "ops", &detached(), None, true, canary);
        assert_eq!(
            pushed.unwrap().named_in(4),
            "version 2, on 2 of 4 instances"
        );
        assert_eq!(verifications(&release, 4), [true, true, false, false]);
        // A wider canary of the same change, and then the way back from both.
        let wider = Ratio::new(0.75);
        let pushed = release.push(Nanos(2), "ops", &detached(), None, true, wider);
        assert_eq!(pushed.unwrap().version, 3);
        assert_eq!(verifications(&release, 4), [true, true, true, false]);
        let restored = release.rollback(Nanos(3), "ops").unwrap().clone();
        assert_eq!((restored.version, restored.restores), (4, Some(1)));
        assert_eq!(restored.named_in(4), "version 4, which restores version 1");
        assert_eq!(verifications(&release, 4), [false; 4]);
    }

    #[test]
    fn a_canary_is_one_instance_at_least() {
        let mut release = Release::default();
        for all in 1..200_usize {
            let one = Ratio::new(1.0 / all as f64);
            let pushed = release.push(Nanos(1), "ops", &detached(), None, true, one);
            assert_eq!(pushed.unwrap().instances(all), 1, "{all}");
        }
        let none = Ratio::new(0.0);
        let pushed = release.push(Nanos(1), "ops", &detached(), None, true, none);
        assert_eq!(pushed.unwrap().instances(10), 1);
    }

    #[test]
    fn the_tests_are_demanded_where_the_policy_says_so_and_can_be_waived() {
        let mut release = Release::default().under(ReleasePolicy {
            require_tests: true,
            ..ReleasePolicy::default()
        });
        let refusal = release
            .push(Nanos(1), "ops", &detached(), None, false, None)
            .unwrap_err();
        insta::assert_snapshot!(refusal, @"refused by the check `tests run`: the document has not been through the tests");
        assert!(
            release
                .push(Nanos(1), "ops", &detached(), None, true, None)
                .is_ok()
        );
        release.waive("tests run").unwrap();
        let pushed = release.push(Nanos(2), "ops", &detached(), None, false, None);
        let result = pushed.unwrap().checks.last().unwrap().clone();
        assert_eq!((result.passed, result.enforced), (false, false));
    }

    #[test]
    fn who_releases_is_verified_until_that_is_waived() {
        let second = Nanos::from_secs(1);
        assert_eq!(Release::default().verified_within(), None);
        let mut release = Release::default().under(ReleasePolicy {
            verified_within: Some(second),
            ..ReleasePolicy::default()
        });
        assert_eq!(release.verified_within(), Some(second));
        insta::assert_snapshot!(Release::unverified(second), @"refused by the check `releaser verified`: the identity service did not verify within 1s who releases this");
        release.waive("releaser verified").unwrap();
        assert_eq!(release.verified_within(), None);
    }

    #[test]
    fn a_setting_that_is_off_leaves_a_document_its_hash() {
        let off = Settings::default();
        let on = off.with(TELEMETRY_SETTING, "on").unwrap();
        assert_ne!(hash(1, off), hash(1, on));
        let before = "1 Settings { verification: Awaited, unverified: Deny }";
        let before: Vec<String> = Sha256::digest(before.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash(1, off), before.concat());
        assert!(!serde_json::to_string(&off).unwrap().contains("telemetry"));
    }

    #[test]
    fn unknown_settings_values_and_checks_are_refused() {
        let mut release = Release::default();
        for (key, value) in [("authorization.verification", "maybe"), ("colour", "red")] {
            let set = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let refusal = release
                .push(Nanos(1), "ops", &set, None, true, None)
                .unwrap_err();
            assert_eq!(refusal.check, "settings known");
        }
        assert!(release.rollback(Nanos(1), "ops").is_err()); // nothing to go back to
        assert!(release.waive("gravity").is_err());
        assert_eq!(release.history.len(), 1);
    }

    #[test]
    fn every_known_setting_can_be_set() {
        for (key, values) in KNOWN_SETTINGS {
            for value in values {
                assert!(
                    Settings::default().with(key, value).is_ok(),
                    "{key} = {value}"
                );
            }
        }
    }
}
