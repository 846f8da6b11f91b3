//! Variants of a scenario on a real target: each is run live, one after the other, and
//! the table tells which setting helped.
//!
//! Each run asks by itself for a machine that is not busy, a target that is ready, and a
//! baseline that is healthy before the first fault: what one run leaves behind is no part
//! of the next. Where that is not so, the variant is left out of the table with the reason:
//! minutes of load are not lost with the one that could not be run.

use std::path::Path;
use std::str::FromStr;

use super::chosen::Chosen;
use super::{Code, View};
use crate::analysis::{Outcome, Row, WhatIf};
use crate::clock;
use crate::compare::{InSeries, Series};
use crate::error::{EXIT_INVALID, EXIT_PASSED, Error, Result};
use crate::plan::Plan;
use crate::report;
use crate::run;
use crate::scenario::Setting;

/// What is tried: its name, and what it changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variant {
    name: String,
    settings: Vec<Setting>,
}

impl Variant {
    /// The scenario as it is.
    const fn unchanged() -> Self {
        Self {
            name: String::new(),
            settings: Vec::new(),
        }
    }

    /// What it changes, as it could be typed.
    fn what(&self) -> String {
        let settings = self.settings.iter();
        let settings = settings.map(|setting| format!("{} = {}", setting.key(), setting.value()));
        settings.collect::<Vec<_>>().join(", ")
    }
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = "write a name and settings, such as 'no retries: load.client.retries=0'";
        let (name, rest) = text.split_once(": ").ok_or(wrong)?;
        let mut settings: Vec<String> = Vec::new();
        for part in rest.split(',') {
            let begins = part
                .split_once('=')
                .is_some_and(|(key, _)| !key.trim().contains(' '));
            match settings.last_mut() {
                // The comma is one of the value's own: "50 % of 100, pause 2s".
                Some(last) if !begins => *last = format!("{last},{part}"),
                _ => settings.push(part.trim().to_owned()),
            }
        }
        let settings = settings.iter().map(|setting| setting.parse());
        Ok(Self {
            name: name.trim().to_owned(),
            settings: settings.collect::<std::result::Result<_, _>>()?,
        })
    }
}

/// A variant that was run.
struct Tried<'a> {
    variant: &'a Variant,
    /// What it came to, or why its figures are not the target's.
    outcome: std::result::Result<Outcome, String>,
}

/// Runs the scenario as it is, then each variant, and prints the table.
pub(super) fn run(
    chosen: &Chosen,
    variants: &[Variant],
    view: &View,
    options: &run::Options,
) -> Code {
    let unchanged = Variant::unchanged();
    let variants: Vec<&Variant> = [&unchanged].into_iter().chain(variants).collect();
    // A mistake in the last variant is reported before the first is run.
    let plans = variants
        .iter()
        .map(|variant| chosen.plan(view, &variant.settings));
    let plans: Vec<Plan> = plans.collect::<Result<_>>()?;
    let parent = options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(clock::wall_millis());
        Path::new("reports").join(format!("what-if-{stamp}"))
    });
    let base = plans[0].clone();
    let mut tried = Vec::new();
    // The scenario as it is must be possible.
    let mut series = Series::begin(1)?;
    for (place, (variant, plan)) in variants.iter().zip(plans).enumerate() {
        let name = if variant.name.is_empty() {
            "unchanged"
        } else {
            &variant.name
        };
        super::tell(&format!("{} of {}: {name}", place + 1, variants.len()));
        let options = one(options, &parent.join(place.to_string()), chosen, variant);
        let outcome = match series.run(|| run::live(plan, &options)) {
            InSeries::Counts(findings) => Ok(Outcome::of(&findings)),
            InSeries::Invalid(why) => Err(format!("its measurement is invalid: {why}")),
            InSeries::Unfit(why) => Err(format!("it could not be run: {why}")),
            InSeries::Ends(why) => {
                show(&base, &tried, &parent)?;
                return why;
            }
        };
        tried.push(Tried { variant, outcome });
    }
    let valid = show(&base, &tried, &parent)?;
    Ok(if valid { EXIT_PASSED } else { EXIT_INVALID })
}

