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
use crate::units::Nanos;

/// The settings a document may hold, with the values each may take.
pub const KNOWN_SETTINGS: [(&str, &[&str]); 2] = [
    ("authorization.verification", &["awaited", "detached"]),
    ("authorization.unverified", &["deny", "allow", "hang"]),
];

/// What a configuration document sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Whether handlers wait for the verification.
    pub verification: Verification,
    /// What they make of a missing result.
    pub unverified: Unverified,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Document {
    /// Which version it is, in words.
    #[must_use]
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the check `{}`: {}", self.check, self.reason)
    }
}

/// The check that settings exist and have allowed values.
const CHECK_SETTINGS: &str = "settings known";
/// The check that a document's schema is not older than the newest accepted.
const CHECK_SCHEMA: &str = "schema current";
/// The advisory check that the tests were run.
const CHECK_TESTED: &str = "tests run";

/// The configuration release system: its history and its checks.
#[derive(Debug, Clone)]
pub struct Release {
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
    /// The enforced checks that an action can waive, by name.
    pub const CHECKS: [&str; 2] = [CHECK_SETTINGS, CHECK_SCHEMA];

    /// A system whose version 1 sets `settings`, in schema 1.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
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
        };
        Self {
            history: vec![first],
            active: 0,
            waived: Vec::new(),
        }
    }

    /// The document in force.
    #[must_use]
    pub fn active(&self) -> &Document {
        &self.history[self.active]
    }

    /// Every accepted document, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Document] {
        &self.history
    }

    /// Releases the active settings with some changed, in `schema` or, where
    /// that is none, in the active schema.
    ///
    /// # Errors
    ///
    /// The refusal of an enforced check; nothing has changed then.
    pub fn push(
        &mut self,
        now: Nanos,
        author: &str,
        set: &BTreeMap<String, String>,
        schema: Option<u32>,
        tested: bool,
    ) -> Result<&Document, Refusal> {
        let active = self.active();
        let schema = schema.unwrap_or(active.schema);
        let mut settings = active.settings;
        for (key, value) in set {
            settings = settings.with(key, value).map_err(|reason| Refusal {
                check: CHECK_SETTINGS.into(),
                reason,
            })?;
        }
        self.accept(now, author, settings, schema, tested, None)
    }

    /// Restores the settings and schema of the version before the active one,
    /// as a new version, through the same checks.
    ///
    /// # Errors
    ///
    /// The refusal of an enforced check, or that there is nothing to roll back
    /// to; nothing has changed then.
    pub fn rollback(&mut self, now: Nanos, author: &str) -> Result<&Document, Refusal> {
        let Some(previous) = self.active.checked_sub(1) else {
            return Err(Refusal {
                check: "history".into(),
                reason: "there is no earlier version to roll back to".into(),
            });
        };
        let Document {
            settings,
            schema,
            tested,
            version,
            ..
        } = self.history[previous].clone();
        self.accept(now, author, settings, schema, tested, Some(version))
    }

    /// From now on the check is advisory: the way past a refusal, taken knowingly.
    ///
    /// # Errors
    ///
    /// The refusal, where no check has that name.
    pub fn waive(&mut self, check: &str) -> Result<(), Refusal> {
        if !Self::CHECKS.contains(&check) {
            return Err(Refusal {
                check: check.into(),
                reason: format!(
                    "no check has this name; there are {}",
                    Self::CHECKS.join(", ")
                ),
            });
        }
        self.waived.push(check.to_owned());
        Ok(())
    }

    fn accept(
        &mut self,
        now: Nanos,
        author: &str,
        settings: Settings,
        schema: u32,
        tested: bool,
        restores: Option<u32>,
    ) -> Result<&Document, Refusal> {
        let newest = self.history.iter().map(|d| d.schema).max().unwrap_or(1);
        let schema_enforced = !self.waived.iter().any(|waived| waived == CHECK_SCHEMA);
        if schema < newest && schema_enforced {
            let what = restores.map_or_else(
                || "the document".to_owned(),
                |version| format!("version {version}, which would be restored,"),
            );
            return Err(Refusal {
                check: CHECK_SCHEMA.into(),
                reason: format!(
                    "{what} is written in schema {schema}, and the checks demand schema {newest} \
                     since version {} was accepted",
                    self.version_that_raised_the_schema(newest)
                ),
            });
        }
        let result = |check: &str, passed, enforced| CheckResult {
            check: check.to_owned(),
            passed,
            enforced,
        };
        let document = Document {
            version: u32::try_from(self.history.len()).unwrap_or(u32::MAX - 1) + 1,
            restores,
            author: author.to_owned(),
            at: now,
            schema,
            tested,
            settings,
            hash: hash(schema, settings),
            checks: vec![
                result(CHECK_SETTINGS, true, true),
                result(CHECK_SCHEMA, schema >= newest, schema_enforced),
                result(CHECK_TESTED, tested, false),
            ],
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

    let text = format!("{schema} {settings:?}");
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
            .push(Nanos(1), "ops", &detached(), Some(2), false)
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
        assert_eq!(restored.hash, release.history()[0].hash);
    }

    #[test]
    fn a_rollback_within_one_schema_is_accepted() {
        let mut release = Release::default();
        release
            .push(Nanos(1), "ops", &detached(), None, false)
            .unwrap();
        assert_eq!(
            release.rollback(Nanos(2), "ops").unwrap().settings,
            Settings::default()
        );
    }

    #[test]
    fn unknown_settings_values_and_checks_are_refused() {
        let mut release = Release::default();
        for (key, value) in [("authorization.verification", "maybe"), ("colour", "red")] {
            let set = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let refusal = release.push(Nanos(1), "ops", &set, None, true).unwrap_err();
            assert_eq!(refusal.check, "settings known");
        }
        assert!(release.rollback(Nanos(1), "ops").is_err()); // nothing to go back to
        assert!(release.waive("gravity").is_err());
        assert_eq!(release.history().len(), 1);
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
