//! `threadbare faults`: the faults of the built-in fleet, and what each needs.

use std::fmt::Write as _;

use clap::Args;

use super::Code;
use crate::error::{EXIT_PASSED, Error};
use crate::model::fault::{FleetFaultKind, fault_text};
use crate::named::nearest;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  threadbare faults\n  threadbare faults database_locked")]
pub(super) struct Arguments {
    /// Describe this one: its attributes, where it acts, and what undoes it
    name: Option<String>,
}

impl Arguments {
    pub(super) fn run(&self) -> Code {
        let text = match &self.name {
            Some(name) => fault_text(named(name)?),
            None => all(),
        };
        super::answer(text.as_bytes())?;
        Ok(EXIT_PASSED)
    }
}

fn named(name: &str) -> crate::error::Result<FleetFaultKind> {
    let found = FleetFaultKind::ALL.iter().find(|(_, word)| *word == name);
    found.map(|(kind, _)| *kind).ok_or_else(|| {
        let words = FleetFaultKind::ALL.iter().map(|(_, word)| *word);
        let hint = nearest(name, words)
            .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        Error::usage(format!(
            "there is no fault {name:?}; {hint}`threadbare faults` lists them"
        ))
    })
}

fn all() -> String {
    let mut text = String::new();
    for (kind, word) in FleetFaultKind::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word}\n  {}\n", kind.about());
    }
    text.push_str(
        "`threadbare faults NAME` has the attributes of one, and what undoes it.\nIn a scenario: [[timeline]] with do = \"break\", fault = \"NAME\", with = { … }; and \
         do = \"mend\".\nFaults of a proxy in front of your own service: `threadbare proxy --help`.\n",
    );
    text
}
