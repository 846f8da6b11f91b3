//! `threadbare variants`: the variants of a scenario, each beside the scenario as it is.
//!
//! `threadbare what-if --live` is the same with the variants of its command line alone.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::by_agents::WorkByAgents;
use super::chosen::Chosen;
use super::simulate::Limits;
use super::{Code, View};
use crate::compare::{Tries, Variants};
use crate::error::{EXIT_EXPECTATION, EXIT_INVALID, EXIT_PASSED, Error, Result};
use crate::plan::Plan;
use crate::scenario::Setting;
use crate::{model, report, run};

/// Seeds of a variant that is simulated.
const SEEDS: u64 = 5;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare variants missing-await --simulated\n  \
    threadbare variants mine.toml --seeds 3\n  \
    threadbare variants mine.toml --set 'no retries: load.client.retries=0'")]
pub(super) struct Arguments {
    /// A scenario file, or the name of one that `threadbare list` shows
    scenario: String,
    /// Seed of every random stream [default: the scenario's]
    #[arg(long)]
    seed: Option<u64>,
    /// A variant in place of those of the scenario, as 'NAME: KEY=VALUE, KEY=VALUE'; or
    /// KEY=VALUE, for all of them; may be repeated
    #[arg(long, value_name = "VARIANT|KEY=VALUE")]
    set: Vec<Change>,
    /// Only this one of the scenario's variants; may be repeated
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Apply the settings of one of the scenario's profiles
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Number of seeds for each, beginning with the scenario's own [default: 1; with
    /// --simulated 5]
    #[arg(long, value_name = "NUMBER",
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
    /// Simulate them in place of live runs
    #[arg(long)]
    simulated: bool,
    /// Print the fingerprint of each plan and its name, and run none of them
    #[arg(long, hide = true)]
    fingerprints: bool,
    /// The directory of the runs and of the table [default: reports/variants-DATE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on in the directory of --out: a run that lies there already, of the same plan and
    /// seed, whole and valid, is not made again
    #[arg(long, requires = "out", conflicts_with = "simulated")]
    resume: bool,
    /// Allow a host other than this machine to be loaded and broken, exactly as
    /// the scenario's [safety] names it; may be repeated
    #[arg(long, value_name = "HOST", conflicts_with = "simulated")]
    allow_host: Vec<String>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    by_agents: WorkByAgents,
}

/// A variant, or a setting of all of them.
#[derive(Debug, Clone)]
enum Change {
    One(Variant),
    All(Setting),
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        // A value may hold a colon, and no key does.
        let named = text.split_once(": ");
        match named.filter(|(name, _)| !name.contains('=')) {
            Some(_) => text.parse().map(Self::One),
            None => text.parse().map(Self::All),
        }
    }
}

/// What is tried: its name, and what it changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variant {
    name: String,
    settings: Vec<Setting>,
}

impl Variant {
    /// What it changes, as it could be typed.
    fn what(&self) -> String {
        let settings = self.settings.iter();
        let settings = settings.map(|setting| format!("{} = {}", setting.key(), setting.value()));
        settings.collect::<Vec<_>>().join(", ")
    }

