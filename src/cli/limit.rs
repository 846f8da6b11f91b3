//! `threadbare limit`: how much can it take, and does it come back?

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::ci::CiReport;
use super::request::{RequestArguments, quoted};
use super::{Code, View};
use crate::analysis::limit::{
    Expected, LimitEnded, LimitExpectation, LimitFound, LimitKind, LimitSought, LimitStage,
    LimitStatus, LimitVerdict,
};
use crate::error::{
    EXIT_EXPECTATION, EXIT_FAILED, EXIT_INVALID, EXIT_PASSED, EXIT_SIGNAL_BASE, Error, Result,
};
use crate::gauges::machine_facts;
use crate::limit::{self, Hunt, Live, Plans, Simulated, Stopped, Trial};
use crate::live::{self, Interrupt};
use crate::model::redact;
use crate::plan::Plan;
use crate::record::Backend;
use crate::scenario::{self, Setting};
use crate::units::{Nanos, Rate, Ratio};
use crate::{report, run};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare limit http://127.0.0.1:8000/ --slo 'p99 <= 250ms' --slo 'error share <= 1 %'\n  \
    threadbare limit mine.toml --slo 'p99 <= 250ms' --trigger 'surge 3x for 10s' --client 'timeout 1s, retries 3'\n  \
    threadbare limit mine.toml --trigger 'fault database latency 2s for 10s' --expect 'returns from >= 400/s'\n  \
    threadbare limit retry-collapse --simulate --trigger 'surge 3x for 20s' --from 1/s --max-rate 40/s\n  \
    threadbare limit http://127.0.0.1:8000/ --dry-run    the bounds of the search, and nothing is sent\n  \
    threadbare limit --resume reports/limit-20260730T101500    goes on where it was interrupted\n\n\
