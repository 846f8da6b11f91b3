//! Variants of a scenario on a real target: each is run live with each seed, one after the
//! other, and the table tells which setting helped.
//!
//! Each run asks by itself for a machine that is not busy, a target that is ready, and a
//! baseline that is healthy before the first fault: what one run leaves behind is no part
//! of the next. Where that is not so, the variant is left out of the table with the reason:
//! minutes of load are not lost with the one that could not be run.

use std::path::{Path, PathBuf};
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

    /// Its name.
    fn shown(&self) -> &str {
        if self.name.is_empty() {
            "unchanged"
        } else {
            &self.name
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

/// A variant that was run with a seed.
struct Tried {
    /// Its place among the variants; the scenario as it is has the first.
    variant: usize,
    seed: u64,
    /// Its run directory.
    directory: PathBuf,
    /// What it came to, or why it counts for nothing.
    outcome: std::result::Result<Outcome, String>,
}

/// A series of runs: the scenario as it is and each variant, with each seed.
struct Trials<'a> {
    variants: &'a [Variant],
    scenario: String,
    title: String,
    tried: Vec<Tried>,
    parent: PathBuf,
}

/// Runs the scenario as it is and each variant, a seed after the other, and prints the
/// table. All with one seed come before the next: what the machine does meanwhile falls on
/// all of them.
pub(super) fn run(
    chosen: &Chosen,
    variants: &[Variant],
    seeds: u64,
    view: &View,
    options: &run::Options,
) -> Code {
    let variants: Vec<Variant> = std::iter::once(Variant::unchanged())
        .chain(variants.iter().cloned())
        .collect();
    // A mistake in the last variant is reported before the first is run.
    let plans = variants
        .iter()
        .map(|variant| chosen.plan(view, &variant.settings));
    let plans: Vec<Plan> = plans.collect::<Result<_>>()?;
    let parent = options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(clock::wall_millis());
        Path::new("reports").join(format!("what-if-{stamp}"))
    });
    let mut trials = Trials {
        variants: &variants,
        scenario: plans[0].scenario.clone(),
        title: plans[0].title.clone(),
        tried: Vec::new(),
        parent,
    };
    // The scenario as it is must be possible.
    let mut series = Series::begin(1)?;
    for more in 0..seeds {
        for (place, plan) in plans.iter().enumerate() {
            let plan = Plan {
                seed: plan.seed.wrapping_add(more),
                ..plan.clone()
            };
            let name = variants[place].shown();
            let number = more * plans.len() as u64 + place as u64 + 1;
            let all = seeds * plans.len() as u64;
            super::tell(&format!("{number} of {all}: {name}, seed {}", plan.seed));
            let named = if seeds > 1 {
                format!("{place}-seed-{}", plan.seed)
            } else {
                place.to_string()
            };
            let directory = trials.parent.join(named);
            let seed = plan.seed;
            let options = one(options, &directory, chosen, (&variants[place], seed));
            let outcome = match series.run(|| run::live(plan, &options)) {
                InSeries::Counts(findings) => Ok(Outcome::of(&findings)),
                InSeries::Invalid(why) => Err(format!("its measurement is invalid: {why}")),
                InSeries::Unfit(why) => Err(format!("it could not be run: {why}")),
                InSeries::Ends(why) => {
                    trials.show()?;
                    return why;
                }
            };
            trials.tried.push(Tried {
                variant: place,
                seed,
                directory,
                outcome,
            });
        }
    }
    let valid = trials.show()?;
    Ok(if valid { EXIT_PASSED } else { EXIT_INVALID })
}

impl Trials<'_> {
    /// Prints the table of those that were run, where any was, and puts it into the report
    /// of the scenario as it is; whether all of it is valid.
    fn show(&self) -> Result<bool> {
        if self.tried.is_empty() {
            return Ok(true);
        }
        let told = self.table()?;
        let place = self.valid(0).next().map(|(it, _)| it.directory.as_path());
        let report = place
            .map(|place| run::with_table(place, &told))
            .transpose()?;
        super::answer(report::what_if::text(&told).as_bytes())?;
        let report = report.map(|page| format!("Report: {}\n", page.display()));
        let runs = format!("\nRuns: {}\n", self.parent.display());
        super::answer((runs + &report.unwrap_or_default()).as_bytes())?;
        Ok(told.inapplicable.is_empty())
    }

    /// The valid runs of a variant.
    fn valid(&self, variant: usize) -> impl Iterator<Item = (&Tried, &Outcome)> {
        let own = self.tried.iter().filter(move |it| it.variant == variant);
        own.filter_map(|it| Some((it, it.outcome.as_ref().ok()?)))
    }

    /// The table; what was not measured validly is left out of it, with the reason.
    fn table(&self) -> Result<WhatIf> {
        let base: Vec<(&Tried, &Outcome)> = self.valid(0).collect();
        let Some(base_row) = self.row(0, &base) else {
            let why = self.tried.iter().find_map(|it| it.outcome.as_ref().err());
            return Err(Error::unfit(format!(
                "failed to measure the scenario as it is, so there is nothing to compare with: {}",
                why.map_or("it was not run", String::as_str)
            )));
        };
        let left_out = self.tried.iter().filter_map(|it| {
            let why = it.outcome.as_ref().err()?;
            let name = format!("{}, seed {}", self.variants[it.variant].shown(), it.seed);
            Some((name, why.clone()))
        });
        Ok(WhatIf {
            scenario: self.scenario.clone(),
            title: self.title.clone(),
            live: true,
            seeds: base.iter().map(|(it, _)| it.seed).collect(),
            base: base_row,
            alone: (1..self.variants.len())
                .filter_map(|variant| self.row(variant, &base))
                .collect(),
            pairs: Vec::new(),
            inapplicable: left_out.collect(),
        })
    }

    /// A variant's row, of the seeds that were measured validly with it and without it;
    /// none where there is no such seed.
    fn row(&self, variant: usize, base: &[(&Tried, &Outcome)]) -> Option<Row> {
        let pairs = base.iter().filter_map(|(own, without)| {
            let mut all = self.valid(variant);
            let (_, with) = all.find(|(it, _)| it.seed == own.seed)?;
            Some((with.clone(), (*without).clone()))
        });
        let (with, without): (Vec<_>, Vec<_>) = pairs.unzip();
        let own = &self.variants[variant];
        let what = own.what();
        let named = [(own.name.as_str(), what.as_str())];
        let named: &[(&str, &str)] = if variant == 0 { &[] } else { &named };
        Row::of(named, &with, &without)
    }
}

/// How a variant is run: into a directory of its own, with its verdict's line alone. What
/// makes it again is a run of its own too.
fn one(
    options: &run::Options,
    out: &Path,
    chosen: &Chosen,
    variant: (&Variant, u64),
) -> run::Options {
    run::Options {
        out: Some(out.to_owned()),
        quiet: true,
        command: command(chosen, variant, &options.allowed),
        ..options.clone()
    }
}

/// The words of a command that runs this variant alone, with this seed.
fn command(chosen: &Chosen, (variant, seed): (&Variant, u64), allowed: &[String]) -> Vec<String> {
    let seed = ["--seed".to_owned(), seed.to_string()];
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
        let words = command(&chosen, (&variant, 3), &["shop.test".into()]);
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
