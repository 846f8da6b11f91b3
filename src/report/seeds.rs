//! The same plan with many seeds: the share of each verdict, on a terminal and as a table.

use std::fmt::Write as _;

use super::answer::expectation_sign;
use super::figures::{maybe, number, percent, plural, words};
use super::observed::Table;
use crate::analysis::{ExpectationShare, Findings, Proportion, SeedShares, Spread};
use crate::model::IncidentVerdict;
use crate::record::printable;

/// Seeds of a rare verdict that are named: enough to look at one.
const NAMED: usize = 5;

/// A share with its interval: `31 of 64 (48.4 %; 36.6 % to 60.4 %)`.
fn share(seeds: Proportion) -> String {
    format!(
        "{} of {} ({}; {} to {})",
        seeds.count,
        seeds.of,
        percent(seeds.share),
        percent(seeds.low),
        percent(seeds.high)
    )
}

/// The seeds of a verdict, where not all have it.
fn named(shares: &SeedShares, verdict: IncidentVerdict) -> String {
    let own = shares.seeds.iter().filter(|it| it.verdict == verdict);
    let own: Vec<String> = own.map(|it| it.seed.to_string()).collect();
    let more = if own.len() > NAMED { ", …" } else { "" };
    let first = own.iter().take(NAMED).cloned().collect::<Vec<_>>();
    format!("{}{more}", first.join(", "))
}

/// How long the recovery of the seeds of a verdict took, in seconds.
fn recovery(shares: &SeedShares, verdict: IncidentVerdict) -> String {
    let own = shares.seeds.iter().filter(|it| it.verdict == verdict);
    let spread = Spread::of(own.filter_map(|it| it.recovery_s));
    maybe(spread, |it| {
        if it.max - it.min < 0.05 {
            format!("{:.1}", it.median)
        } else {
            format!("{:.1} ({:.1}–{:.1})", it.median, it.min, it.max)
        }
    })
}

/// Operations lost in the median seed of a verdict.
fn lost(shares: &SeedShares, verdict: IncidentVerdict) -> String {
    let own = shares.seeds.iter().filter(|it| it.verdict == verdict);
    let spread = Spread::of(own.map(|it| it.lost as f64));
    maybe(spread, |it| number(it.median.round()))
}

/// The share of each verdict, a line each.
pub(crate) fn verdicts(shares: &SeedShares) -> String {
    let how = if shares.live { "run live" } else { "simulated" };
    let all = plural(shares.seeds.len() as u64, "seed");
    let mut text = format!("\nVerdicts of {all}, {how} (95 % intervals)\n");
    for it in &shares.verdicts {
        let verdict = words(it.verdict.word());
        let recovery = recovery(shares, it.verdict);
        let seeds = named(shares, it.verdict);
        let _ = writeln!(
            text,
            "  {verdict:<28} {}; recovery s {recovery}; seeds {seeds}",
            share(it.seeds)
        );
    }
    text
}

/// All of it for a terminal; `quiet`: the verdicts in one line.
pub(crate) fn text(title: &str, shares: &SeedShares, quiet: bool) -> String {
    if quiet {
        let all = shares.verdicts.iter();
        let all = all.map(|it| format!("{} {}", words(it.verdict.word()), share(it.seeds)));
        let word = match shares.judged() {
            Some(true) => "PASSED",
            Some(false) => "FAILED",
            None => "CANNOT TELL",
        };
        return format!("{word}  {}\n", all.collect::<Vec<_>>().join(", "));
    }
    let mut text = format!("{}\n{}", printable(title), verdicts(shares));
    if !shares.expectations.is_empty() {
        text.push_str("\nExpectations over the seeds\n");
    }
    for it in &shares.expectations {
        let _ = writeln!(text, "  {}", expectation(it));
    }
    text
}

/// An expectation over the seeds, in a line.
pub(super) fn expectation(it: &ExpectationShare) -> String {
    let sign = expectation_sign(it.passed);
    let why = match it.passed {
        Some(_) => String::new(),
        None if it.at_least < 1.0 => {
            let needed = it.seeds_needed().map_or_else(String::new, |needed| {
                format!(": {needed} seeds can where it holds in each")
            });
            let share = percent(it.at_least);
            format!("; cannot tell of so few whether it holds in {share}{needed}")
        }
        None => "; cannot tell: in the others it could not be judged".to_owned(),
    };
    format!(
        "{sign} {}, {}: held in {}{why}",
        printable(&it.that),
        printable(&words(&it.required)),
        share(it.seeds)
    )
}

/// The verdicts as a table of a report; empty where one seed was run.
pub(super) fn table(findings: &Findings) -> Table {
    let shares = findings.seeds.as_ref();
    let rows = shares.into_iter().flat_map(|shares| {
        shares.verdicts.iter().map(|it| {
            vec![
                words(it.verdict.word()),
                named(shares, it.verdict),
                format!("{} of {}", it.seeds.count, it.seeds.of),
                percent(it.seeds.share),
                format!("{} to {}", percent(it.seeds.low), percent(it.seeds.high)),
                recovery(shares, it.verdict),
                lost(shares, it.verdict),
            ]
        })
    });
    let live = shares.is_some_and(|shares| shares.live);
    Table {
        title: "Other seeds",
        about: if live {
            "The share of each verdict over all seeds, run live, with its interval (Wilson, 95 %). \
             The rest of this report is about one of them."
        } else {
            "The share of each verdict over all seeds, simulated, with its interval (Wilson, 95 %). \
             The rest of this report is about one of them."
        },
        columns: vec![
            "verdict",
            "seeds",
            "count",
            "share",
            "interval",
            "recovery s",
            "lost",
        ],
        texts: 2,
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{SeedResult, VerdictShare};

    fn shares() -> SeedShares {
        let seeds = (1..=64).map(|seed| SeedResult {
            seed,
            verdict: if seed <= 31 {
                IncidentVerdict::Metastable
            } else {
                IncidentVerdict::RecoveredWithTheTrigger
            },
            recovery_s: (seed > 31).then_some(0.5),
            lost: 100 * seed,
        });
        SeedShares {
            live: false,
            seeds: seeds.collect(),
            verdicts: vec![
                VerdictShare {
                    verdict: IncidentVerdict::RecoveredWithTheTrigger,
                    seeds: Proportion::of(33, 64),
                },
                VerdictShare {
                    verdict: IncidentVerdict::Metastable,
                    seeds: Proportion::of(31, 64),
                },
            ],
            expectations: Vec::new(),
        }
    }

    #[test]
    fn a_share_stands_with_its_interval_and_says_how_it_was_made() {
        let text = text("A case", &shares(), false);
        assert!(text.contains("64 seeds, simulated"), "{text}");
        assert!(
            text.contains("31 of 64 (48.4 %; 36.6 % to 60.4 %)"),
            "{text}"
        );
        assert!(text.contains("seeds 1, 2, 3, 4, 5, …"), "{text}");
        assert!(text.contains("recovery s 0.5"), "{text}");
    }
}