Exit codes: 0 measured, and what was expected held; 1 failed to run, 2 wrong usage or scenario,\n\
3 environment unfit, 97 the service's limit could not be told, 99 an expectation failed or could\n\
not be told, or the service stays down, 130/143 interrupted.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Arguments {
    /// The URL of a server that runs, or a scenario: a file, or a name that `threadbare list`
    /// shows
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    target: Option<String>,
    /// An objective that must hold at a rate for it to be served, such as 'p99 <= 250ms'; may
    /// be repeated [default: 'error share <= 1 %', also beside others]
    #[arg(long = "slo", value_name = "OBJECTIVE")]
    objectives: Vec<String>,
    /// What takes service away: 'surge 3x for 10s', 'pause for 5s', 'slow database 10x for
    /// 10s', 'fault PROXY latency 2s for 10s' or 'hook NAME for 10s then OTHER'
    #[arg(long, value_name = "TRIGGER")]
    trigger: Option<String>,
    /// How clients behave: 'timeout 1s, retries 3, backoff exponential 50ms..2s'
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// How long after the trigger service may take to be back by itself
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::some_time)]
    return_within: Nanos,
    /// The first rate
    #[arg(long, value_name = "RATE", default_value = "100/s", value_parser = rate)]
    from: Rate,
    /// The highest rate that is offered; a surge and retries go beyond it
    #[arg(long, value_name = "RATE", default_value = "10000/s", value_parser = rate)]
    max_rate: Rate,
    /// The search ends when the ends of the interval differ by less
    #[arg(long, value_name = "SHARE", default_value = "3 %", value_parser = tolerance)]
    tolerance: Ratio,
    /// How long each step is measured at least
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = window)]
    window: Nanos,
    /// Operations that a step near the limit is measured over at least
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    operations: u64,
    /// What is left out at the start of each step
    #[arg(long, value_name = "TIME", default_value = "2s")]
    warm_up: Nanos,
    /// Trials of each rate about the edge of coming back, each with another seed; of four
    /// that end alike, either is shown to be likelier than not
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    trials: u32,
    /// Try no measures that would raise the rate from which service comes back; they are
    /// named all the same
    #[arg(long)]
    no_advice: bool,
    /// How long the whole search may take
    #[arg(long, value_name = "TIME", value_parser = super::some_time)]
    within: Option<Nanos>,
    /// How long the service may take to serve a small load as before, after a step that it
    /// did not serve; then it is said to stay down
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::some_time)]
    cool_down: Nanos,
    /// The hook of the scenario that starts the service anew where it stays down; without it
    /// the search ends there
    #[arg(long, value_name = "HOOK", conflicts_with = "simulate")]
    restart: Option<String>,
    /// Tell the headroom at this rate
    #[arg(long, value_name = "RATE", value_parser = rate)]
    at: Option<Rate>,
    /// What must hold, such as 'served >= 400/s' or 'returns from >= 300/s'; may be repeated
    #[arg(long, value_name = "EXPECTATION")]
    expect: Vec<Expected>,
    /// Search in virtual time: the built-in fleet of a scenario
    #[arg(long)]
    simulate: bool,
    /// Print the plan of the search and its bounds, and do nothing; what a run would refuse is
    /// refused
    #[arg(long, conflicts_with_all = ["resume", "out", "json"])]
    dry_run: bool,
    /// Go on with the search that lies in this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "objectives", "trigger", "client", "return_within", "from", "max_rate", "tolerance",
        "window", "operations", "warm_up", "trials", "no_advice", "restart", "cool_down", "at", "expect", "simulate", "set", "profile",
        "command", "file", "connections", "seed", "cacert", "method", "headers", "body",
        "body_file", "expect_status", "follow", "http2", "streams",
    ])]
    resume: Option<PathBuf>,
    /// Where the search lies [default: reports/limit-DATE]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Give a key of the scenario another value, such as load.connections=64; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// Apply the settings of one of the scenario's profiles
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    request: RequestArguments,
    /// For a URL under https: a file of certificates (PEM) to trust in place of the system's
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// For a URL: use HTTP/2, with prior knowledge for http, by ALPN for https
    #[arg(long)]
    http2: bool,
    /// For a URL: limit on concurrent requests on each HTTP/2 connection [default: 32]
    #[arg(long, value_name = "N", requires = "http2", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    streams: Option<u32>,
    /// For a URL: the command that starts the server, anew for each step
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// For a URL: a file of operations (docs/LOAD.md)
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["method", "headers", "body", "body_file"])]
    file: Option<PathBuf>,
    /// For a URL: limit on connections; when all are in use, operations wait for one
    /// [default: as many as the rate can need]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: Option<u32>,
    /// Seed of the first step; each later one has another
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Allow a host other than this machine to be loaded and broken, exactly as the URL or the
    /// scenario's [safety] names it; may be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
}

/// How long a search may take, unless something else is said.
const WITHIN: Nanos = Nanos::from_secs(15 * 60);
/// Trials that show something at least, where all end alike.
const TRIALS_SHOWN: u32 = 4;
/// What every rate must hold that is served, where nothing else is said of errors.
const ERRORS: &str = "error share <= 1 %";

fn rate(text: &str) -> std::result::Result<Rate, String> {
    let written = if text.contains('/') {
        text.to_owned()
    } else {
        format!("{text}/s")
    };
    match written.parse::<Rate>() {
        Ok(rate) if rate.as_per_second() > 0.0 => Ok(rate),
        Ok(_) => Err("a rate must be more than zero".into()),
        Err(error) => Err(format!("{error}")),
    }
}

fn tolerance(text: &str) -> std::result::Result<Ratio, String> {
    let share: Ratio = text.parse().map_err(|error| format!("{error}"))?;
    if (0.005..=0.5).contains(&share.get()) {
        Ok(share)
    } else {
        Err("write a share of 0.5 % at least and 50 % at most".into())
    }
}

