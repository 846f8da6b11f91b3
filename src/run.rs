//! Hands a plan to one backend, and its record to analysis and report; nobody
//! else knows both.

mod agents;
mod load;
mod people;
mod stored;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::agents::Engagement;
use crate::analysis::{self, Findings, SeedFindings, SeedShares, WhatIf};
use crate::clock;
use crate::error::{EXIT_SIGNAL_BASE, Error, Kind, Result};
use crate::explore::{self, Axis, Grid};
use crate::gauges::machine_facts;
use crate::live;
use crate::model::secret;
use crate::plan::Plan;
use crate::process::own_program;
use crate::record::{
    Backend, Event, Header, Observer, Record, Recorder, Sample, StopCause, claim_directory,
    write_private,
};
use crate::report;
use crate::scenario::Setting;
use crate::sim;
use crate::ui;
use crate::units::Nanos;
use crate::{bounds, files};

pub(crate) use agents::{find_agents, serve_agent};
pub(crate) use load::{load, on_screen};
pub(crate) use people::{Room, carried_out, is_run};
pub(crate) use stored::{directories, runs, trend};

/// Where runs land unless `--out` says otherwise.
const REPORTS: &str = "reports";
/// What corrective measures were found to change, beside a run's record.
const WHAT_IF: &str = "what-if.json";
/// What a plan came to with other seeds, beside a run's record.
const SEEDS: &str = "seeds.json";
/// What a sweep found; the first file in its directory.
const SWEEP: &str = "sweep.json";

/// How a run is watched and where it lands.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line of its own"
)]
pub(crate) struct Options {
    /// The run directory; none: a new one under `reports/`.
    pub out: Option<PathBuf>,
    /// Print nothing but the verdict's line.
    pub quiet: bool,
    /// Not even that: the run is a part of something else, which tells its own answer.
    pub silent: bool,
    /// Use colour.
    pub color: bool,
    /// Columns of the terminal on which one live line is rewritten; none: a
    /// plain line each second.
    pub live_width: Option<usize>,
    /// Show a load on a full screen of the terminal.
    pub screen: bool,
    /// Hosts other than this machine that may be sent to.
    pub allowed: Vec<String>,
    /// The words of the command line, which is what makes the run again.
    pub command: Vec<String>,
    /// The file that a load's histograms are written to, an interval at a time.
    pub histograms: Option<PathBuf>,
    /// Agents that send the load, or do the work; none: this process does.
    pub agents: Option<Engagement>,
}

/// Carries out the plan live, writes its reports and prints the answer.
///
/// # Errors
///
/// As [`live::preflight`] and [`live::conduct`]. A run that failed on the way
/// is still reported, marked incomplete, before the error is returned.
pub(crate) fn live(plan: Plan, options: &Options) -> Result<Findings> {
    live_with(plan, options, Room::default())
}

/// The same with others in the room, who watch and may ask for things.
///
/// # Errors
///
/// As [`live`].
pub(crate) fn live_with(plan: Plan, options: &Options, room: Room) -> Result<Findings> {
    let mut plan = plan;
    let mut here = plan.clone();
    if options.agents.is_some() && plan.target.is_some() {
        // The load's connections are those of other machines.
        here.load.connections = 1;
    }
    let warnings = live::preflight(&here, &options.allowed)?;
    let mut source = agents::source(&mut plan, options)?;
    let header = header(plan, Backend::Live, options);
    let directory = directory(&header, options);
    let binary = own_program();
    let mut recorder = Recorder::create(&directory, &header)?;
    let view = ui::progress(
        io::stderr(),
        &header.plan,
        options.live_width,
        options.quiet || room.has_terminal,
    );
    let views = std::iter::once(view).chain(room.views);
    let mut observer: Vec<_> = views.map(ui::Aside::new).collect();
    let cause = live::conduct(
        &header.plan,
        &mut recorder,
        (&binary, &options.allowed),
        &mut *source,
        &warnings,
        room.orders,
        &mut observer,
    );
    drop(observer);
    // Agents are free for others while the reports are written.
    drop(source);
    let reported = read_own(&directory).and_then(|(record, mut findings)| {
        let mut written = write_files(&directory, &record, &findings);
        // The reports are there before what takes its time is computed.
        if written.is_ok() && people::without_people(&directory, &record, &mut findings) {
            written = write_files(&directory, &record, &findings);
        }
        // Where no load began nothing was measured, and the error says it all.
        if cause.is_ok() || load_began(&record) {
            let there = written.is_ok().then_some(directory.as_path());
            tell(there, &record, &findings, options)?;
        }
        if let Some(ended) = room.ended.filter(|_| written.is_ok()) {
            ended(&findings, &directory);
        }
        for reported in room.reported {
            reported(&record, &findings);
        }
        written.map(|()| findings)
    });
    match (cause, reported) {
        (Ok(_), Ok(findings)) => Ok(findings),
        (Ok(StopCause::Interrupted { signal }), Err(error)) => {
            let kind = Kind::Interrupted { signal };
            Err(Error::new(kind, format!("interrupted; {error}")))
        }
        // What ended the run explains why its report may be missing too.
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Where a run lands.
fn directory(header: &Header, options: &Options) -> PathBuf {
    options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(header.started_wall_ms);
        Path::new(REPORTS).join(format!("{}-{stamp}", header.plan.scenario))
    })
}

