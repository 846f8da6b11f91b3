//! A load on the user's target, and the full screen that a run or a load may have.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::mpsc;

use super::{Options, Recording, Room, agents, header, read_own, write_files};
use crate::analysis::{self, Findings};
use crate::error::{Error, Result};
use crate::live;
use crate::load::{Endpoint, Work};
use crate::model::Person;
use crate::plan::Plan;
use crate::record::{Backend, Header, IntervalLog, Observer, Record, Tally, open_anew};
use crate::ui;

/// Offers a plan's load to the user's target, and keeps of it what does not grow with the
/// run: one sample for each source; in a run directory everything, where one is wanted.
/// Besides what was measured, whether that could be written down: it is an answer either way.
/// `views` are told everything that happens, each on a thread of its own.
///
/// # Errors
///
/// As [`live::offer_from`], and where nothing can be written to begin with.
pub(crate) fn load(
    mut plan: Plan,
    endpoint: Endpoint,
    work: Work,
    options: &Options,
    views: Vec<Box<dyn Observer + Send>>,
) -> Result<(Record, Findings, Result<()>)> {
    let mut source = agents::source(&mut plan, options)?;
    let header = header(plan, Backend::Live, options);
    let view: Box<dyn Observer + Send> = if options.screen {
        let screen = ui::Screen::open(&header.plan, ui::ScreenOf::Load, options.color);
        Box::new(screen.map_err(|cause| no_screen(&cause))?)
    } else {
        ui::progress(
            io::stderr(),
            &header.plan,
            options.live_width,
            options.quiet,
        )
    };
    let directory = options.out.as_deref();
    let kept = directory.map(|directory| Recording::create(directory, &header));
    let kept = kept.transpose()?;
    let file = options.histograms.as_deref();
    let log = file.map(|file| interval_log(file, &header)).transpose()?;
    let asides: Vec<_> = std::iter::once(view)
        .chain(views)
        .map(ui::Aside::new)
        .collect();
    let mut watching = (((asides, Tally::new(&header.plan)), log), kept);
    live::offer_from(&mut *source, &header.plan, endpoint, work, &mut watching)?;
    drop(source);
    let (((asides, tally), log), kept) = watching;
    drop(asides);
    let ended = kept.map_or(Ok(()), Recording::end);
    let logged = match (file, log) {
        (Some(file), Some(log)) => log.end().map_err(|cause| histograms_error(file, &cause)),
        _ => Ok(()),
    };
    let tallied = tally.into_records(header);
    let recorded = ended.and_then(|()| directory.map(read_own).transpose());
    let (findings, written) = match (directory, recorded) {
        // In the whole record every bucket is there.
        (Some(directory), Ok(Some((record, findings)))) => {
            let written = write_files(directory, &record, &findings);
            (findings, written)
        }
        (_, recorded) => (analysis::load_findings(&tallied), recorded.map(|_| ())),
    };
    Ok((tallied.whole, findings, written.and(logged)))
}

/// A run on a full screen of the terminal, with orders of who sits there.
///
/// # Errors
///
/// Where the terminal cannot be had so.
pub(crate) fn on_screen(plan: &Plan, by: Person, color: bool) -> Result<Room> {
    let (orders, inbox) = mpsc::channel();
    let screen = ui::Screen::open(plan, ui::ScreenOf::Run(by, orders), color);
    Ok(Room {
        views: vec![Box::new(screen.map_err(|cause| no_screen(&cause))?)],
        orders: Some(inbox),
        has_terminal: true,
        ..Room::default()
    })
}

fn no_screen(cause: &io::Error) -> Error {
    Error::failed(format!(
        "failed to take the terminal for --screen: {cause}; leave it out to have lines"
    ))
}

/// Where a load's histograms are written.
fn interval_log(file: &Path, header: &Header) -> Result<IntervalLog<BufWriter<File>>> {
    open_anew(file)
        .and_then(|opened| IntervalLog::begin(BufWriter::new(opened), header.started_wall_ms))
        .map_err(|cause| histograms_error(file, &cause))
}

fn histograms_error(file: &Path, cause: &io::Error) -> Error {
    let file = file.display();
    Error::failed(format!(
        "failed to write the histograms to {file}: {cause}; free some space or name another file \
         with --hdr"
    ))
}