fn window(text: &str) -> std::result::Result<Nanos, String> {
    let window = super::some_time(text)?;
    if window < Nanos::from_secs(2) {
        return Err("a step is measured for 2s at least: it is judged by intervals of it".into());
    }
    Ok(window)
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let colour = view.color(&io::stderr());
        if let Some(directory) = &self.resume {
            let mut found = limit::read(directory)?;
            unchanged(&found, colour)?;
            if let Some(within) = self.within {
                found.sought.within_s = within.as_secs_f64();
            }
            return self.search(found, directory, view, colour);
        }
        let mut sought = self.sought()?;
        self.can_be_met()?;
        let plans = Plans::new(&sought, self.simulate, colour)?;
        // The mistakes of every kind of step, before the first is carried out.
        let trials = self.first_and_worst(&sought);
        let all = trials.iter().map(|trial| plans.of(trial));
        let all = all.collect::<Result<Vec<_>>>()?;
        if self.simulate && all.iter().any(|plan| plan.fleet.is_none()) {
            return Err(Error::usage(
                "--simulate knows the built-in fleet only, and this is a target of your own; leave \
                 it out"
                    .to_owned(),
            ));
        }
        let digest = all.first().and_then(work_digest);
        let measures = match (&sought.trigger, all.last()) {
            (Some(_), Some(worst)) => limit::measures(worst, self.simulate),
            _ => Vec::new(),
        };
        let tried = measures.iter().filter(|(_, _, why)| why.is_none()).count();
        drop(plans);
        sought.steps_max = limit::steps_max(&sought, tried);
        sought.work_digest = digest;
        for plan in all.iter().filter(|_| !self.simulate) {
            live::refuse(plan, &self.allow_host)?;
            live::room(plan)?;
        }
        if self.dry_run {
            let most = all.iter().map(Plan::requests_max_per_second);
            let most = most.fold(0.0, f64::max);
            // Of the first rate and of the highest: one of them is the longest.
            let of_trigger = all.iter().rev().take(2).filter(|_| self.trigger.is_some());
            let lasts = of_trigger.map(|plan| (plan.end + plan.drain).as_secs_f64());
            let bounds = report::limit::Bounds {
                requests_per_s: most,
                trial_s: lasts.reduce(f64::max),
                measures: if sought.without_advice { 0 } else { tried },
                asks: all
                    .first()
                    .is_some_and(|it| !self.simulate && limit::goes_on(it)),
            };
            super::answer(report::limit::dry_run(&sought, &bounds).as_bytes())?;
            return Ok(EXIT_PASSED);
        }
        let backend = if self.simulate {
            Backend::Sim
        } else {
            Backend::Live
        };
        let words = super::command_words();
        let found = limit::begin(sought, backend, measures, &self.expect, &words);
        let directory = limit::claim(self.out.as_deref())?;
        self.search(found, &directory, view, colour)
    }

    fn search(&self, mut found: LimitFound, directory: &Path, view: &View, colour: bool) -> Code {
        let _held = limit::lock(directory)?;
        let interrupt = Interrupt::listen(|| {})?;
        let options = run::Options {
            allowed: self.allow_host.clone(),
            ..view.options(None)
        };
        let mut live = Live { options };
        let mut simulated = Simulated {
            interrupt: Some(interrupt.clone()),
        };
        let quiet = view.quiet;
        let stopped = Hunt {
            carrier: match found.backend {
                Backend::Live => &mut live,
                Backend::Sim => &mut simulated,
            },
            directory: Some(directory),
            interrupt: Some(&interrupt),
            tell: &mut |line| {
                if !quiet {
                    let _ = writeln!(io::stderr(), "{line}");
                }
            },
            colour,
        }
        .search(&mut found)?;
        let page = report::limit::write(directory, &found)?;
        let answer = if self.json {
            // What a pipeline keeps for all to read has no secrets; the file has them.
            redact::json(&report::limit::json(&found)?).into_owned()
        } else if quiet {
            report::limit::line(&found)
        } else {
            report::limit::text(&found, view.color(&io::stdout()))
        };
        super::answer(answer.as_bytes())?;
        if !self.json && !quiet {
            super::answer(format!("\nReport: {}\n", page.display()).as_bytes())?;
        }
        CiReport::default().limit(&found).write()?;
        code(&found, stopped)
    }

    /// What is looked for.
    fn sought(&self) -> Result<LimitSought> {
        let target = self.target.clone().unwrap_or_default();
        let scenario = target.contains("://").then(|| self.made(&target));
        let scenario = scenario.transpose()?;
        let of_a_url = self.command.is_some() || self.file.is_some() || self.cacert.is_some();
        let of_a_url = of_a_url || self.http2;
        if scenario.is_none() && (of_a_url || self.request.operation("")?.is_some()) {
            return Err(Error::usage(
                "--command, --file, --cacert, --http2 and what is said of a request belong to a \
                 URL; a scenario names its own"
                    .to_owned(),
            ));
        }
        if self.from > self.max_rate {
            return Err(Error::usage(format!(
                "the first rate is {}, above the highest of {}; lower --from or raise --max-rate",
                self.from, self.max_rate
            )));
        }
        let mut objectives = self.objectives.clone();
        if !objectives
            .iter()
            .any(|it| it.trim_start().starts_with("error"))
        {
            objectives.push(ERRORS.to_owned());
        }
        let mut settings: Vec<String> = self.set.iter().map(ToString::to_string).collect();
        settings.extend(self.connections.map(|it| format!("load.connections={it}")));
        let profile = self.profile.as_deref();
        let text = scenario::text_with(&target, scenario.as_deref(), profile, &settings);
        Ok(LimitSought {
            target,
            scenario,
            scenario_text: text.ok(),
            work_digest: None,
            objectives,
            trigger: self.trigger.clone(),
            client: self.client.clone(),
            settings,
            profile: self.profile.clone(),
            cool_down_s: self.cool_down.as_secs_f64(),
            restart: self.restart.clone(),
            at_per_s: self.at.map(Rate::as_per_second),
            return_within_s: self.return_within.as_secs_f64(),
            from_per_s: self.from.as_per_second(),
            most_per_s: self.max_rate.as_per_second(),
            tolerance: self.tolerance.get(),
            window_s: self.window.as_secs_f64(),
            operations_min: self.operations,
            warm_up_s: self.warm_up.as_secs_f64(),
            without_advice: self.no_advice,
            trials: self.trials,
            within_s: self.within.unwrap_or(WITHIN).as_secs_f64(),
            steps_max: 0,
            seed: self.seed,
        })
    }

    /// A scenario that only loads a URL.
    fn made(&self, url: &str) -> Result<String> {
        let command = self.command.as_deref().map(super::words_of).transpose()?;
        let command = command.map_or_else(String::new, |words| {
            let words = words.iter().map(|word| quoted(word));
            format!("command = [{}]\n", words.collect::<Vec<_>>().join(", "))
        });
        let path = |file: &PathBuf| {
            let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            quoted(&path.display().to_string())
        };
        let trusted = self.cacert.as_ref();
        let trusted = trusted.map_or_else(String::new, |it| format!("ca = {}\n", path(it)));
        let http2 = if self.http2 { "http2 = true\n" } else { "" };
        let streams = self.streams;
        let streams = streams.map_or_else(String::new, |it| format!("streams = {it}\n"));
        let operations = match (&self.file, self.request.operation(url)?) {
            (Some(file), _) => format!("operations = {}\n", path(file)),
            (None, operation) => operation.unwrap_or_default(),
        };
        // Whoever names a host on the command line is the one who wrote this scenario.
        let hosts: Vec<String> = self.allow_host.iter().map(|host| quoted(host)).collect();
        let safety = if hosts.is_empty() {
            String::new()
        } else {
            format!("[safety]\nhosts = [{}]\n", hosts.join(", "))
        };
        Ok(format!(
            "title = \"How much it can take\"\nclaim = \"It serves what is offered.\"\n\
             warm_up = \"2s\"\nend = \"12s\"\n[target]\nurl = {}\n{command}{trusted}{http2}[load]\n\
             rate = \"{}\"\n{streams}{operations}{safety}",
            quoted(url),
            self.from
        ))
    }

    /// Refuses what no search could show.
    fn can_be_met(&self) -> Result<()> {
        let impossible = |it: &Expected| match it.kind {
            LimitKind::Returns if self.trigger.is_none() => {
                Some("needs a --trigger, which takes service away")
            }
            LimitKind::Returns if self.trials < TRIALS_SHOWN => {
                Some("needs --trials 4 or more: fewer that end alike show nothing")
            }
            _ if it.at_least > self.max_rate => Some("is above --max-rate"),
            _ => None,
        };
        let mut all = self.expect.iter();
        match all.find_map(|it| Some((it, impossible(it)?))) {
            None => Ok(()),
            Some((it, why)) => Err(Error::usage(format!("--expect: `{it}` {why}"))),
        }
    }

    /// The first step, that at the highest rate, the longest, and the worst that a trigger
    /// leads to.
    fn first_and_worst(&self, sought: &LimitSought) -> Vec<Trial> {
        let trial = |stage, rate_per_s| Trial {
            stage,
            rate_per_s,
            window_s: sought.window_s,
            seed: sought.seed,
            measure: None,
        };
        let mut trials = vec![
            trial(LimitStage::Served, sought.from_per_s),
            trial(LimitStage::Served, sought.most_per_s),
            limit::longest(sought),
        ];
        if self.trigger.is_some() {
            trials.push(trial(LimitStage::Returns, sought.from_per_s));
            trials.push(trial(LimitStage::Returns, sought.most_per_s));
        }
        trials
    }
}