/// Carries out the plan in virtual time, writes its reports and prints the answer.
///
/// # Errors
///
/// As [`sim::simulate`], and where the record cannot be written. A simulation
/// that met a bound or was interrupted is reported, marked incomplete, before
/// the error is returned.
pub(crate) fn simulated(plan: Plan, bounds: sim::Bounds, options: &Options) -> Result<Findings> {
    let header = header(plan, Backend::Sim, options);
    let directory = directory(&header, options);
    let kept = Recording::create(&directory, &header)?;
    let (_, findings) = simulate_into(kept, &header, bounds, options)?;
    Ok(findings)
}

/// Simulates into a run directory that was taken for it, and reports it.
fn simulate_into(
    mut kept: Recording,
    header: &Header,
    bounds: sim::Bounds,
    options: &Options,
) -> Result<(StopCause, Findings)> {
    let interrupt = live::Interrupt::listen(|| {})?;
    let directory = kept.recorder.directory().to_owned();
    let directory = directory.as_path();
    let mut progress = ui::Simulation::new(&header.plan, options.live_width, options.quiet);
    let simulated = sim::simulate(&header.plan, bounds, &mut kept, &mut |reached, events| {
        progress.reached(io::stderr(), reached, events);
        interrupt
            .signal()
            .map(|signal| StopCause::Interrupted { signal })
    })?;
    progress.clear(io::stderr());
    kept.end()?;
    let (record, findings) = read_own(directory)?;
    let written = write_files(directory, &record, &findings);
    let there = written.is_ok().then_some(directory);
    tell(there, &record, &findings, options)?;
    written?;
    match simulated.cause {
        StopCause::Failed { reason, .. } => Err(Error::failed(reason)),
        cause => Ok((cause, findings)),
    }
}

/// Writes down what is told; the first failure is kept.
struct Recording {
    recorder: Recorder,
    failed: Result<()>,
}

impl Recording {
    fn create(directory: &Path, header: &Header) -> Result<Self> {
        Ok(Self {
            recorder: Recorder::create(directory, header)?,
            failed: Ok(()),
        })
    }

    /// The value, where there is one; else the directory is given up again, so that it can
    /// be named once more.
    fn unless_failed<T>(self, value: Result<T>) -> Result<(Self, T)> {
        match value {
            Ok(value) => Ok((self, value)),
            Err(error) => {
                self.recorder.give_up();
                Err(error)
            }
        }
    }

    /// Sees everything to the kernel; what failed first.
    fn end(mut self) -> Result<()> {
        self.failed.and_then(|()| self.recorder.flush())
    }
}

impl Observer for Recording {
    fn event(&mut self, at: Nanos, event: &Event) {
        if self.failed.is_ok() {
            self.failed = self.recorder.event(at, event);
        }
    }

    fn sample(&mut self, sample: &Sample) {
        if self.failed.is_ok() {
            self.failed = self.recorder.sample(sample);
        }
    }
}

/// What a record of a plan says of itself.
fn header(plan: Plan, backend: Backend, options: &Options) -> Header {
    let mut words = options.command.clone();
    let seeded = |word: &String| word == "--seed" || word.starts_with("--seed=");
    if !words.is_empty() && !words.iter().any(seeded) {
        words.extend(["--seed".to_owned(), plan.seed.to_string()]);
    }
    Header {
        started_wall_ms: clock::wall_millis(),
        machine: machine_facts(),
        command: secret::command_line(&words),
        ..Header::new(plan, backend)
    }
}

/// What was tried of the run's scenario, where that was done.
fn tried(directory: &Path) -> Result<Option<WhatIf>> {
    beside(directory, WHAT_IF)
}

/// A file beside a record, where there is one.
fn beside<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>> {
    let path = directory.join(name);
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::usage(format!("failed to read {}: {cause}", path.display()))
    };
    match files::read_regular(&path, &bounds::RUN_HEADER) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|it| wrong(&it)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(wrong(&cause)),
    }
}