/// Prints the table of those that were run, where any was; whether all of it is valid.
fn show(base: &Plan, tried: &[Tried<'_>], parent: &Path) -> Result<bool> {
    if tried.is_empty() {
        return Ok(true);
    }
    let told = table(base, tried)?;
    super::answer(report::what_if::live_text(&told).as_bytes())?;
    super::answer(format!("\nRuns: {}\n", parent.display()).as_bytes())?;
    Ok(told.inapplicable.is_empty())
}

/// How a variant is run: into a directory of its own, with its verdict's line alone. What
/// makes it again is a run of its own too.
fn one(options: &run::Options, out: &Path, chosen: &Chosen, variant: &Variant) -> run::Options {
    run::Options {
        out: Some(out.to_owned()),
        quiet: true,
        command: command(chosen, variant, &options.allowed),
        ..options.clone()
    }
}

/// The words of a command that runs this variant alone.
fn command(chosen: &Chosen, variant: &Variant, allowed: &[String]) -> Vec<String> {
    let seed = chosen.seed.iter();
    let seed = seed.flat_map(|seed| ["--seed".to_owned(), seed.to_string()]);
    let profile = chosen.profile.iter();
    let profile = profile.flat_map(|name| ["--profile".to_owned(), name.clone()]);
    let settings = chosen.set.iter().chain(&variant.settings);
    let settings = settings.flat_map(|setting| ["--set".to_owned(), setting.to_string()]);
    let hosts = allowed.iter();
    let hosts = hosts.flat_map(|host| ["--allow-host".to_owned(), host.clone()]);
    ["threadbare", "run", &chosen.scenario]
        .into_iter()
        .map(str::to_owned)
        .chain(seed)
        .chain(profile)
        .chain(settings)
        .chain(hosts)
        .collect()
}

/// The table; what was not measured validly is left out of it, with the reason.
fn table(plan: &Plan, tried: &[Tried<'_>]) -> Result<WhatIf> {
    let [unchanged, others @ ..] = tried else {
        return Err(Error::failed("nothing was run"));
    };
    let base = unchanged.outcome.as_ref().map_err(|why| {
        Error::unfit(format!(
            "failed to measure the scenario as it is, so there is nothing to compare with: {why}"
        ))
    })?;
    let base = std::slice::from_ref(base);
    let row = |variant: &Variant, outcome: &Outcome| {
        let what = variant.what();
        let named = [(variant.name.as_str(), what.as_str())];
        let named: &[(&str, &str)] = if what.is_empty() { &[] } else { &named };
        let row = Row::of(named, std::slice::from_ref(outcome), base);
        row.ok_or_else(|| Error::failed("a variant has no outcome"))
    };
    let (mut alone, mut left_out) = (Vec::new(), Vec::new());
    for tried in others {
        match &tried.outcome {
            Ok(outcome) => alone.push(row(tried.variant, outcome)?),
            Err(why) => left_out.push((tried.variant.name.clone(), why.clone())),
        }
    }
    Ok(WhatIf {
        scenario: plan.scenario.clone(),
        title: plan.title.clone(),
        seeds: vec![plan.seed],
        base: row(unchanged.variant, &base[0])?,
        alone,
        pairs: Vec::new(),
        inapplicable: left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(text: &str) -> (String, String) {
        let variant: Variant = text.parse().unwrap();
        (variant.name.clone(), variant.what())
    }

    #[test]
    fn a_variant_is_made_again_by_a_run_of_its_own() {
        let chosen = Chosen {
            profile: Some("ci".into()),
            expect: Vec::new(),
            scenario: "mine.toml".into(),
            seed: Some(3),
            set: vec!["end=20s".parse().unwrap()],
        };
        let variant = "no retries: load.client.retries=0".parse().unwrap();
        let words = command(&chosen, &variant, &["shop.test".into()]);
        assert_eq!(
            words.join(" "),
            "threadbare run mine.toml --seed 3 --profile ci --set end=20s --set load.client.retries=0 \
             --allow-host shop.test"
        );
    }

    #[test]
    fn a_variant_has_a_name_and_settings() {
        for (text, name, what) in [
            ("a: x=1", "a", "x = 1"),
            (
                "no retries: load.client.retries=0",
                "no retries",
                "load.client.retries = 0",
            ),
            ("b: x.0.y=1, z=two words", "b", "x.0.y = 1, z = two words"),
            // commas of a value
            (
                "c: breaker=50 % of 100, pause 2s, x=1",
                "c",
                "breaker = 50 % of 100, pause 2s, x = 1",
            ),
            // signs of equality in a value
            ("d: target.env.FLAGS=--a=b", "d", "target.env.FLAGS = --a=b"),
        ] {
            assert_eq!(variant(text), (name.into(), what.into()), "{text}");
        }
        for wrong in ["", "a", "x=1", "a: ", "a: x", "a: =1"] {
            assert!(wrong.parse::<Variant>().is_err(), "{wrong}");
        }
    }
}
