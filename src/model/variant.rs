//! A variant of a scenario: a change that would have prevented or ended the incident, by
//! its name. What it changes is done before a plan is made; a plan only says which it is of.

use serde::{Deserialize, Serialize};

/// What makes a plan a variant of its scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What is different, in one sentence.
    pub about: String,
    /// The keys that have other values, as `--set` takes them.
    pub set: Vec<String>,
}

impl Variant {
    /// Its name and what is different, as one line.
    pub fn line(&self) -> String {
        match self.about.as_str() {
            "" => self.name.clone(),
            about => format!("{}: {about}", self.name),
        }
    }
}