/// Tries every corrective measure on the plan, simulates the plan as it is into
/// a run directory, writes its reports with the table, and prints the table.
///
/// # Errors
///
/// As [`simulated`] and [`explore::what_if`].
pub(crate) fn what_if(
    plan: &Plan,
    seeds: u64,
    pairs: bool,
    bounds: sim::Bounds,
    options: &Options,
) -> Result<StopCause> {
    let header = header(plan.clone(), Backend::Sim, options);
    let directory = directory(&header, options);
    // Before the work, so that nothing is computed in vain.
    let kept = Recording::create(&directory, &header)?;
    let (kept, tried) = kept.unless_failed(explored(options, |progress| {
        agents::elsewhere(options, "measures of a what-if", |elsewhere| {
            explore::what_if(elsewhere, plan, seeds, pairs, bounds, progress)
        })
    }))?;
    let quiet = Options {
        out: Some(directory.clone()),
        quiet: true,
        ..options.clone()
    };
    let (cause, _) = simulate_into(kept, &header, bounds, &quiet)?;
    let page = with_table(&directory, &tried)?;
    if !options.quiet {
        say(report::what_if::text(&tried))?;
    }
    say(format!("\nReport: {}\n", page.display()))?;
    Ok(cause)
}

/// Puts a table into a run directory, and into its reports; where the page is.
///
/// # Errors
///
/// Where there is no run, or a file cannot be written.
pub(crate) fn with_table(directory: &Path, tried: &WhatIf) -> Result<PathBuf> {
    let text = serde_json::to_string_pretty(tried)
        .map_err(|cause| Error::failed(format!("failed to write {WHAT_IF}: {cause}")))?;
    write_private(directory, WHAT_IF, text.as_bytes())?;
    let (record, findings) = read(directory)?;
    report::write_all(directory, &record, &findings, Some(tried))
}

/// Simulates the plan with so many seeds, from its own on, and puts the share of each
/// verdict into a run directory of the first, and into its reports.
///
/// # Errors
///
/// As [`simulated`] and [`explore::seeds`].
pub(crate) fn seeds(
    plan: &Plan,
    seeds: u64,
    bounds: sim::Bounds,
    options: &Options,
) -> Result<i32> {
    let header = header(plan.clone(), Backend::Sim, options);
    let directory = directory(&header, options);
    // Before the work, so that nothing is computed in vain.
    let kept = Recording::create(&directory, &header)?;
    let found = trials(std::slice::from_ref(plan), seeds, bounds, options);
    let (kept, found) = kept.unless_failed(found.map(|found| found.concat()))?;
    let shares = SeedShares::of(&plan.expectations, &found, false);
    let silent = Options {
        out: Some(directory.clone()),
        silent: true,
        ..options.clone()
    };
    let (cause, _) = simulate_into(kept, &header, bounds, &silent)?;
    let page = with_seeds(&directory, &shares)?;
    say(report::seeds::text(&plan.title, &shares, options.quiet))?;
    if !options.quiet {
        say(format!("\nReport: {}\n", page.display()))?;
    }
    match cause {
        StopCause::Interrupted { signal } => Ok(EXIT_SIGNAL_BASE + signal),
        _ => Ok(shares.exit_code()),
    }
}

/// What each plan comes to in virtual time with so many seeds, with a progress line.
///
/// # Errors
///
/// As [`explore::seeds`].
pub(crate) fn trials(
    plans: &[Plan],
    seeds: u64,
    bounds: sim::Bounds,
    options: &Options,
) -> Result<Vec<Vec<SeedFindings>>> {
    explored(options, |progress| {
        agents::elsewhere(options, "seeds of a scenario", |elsewhere| {
            explore::seeds_by(elsewhere, plans, seeds, bounds, progress)
        })
    })
}

/// Puts what other seeds came to into a run directory, and into its reports; where the page
/// is.
///
/// # Errors
///
/// Where there is no run, or a file cannot be written.
pub(crate) fn with_seeds(directory: &Path, shares: &SeedShares) -> Result<PathBuf> {
    write_seeds(directory, shares)?;
    let (record, findings) = read(directory)?;
    let tried = tried(directory)?;
    report::write_all(directory, &record, &findings, tried.as_ref())
}

/// Writes what other seeds came to as JSON.
///
/// # Errors
///
/// Where it cannot be written.
pub(crate) fn write_seeds(directory: &Path, shares: &SeedShares) -> Result<()> {
    let text = serde_json::to_string_pretty(shares)
        .map_err(|cause| Error::failed(format!("failed to write {SEEDS}: {cause}")))?;
    write_private(directory, SEEDS, text.as_bytes())
}