    /// The plan with it. What the scenario expects is about the scenario as it is.
    fn plan(&self, chosen: &Chosen, view: &View) -> Result<Plan> {
        let unjudged = "expect=[]".parse().map_err(Error::usage)?;
        let settings = [self.settings.as_slice(), &[unjudged]].concat();
        let set = self.settings.iter().map(Setting::to_string);
        Ok(Plan {
            variant: Some(model::Variant {
                name: self.name.clone(),
                about: self.what(),
                set: set.collect(),
            }),
            ..chosen.plan(view, &settings)?
        })
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

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let (mut own, mut set) = (Vec::new(), Vec::new());
        for change in &self.set {
            match change {
                Change::One(variant) => own.push(variant.clone()),
                Change::All(setting) => set.push(setting.clone()),
            }
        }
        let chosen = Chosen {
            scenario: self.scenario.clone(),
            seed: self.seed,
            set,
            profile: self.profile.clone(),
            variant: None,
            expect: Vec::new(),
        };
        let plans = self.plans(&chosen, &own, view)?;
        if self.fingerprints {
            return fingerprints(&plans);
        }
        if !self.simulated {
            self.by_agents.refuse_live()?;
            let options = run::Options {
                allowed: self.allow_host,
                ..view.options(self.out)
            };
            let seeds = self.seeds.unwrap_or(1);
            let again = |plan: &Plan| command(&chosen, own.is_empty(), plan, &options.allowed);
            let tries = Tries {
                plans: &plans,
                seeds,
                directory: Tries::directory(options.out.as_deref(), "variants"),
                resume: self.resume,
            };
            return live(&tries, &again, &options);
        }
        let options = run::Options {
            agents: self.by_agents.engagement()?,
            ..view.options(self.out.clone())
        };
        let seeds = self.seeds.unwrap_or(SEEDS);
        let tries = Tries {
            plans: &plans,
            seeds,
            directory: Tries::directory(self.out.as_deref(), "variants"),
            resume: false,
        };
        tries.claim()?;
        let found = run::trials(&plans, seeds, self.limits.bounds(), &options)?;
        shown(&tries.simulated(found))
    }

    /// The scenario as it is and each variant; a mistake in the last is reported before the
    /// first is run.
    fn plans(&self, chosen: &Chosen, own: &[Variant], view: &View) -> Result<Vec<Plan>> {
        let base = chosen.plan(view, &[])?;
        let mut variants = if own.is_empty() {
            chosen.variants(view)?
        } else {
            let own = own.iter().map(|variant| variant.plan(chosen, view));
            own.collect::<Result<_>>()?
        };
        if !self.variant.is_empty() {
            // One that the scenario does not have is reported.
            for name in &self.variant {
                let named = Chosen {
                    variant: Some(name.clone()),
                    ..chosen.clone()
                };
                named.plan(view, &[])?;
            }
            variants.retain(|plan| {
                let variant = plan.variant.as_ref();
                variant.is_some_and(|variant| self.variant.contains(&variant.name))
            });
        }
        if variants.is_empty() {
            return Err(Error::usage(format!(
                "{} has no variants; add [[variant]] to it, or name one with \
                 --set 'no retries: load.client.retries=0'",
                chosen.scenario
            )));
        }
        Ok([vec![base], variants].concat())
    }
}

/// Runs the scenario as it is and each variant of the command line, live.
pub(super) fn run(
    chosen: &Chosen,
    variants: &[Variant],
    seeds: u64,
    view: &View,
    options: &run::Options,
) -> Code {
    let base = chosen.plan(view, &[])?;
    let own = variants.iter().map(|variant| variant.plan(chosen, view));
    let plans: Vec<Plan> = std::iter::once(Ok(base))
        .chain(own)
        .collect::<Result<_>>()?;
    let again = |plan: &Plan| command(chosen, false, plan, &options.allowed);
    let tries = Tries {
        plans: &plans,
        seeds,
        directory: Tries::directory(options.out.as_deref(), "what-if"),
        resume: false,
    };
    live(&tries, &again, options)
}

/// The words of a command that runs a plan alone.
type Again<'a> = &'a dyn Fn(&Plan) -> Vec<String>;

/// Runs each plan live with each seed, and shows the table; `again`: the words of a command that
/// runs a plan alone.
fn live(tries: &Tries<'_>, again: Again<'_>, options: &run::Options) -> Code {
    let mut variants = tries.live(
        &mut |plan, directory| {
            // With its verdict's line alone. What makes it again is a run of its own too.
            let options = run::Options {
                out: Some(directory.to_owned()),
                quiet: true,
                command: again(&plan),
                ..options.clone()
            };
            run::live(plan, &options)
        },
        &|text| super::tell(&text),
    )?;
    match variants.ended.take() {
        None => shown(&variants),
        Some(why) => {
            // What ended them is what is to be told, whatever becomes of the table.
            if variants.first().is_some()
                && let Err(error) = shown(&variants)
            {
                super::tell(&error);
            }
            why
        }
    }
}

