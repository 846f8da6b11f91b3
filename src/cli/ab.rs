//! `threadbare ab`: a base and a candidate in turns.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::ci::CiReport;
use super::compare::Judged;
use super::{Code, View};
use crate::compare::{self, Turns};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::units::{Nanos, Rate};
use crate::{report, run, scenario};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare ab base.toml candidate.toml --rounds 6\n  \
    threadbare ab http://127.0.0.1:8080/ http://127.0.0.1:8081/ -R 500 -d 10s\n  \
    threadbare ab --base 'gunicorn app:app' --candidate 'gunicorn --threads 4 app:app' \\\n      \
    --url http://127.0.0.1:8000/ -R 200\n\n\
Both run in turns (ABBA) with the same arrivals; it stops when it can tell.\n\
Exit codes: as of `threadbare compare`.")]
pub(super) struct Arguments {
    /// The base: a scenario, or the URL of a server that runs
    #[arg(value_name = "BASE", required_unless_present = "base_command")]
    base: Option<String>,
    /// The candidate, likewise
    #[arg(value_name = "CANDIDATE", required_unless_present = "base_command")]
    candidate: Option<String>,
    /// The command that starts the base, in place of a scenario or a URL
    #[arg(long = "base", value_name = "COMMAND", requires_all = ["candidate_command", "url"], conflicts_with_all = ["base", "candidate"])]
    base_command: Option<String>,
    /// The command that starts the candidate
    #[arg(long = "candidate", value_name = "COMMAND", requires = "base_command")]
    candidate_command: Option<String>,
    /// Where the started command serves
    #[arg(long, value_name = "URL", requires = "base_command")]
    url: Option<String>,
    /// A file of operations (docs/LOAD.md), for URLs and commands
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Operations per second, for URLs and commands
    #[arg(short = 'R', long, value_name = "RATE", value_parser = rate)]
    rate: Option<Rate>,
    /// How long each run is measured, for URLs and commands
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = super::some_time)]
    duration: Nanos,
    /// What is left out at the start of each run, for URLs and commands
    #[arg(long, value_name = "TIME", default_value = "2s")]
    warm_up: Nanos,
    /// Rounds at most; in each both run once
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seed of the first round; each later round has the next
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the runs and the comparison lie [default: reports/ab-DATE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Allow a host other than this machine to be loaded, exactly as the URL names it
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    #[command(flatten)]
    judged: Judged,
}

fn rate(text: &str) -> std::result::Result<Rate, String> {
    let written = if text.contains('/') {
        text.to_owned()
    } else {
        format!("{text}/s")
    };
    written.parse().map_err(|error| format!("{error}"))
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let (base, candidate) = self.plans(view)?;
        let options = run::Options {
            allowed: self.allow_host.clone(),
            ..view.options(self.out.clone())
        };
        let turns = compare::ab(&Turns {
            base: &base,
            candidate: &candidate,
            rounds: self.rounds,
            options: &options,
            judged: self.judged.options(),
        })?;
        let comparison = turns.comparison;
        let answer = if view.quiet {
            report::compare::line(&comparison)
        } else {
            format!(
                "\n{}",
                report::compare::text(&comparison, view.color(&io::stdout()))
            )
        };
        super::answer(answer.as_bytes())?;
        let page = self.judged.write(&turns.directory, &comparison)?;
        if !view.quiet {
            super::answer(format!("\nReport: {}\n", page.display()).as_bytes())?;
        }
        CiReport::default().comparison(&comparison).write()?;
        turns
            .ended
            .unwrap_or_else(|| Ok(self.judged.code(&comparison)))
    }

    fn plans(&self, view: &View) -> Result<(Plan, Plan)> {
        let sides = match (&self.base_command, &self.candidate_command, &self.url) {
            (Some(base), Some(candidate), Some(url)) => [
                self.target(url, Some(base))?,
                self.target(url, Some(candidate))?,
            ],
            _ => [&self.base, &self.candidate].map(|it| it.clone().unwrap_or_default()),
        };
        let [base, candidate] = sides;
        Ok((self.plan(&base, view)?, self.plan(&candidate, view)?))
    }

    /// The plan of a scenario, of a URL, or of a text that was made of a command.
    fn plan(&self, text: &str, view: &View) -> Result<Plan> {
        let color = view.color(&io::stderr());
        let made = text.contains('\n');
        let plan = if made || text.contains("://") {
            let text = if made {
                text.to_owned()
            } else {
                self.target(text, None)?
            };
            scenario::parse("ab", "ab.toml", &text)
                .map_err(|diagnostics| Error::usage(diagnostics.render(color)))?
        } else {
            scenario::load(text, color)?
        };
        let seed = self.seed.unwrap_or(plan.seed);
        Ok(Plan { seed, ..plan })
    }

    /// A scenario that only loads a target.
    fn target(&self, url: &str, command: Option<&str>) -> Result<String> {
        let rate = self.rate.ok_or_else(|| {
            Error::usage("URLs and commands need a rate; add -R, such as `-R 500`".to_owned())
        })?;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let command = match command {
            None => String::new(),
            Some(command) => {
                let words: Vec<String> = super::words_of(command)?
                    .iter()
                    .map(|it| quoted(it))
                    .collect();
                format!("command = [{}]\n", words.join(", "))
            }
        };
        let operations = match &self.file {
            None => String::new(),
            Some(file) => {
                let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                format!("operations = {}\n", quoted(&path.display().to_string()))
            }
        };
        Ok(format!(
            "title = \"Base and candidate in turns\"\nclaim = \"They do the same.\"\n\
             warm_up = \"{}\"\nend = \"{}\"\n[target]\nurl = {}\n{command}[load]\nrate = \"{rate}\"\n\
             {operations}",
            self.warm_up,
            self.warm_up + self.duration,
            quoted(url)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::words_of;

    #[test]
    fn a_command_is_split_as_a_shell_splits_it() {
        for (command, expected) in [
            ("gunicorn  app:app", &["gunicorn", "app:app"][..]),
            ("sh -c 'a b'", &["sh", "-c", "a b"]),
            (r#"sh -c "a 'b c'""#, &["sh", "-c", "a 'b c'"]),
            (r"./a\ b ''", &["./a b", ""]),
            // It is started as it stands.
            ("serve $PORT && true", &["serve", "$PORT", "&&", "true"]),
        ] {
            assert_eq!(words_of(command).unwrap(), expected, "{command}");
        }
        for wrong in ["", "  ", "sh -c 'a", "a \\"] {
            assert_eq!(words_of(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }
}