/// Maps a scenario over one or two parameters, into a directory of its own.
///
/// # Errors
///
/// As [`explore::sweep`], and where the files cannot be written.
pub(crate) fn sweep(
    plan_of: &dyn Fn(&[Setting]) -> Result<Plan>,
    axes: (&Axis, Option<&Axis>),
    grid: Grid,
    bounds: sim::Bounds,
    options: &Options,
) -> Result<()> {
    let directory = options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(clock::wall_millis());
        Path::new(REPORTS).join(format!("sweep-{stamp}"))
    });
    // Before the work, so that nothing is computed in vain.
    let claimed = claim_directory(&directory, SWEEP);
    if !claimed.is_ok_and(|claimed| claimed) {
        return Err(Error::usage(format!(
            "{} is not empty or cannot be created; name another directory with --out",
            directory.display()
        )));
    }
    let sweep = explored(options, |progress| {
        agents::elsewhere(options, "points of a map", |elsewhere| {
            explore::sweep_by(elsewhere, plan_of, axes, grid, bounds, progress)
        })
    });
    let sweep = sweep.inspect_err(|_| {
        // The claim goes with it, so that the directory can be named again.
        let _ = fs::remove_file(directory.join(SWEEP));
    })?;
    // First, so that a full disk takes the files and not the answer.
    if !options.quiet {
        say(report::sweep::text(&sweep))?;
    }
    let text = serde_json::to_string_pretty(&sweep)
        .map_err(|cause| Error::failed(format!("failed to write {SWEEP}: {cause}")))?;
    write_private(&directory, SWEEP, text.as_bytes())?;
    write_private(
        &directory,
        "sweep.svg",
        report::sweep::svg(&sweep).as_bytes(),
    )?;
    write_private(
        &directory,
        "sweep.html",
        report::sweep::html(&sweep)?.as_bytes(),
    )?;
    say(format!(
        "\nReport: {}\n",
        directory.join("sweep.html").display()
    ))
}

/// Explores with a progress line, until it is done or a signal ends it.
fn explored<T>(
    options: &Options,
    explore: impl FnOnce(explore::Progress<'_>) -> Result<T>,
) -> Result<T> {
    let interrupt = live::Interrupt::listen(|| {})?;
    let view = ui::Trials::new(options.live_width, options.quiet);
    let found = explore(&|done, all| {
        view.done(io::stderr(), done, all);
        interrupt.signal().is_none()
    });
    view.clear(io::stderr());
    found
}

/// Prints an answer, or a part of one. Who has closed the other end has seen enough of it.
///
/// # Errors
///
/// Where it cannot be printed, for example because the disk is full.
pub(crate) fn say(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Error::failed(format!(
            "failed to print the answer: {cause}"
        ))),
        _ => Ok(()),
    }
}

/// Reads a run directory, prints the answer and writes its reports again. What cannot be
/// written is said, and the answer stands: a directory may be read only, or another's.
///
/// # Errors
///
/// Where there is no run, or the answer cannot be printed.
pub(crate) fn report(directory: &Path, options: &Options) -> Result<Findings> {
    let (record, findings) = read(directory)?;
    let written = write_files(directory, &record, &findings);
    let there = written.is_ok().then_some(directory);
    tell(there, &record, &findings, options)?;
    if let Err(error) = written {
        let _ = writeln!(io::stderr(), "threadbare: {error}");
    }
    Ok(findings)
}

/// Prints the answer; `directory`: where its files lie.
fn tell(
    directory: Option<&Path>,
    record: &Record,
    findings: &Findings,
    options: &Options,
) -> Result<()> {
    if options.silent {
        return Ok(());
    }
    say(if options.quiet {
        report::text::verdict(findings)
    } else {
        report::text::render(record, findings, directory, options.color)
    })
}

/// What a run directory holds, and what it shows.
///
/// # Errors
///
/// Where there is no run.
pub(crate) fn read(directory: &Path) -> Result<(Record, Findings)> {
    let record = Record::open(directory)?;
    let mut findings = analysis::findings(&record);
    findings.seeds = beside(directory, SEEDS)?;
    people::kept(directory, &mut findings)?;
    Ok((record, findings))
}

/// The same of the directory that this run has written: where it cannot be read, the run
/// has failed, and nobody has used it wrongly.
fn read_own(directory: &Path) -> Result<(Record, Findings)> {
    read(directory).map_err(|cause| {
        Error::failed(format!(
            "this run cannot be read back, so its directory was moved or removed meanwhile: {cause}"
        ))
    })
}

/// Writes the reports of a run directory.
fn write_files(directory: &Path, record: &Record, findings: &Findings) -> Result<()> {
    let tried = tried(directory)?;
    report::write_all(directory, record, findings, tried.as_ref()).map(|_| ())
}

/// Whether the record of a run tells of any load.
fn load_began(record: &Record) -> bool {
    let mut events = record.events.iter();
    events.any(|(_, event)| matches!(event, Event::LoadStarted))
}