/// The exit code of a search.
fn code(found: &LimitFound, stopped: Option<Stopped>) -> Code {
    match stopped {
        Some(Stopped::Signal(signal)) => return Ok(EXIT_SIGNAL_BASE + signal),
        Some(Stopped::Failed(error)) => return Err(error),
        None => {}
    }
    debug_assert!(found.ended != LimitEnded::Going, "it has ended");
    if found.ended == LimitEnded::StayedDown {
        return Ok(EXIT_EXPECTATION);
    }
    let held = |it: &LimitExpectation| it.verdict == LimitVerdict::Holds;
    if !found.expectations.is_empty() {
        let all = found.expectations.iter().all(held);
        return Ok(if all { EXIT_PASSED } else { EXIT_EXPECTATION });
    }
    Ok(match found.served.status {
        LimitStatus::Found | LimitStatus::NoLimit => EXIT_PASSED,
        LimitStatus::Nothing => EXIT_FAILED,
        LimitStatus::NotTheService | LimitStatus::Unknown => EXIT_INVALID,
    })
}

/// What is asked of the user's target, as a digest.
fn work_digest(plan: &Plan) -> Option<String> {
    plan.target.as_ref().map(|target| target.work.digest())
}

/// Refuses to mix steps of two scenarios, targets or machines: one that was changed since,
/// or another of the same name in the folder that this is.
fn unchanged(found: &LimitFound, colour: bool) -> Result<()> {
    let sought = &found.sought;
    let changed = |what: &str| {
        Error::usage(format!(
            "{what} not what it was when this search began; begin a new one, or bring it back"
        ))
    };
    let made = sought.scenario.as_deref();
    let profile = sought.profile.as_deref();
    let text = || scenario::text_with(&sought.target, made, profile, &sought.settings);
    if let Some(own) = &sought.scenario_text
        && *own != text()?
    {
        return Err(changed(&format!("{} is", redact::text(&sought.target))));
    }
    if found.backend == Backend::Sim {
        return Ok(());
    }
    let plan = Plans::new(sought, false, colour)?.of(&limit::longest(sought))?;
    if sought.work_digest.is_some() && sought.work_digest != work_digest(&plan) {
        return Err(changed("what is asked of the target is"));
    }
    if found.machine != machine_facts() {
        return Err(changed("this machine is"));
    }
    Ok(())
}
