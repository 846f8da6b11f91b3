//! `threadbare trend`: where over many runs a figure changed; executes nothing.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Code, View};
use crate::analysis::trend::{NamedFigure, Sensitivity, Trend, WhyLeftOut};
use crate::error::{EXIT_EXPECTATION, EXIT_PASSED, Error, Result};
use crate::record::write_private;
use crate::units::Ratio;
use crate::{report, run};

/// What can be included: who asks for these knows that the runs can be compared.
const INCLUDABLE: [WhyLeftOut; 4] = [
    WhyLeftOut::Plan,
    WhyLeftOut::Machine,
    WhyLeftOut::Invalid,
    WhyLeftOut::Incomplete,
];

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare trend reports --figure 'response p99 in baseline'\n  \
    threadbare trend 'reports/main-*' --figure 'error share' --html trend.html --fail-on-worse=5\n\n\
    docs/TREND.md lists the figures, and says how changes are found.\n\n\
    Exit codes: 0 answered, whatever the answer; 99 with --fail-on-worse; 2 no runs, or no\n\
    such figure.")]
pub(super) struct Arguments {
    /// Folders with run directories, run directories, or patterns of them in quotes
    #[arg(value_name = "DIR|SET", default_value = "reports")]
    sets: Vec<PathBuf>,
    /// The figure, of the whole run or `in` a phase
    #[arg(long, short, value_name = "FIGURE", default_value = "response p99")]
    figure: NamedFigure,
    /// Only runs of this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Make points also of runs that would be left out: of another `plan` or `machine`,
    /// `invalid`, `incomplete`
    #[arg(long, value_name = "WHICH", value_delimiter = ',', value_parser = includable)]
    include: Vec<WhyLeftOut>,
    /// The largest probability that a change is chance
    #[arg(long, value_name = "P", default_value_t = 0.001, value_parser = significance)]
    significance: f64,
    /// The least change that counts
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    magnitude: Ratio,
    /// Runs in a window of the detection
    #[arg(long, value_name = "RUNS", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(4..=500))]
    window: u16,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// Write a page with the series and its changes to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Exit with 99 where one of so many newest runs began a change for the worse
    #[arg(long, value_name = "RUNS", num_args = 0..=1, require_equals = true,
          default_missing_value = "10")]
    fail_on_worse: Option<NonZeroUsize>,
}

fn includable(word: &str) -> std::result::Result<WhyLeftOut, String> {
    let found = INCLUDABLE.into_iter().find(|it| it.word() == word);
    found.ok_or_else(|| {
        let words = INCLUDABLE.map(WhyLeftOut::word);
        format!("it is one of: {}", words.join(", "))
    })
}

fn significance(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse().ok();
    let value = value.filter(|value| (1e-9..=0.1).contains(value));
    value.ok_or_else(|| "it is a probability from 0.000000001 to 0.1, such as 0.001".into())
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let sensitivity = Sensitivity {
            window: self.window.into(),
            significance: self.significance,
            magnitude: self.magnitude.get(),
            ..Sensitivity::default()
        };
        let scenario = self.scenario.as_deref();
        let trend = run::trend(
            &self.sets,
            scenario,
            &self.figure,
            sensitivity,
            &self.include,
        )?;
        if let Some(file) = &self.html {
            page(file, &trend)?;
        }
        let text = if self.json {
            report::trend::json(&trend)?
        } else if view.quiet {
            report::trend::answer(&trend) + "\n"
        } else {
            report::trend::text(&trend)
        };
        super::answer(text.as_bytes())?;
        let worse = self
            .fail_on_worse
            .is_some_and(|newest| trend.worse_within(newest.get()));
        Ok(if worse { EXIT_EXPECTATION } else { EXIT_PASSED })
    }
}

/// Writes the page; one of an earlier time is replaced.
fn page(file: &Path, trend: &Trend) -> Result<()> {
    let folder = file.parent().filter(|it| *it != Path::new(""));
    let name = file.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        let file = file.display();
        return Err(Error::usage(format!(
            "failed to write the page: {file} does not name a file; name one, such as trend.html"
        )));
    };
    let page = report::trend::html(trend)?;
    write_private(folder.unwrap_or(Path::new(".")), name, page.as_bytes())
}