/// Prints what tells whether a table is of these plans: the rows of its `variants.json` have
/// the same fingerprints, of what is done and of what is expected, in the same order.
fn fingerprints(plans: &[Plan]) -> Code {
    let mut lines = String::new();
    for plan in plans {
        let variant = plan.variant.as_ref();
        let name = variant.map_or("unchanged", |variant| variant.name.as_str());
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{}\t{}\t{name}", plan.fingerprint(), plan.expected());
    }
    super::answer(lines.as_bytes())?;
    Ok(EXIT_PASSED)
}

/// Prints the table of those that were tried, and writes it; the exit code.
fn shown(variants: &Variants) -> Code {
    let table = variants.table()?;
    variants.beside_the_first(&table)?;
    let page = variants.write(&table)?;
    // The table is the answer: `--quiet` leaves out what is beside it.
    super::answer(report::what_if::text(&table).as_bytes())?;
    let told = format!(
        "\nRuns: {}\nReport: {}\n",
        variants.directory.display(),
        page.display()
    );
    super::answer(told.as_bytes())?;
    if variants.passed().is_none() {
        super::answer(report::what_if::untold(&variants.untold()).as_bytes())?;
    }
    Ok(match variants.passed() {
        Some(true) => EXIT_PASSED,
        Some(false) => EXIT_EXPECTATION,
        None => EXIT_INVALID,
    })
}

/// The words of a command that runs this plan alone; `of_file`: a variant is one of the
/// scenario's own, and else one of the command line.
fn command(chosen: &Chosen, of_file: bool, plan: &Plan, allowed: &[String]) -> Vec<String> {
    let seed = ["--seed".to_owned(), plan.seed.to_string()];
    let profile = chosen.profile.iter();
    let profile = profile.flat_map(|name| ["--profile".to_owned(), name.clone()]);
    let (named, made): (Vec<_>, Vec<_>) = plan.variant.iter().partition(|_| of_file);
    let named = named.into_iter().map(|variant| variant.name.clone());
    let named = named.flat_map(|name| ["--variant".to_owned(), name]);
    let settings = chosen.set.iter().map(Setting::to_string);
    let set = made.into_iter().flat_map(|variant| variant.set.clone());
    let settings = settings.chain(set);
    let settings = settings.flat_map(|setting| ["--set".to_owned(), setting]);
    let hosts = allowed.iter();
    let hosts = hosts.flat_map(|host| ["--allow-host".to_owned(), host.clone()]);
    ["threadbare", "run", &chosen.scenario]
        .into_iter()
        .map(str::to_owned)
        .chain(seed)
        .chain(profile)
        .chain(named)
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
            variant: None,
            expect: Vec::new(),
            scenario: "mine.toml".into(),
            seed: Some(3),
            set: vec!["end=20s".parse().unwrap()],
        };
        let plan = Plan {
            seed: 3,
            variant: Some(model::Variant {
                name: "no retries".into(),
                set: vec!["load.client.retries=0".into()],
                ..model::Variant::default()
            }),
            ..Plan::default()
        };
        let words = command(&chosen, false, &plan, &["shop.test".into()]);
        assert_eq!(
            words.join(" "),
            "threadbare run mine.toml --seed 3 --profile ci --set end=20s --set load.client.retries=0 \
             --allow-host shop.test"
        );
        let words = command(&chosen, true, &plan, &[]).join(" ");
        assert!(
            words.ends_with("--profile ci --variant no retries --set end=20s"),
            "{words}"
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

    #[test]
    fn a_change_is_a_variant_or_a_setting_of_all() {
        let one = |text: &str| matches!(text.parse(), Ok(Change::One(_)));
        let all = |text: &str| matches!(text.parse(), Ok(Change::All(_)));
        assert!(one("no retries: load.client.retries=0"));
        assert!(all("load.client.retries=0"));
        assert!(all("target.env.TEXT=a: b"));
        assert!("nothing".parse::<Change>().is_err());
    }
}
