//! Finished runs in a folder: which there are, one of them opened, two compared.
//!
//! How a run is found, read and compared is known to those who run and compare; they hand
//! it in. What a page names is looked up in their list, so it is never a path of its own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::access::Secret;
use super::feed::Feed;
use super::frames::Frames;
use super::playback::playback;
use super::refusal::Refusal;
use crate::analysis::Findings;
use crate::analysis::trend::RunLine;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::{Event, Record};
use crate::sync::lock;
use crate::units::Nanos;

/// Runs that are kept open at a time: what a few people look at.
const OPEN_MAX: usize = 4;
/// Pages that were made to be shown and are kept at a time.
const PAGES_MAX: usize = 8;
/// How long the address of a page that was made is good for.
const PAGE_FOR: Nanos = Nanos::from_secs(600);

/// Where finished runs come from.
pub trait RunSource: Send + Sync {
    /// What it is called: the folder.
    fn name(&self) -> String;
    /// Every run, the newest first.
    ///
    /// # Errors
    ///
    /// Where there is none.
    fn list(&self) -> Result<Vec<RunLine>>;
    /// A run's record, and what was found in it.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn open(&self, directory: &str) -> Result<(Record, Findings)>;
    /// A run's report, as a page.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    fn report(&self, directory: &str) -> Result<String>;
    /// Two runs against each other, as a page.
    ///
    /// # Errors
    ///
    /// Where one cannot be read.
    fn comparison(&self, base: &str, candidate: &str) -> Result<String>;
}

/// A finished run, ready to be played.
#[derive(Debug)]
pub(super) struct OpenRun {
    pub(super) plan: Plan,
    pub(super) width: Nanos,
    pub(super) feed: Arc<Feed>,
}

/// Runs of a source, with what is open of them.
pub(super) struct Library {
    source: Box<dyn RunSource>,
    known: Mutex<HashSet<String>>,
    open: Mutex<Vec<(String, Arc<OpenRun>)>>,
    pages: Mutex<Vec<(Secret, Nanos, String)>>,
    /// The run that is meant where none is named.
    only: Option<String>,
}

impl Library {
    /// Of a source; `only`: the one run that it is of.
    pub(super) fn new(source: Box<dyn RunSource>, only: Option<String>) -> Self {
        Self {
            source,
            known: Mutex::default(),
            open: Mutex::default(),
            pages: Mutex::default(),
            only,
        }
    }

    /// The run that is meant where none is named.
    pub(super) fn only(&self) -> Option<&str> {
        self.only.as_deref()
    }

    /// Every run, as the page lists them.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub(super) fn list(&self) -> std::result::Result<Value, Refusal> {
        let lines = self.source.list().map_err(|cause| unreadable(&cause))?;
        let names = lines.iter().map(|line| line.directory.clone());
        *lock(&self.known) = names.collect();
        Ok(json!({ "folder": self.source.name(), "runs": lines }))
    }

    /// A run of the list, opened.
    ///
    /// # Errors
    ///
    /// Where it is not of the list, or cannot be read.
    pub(super) fn run(&self, named: Option<&str>) -> std::result::Result<Arc<OpenRun>, Refusal> {
        let directory = self.named(named)?;
        let mut known = lock(&self.open);
        if let Some((_, run)) = known.iter().find(|(own, _)| *own == directory) {
            return Ok(Arc::clone(run));
        }
        let opened = self.source.open(&directory);
        let (record, findings) = opened.map_err(|cause| unreadable(&cause))?;
        let plan = record.header.plan.clone();
        let last = record.events.last();
        let ended = last.map_or(Nanos::ZERO, |(at, _)| *at);
        // One that still goes on is read again the next time.
        let is_over = last.is_some_and(|(_, event)| matches!(event, Event::RunEnded { .. }));
        let run = Arc::new(OpenRun {
            width: Frames::finished(&plan, ended).width(),
            feed: playback(&record, &findings, Some(format!("{directory}/report.html"))),
            plan,
        });
        if !is_over {
            return Ok(run);
        }
        if known.len() >= OPEN_MAX {
            known.remove(0);
        }
        known.push((directory, Arc::clone(&run)));
        Ok(run)
    }

    /// Makes a run's report, or the comparison of two runs: the path of its page.
    ///
    /// # Errors
    ///
    /// Where a run is not of the list, or the page cannot be made.
    pub(super) fn page(
        &self,
        now: Nanos,
        run: Option<&str>,
        compared: Option<(&str, &str)>,
    ) -> std::result::Result<String, Refusal> {
        let made = match compared {
            Some((base, candidate)) => {
                let (base, candidate) = (self.named(Some(base))?, self.named(Some(candidate))?);
                self.source.comparison(&base, &candidate)
            }
            None => self.source.report(&self.named(run)?),
        };
        let html = made.map_err(|cause| unreadable(&cause))?;
        let mut pages = lock(&self.pages);
        if pages.len() >= PAGES_MAX {
            pages.remove(0);
        }
        let ticket = Secret::new();
        let path = format!("/shown/{}", ticket.text());
        pages.push((ticket, now, html));
        Ok(path)
    }

    /// A page that was made.
    ///
    /// # Errors
    ///
    /// Where there is none, or it was made too long ago.
    pub(super) fn shown(&self, now: Nanos, ticket: &str) -> std::result::Result<String, Refusal> {
        let mut pages = lock(&self.pages);
        pages.retain(|(_, made, _)| now.saturating_sub(*made) < PAGE_FOR);
        let found = pages.iter().find(|(own, ..)| own.is(ticket));
        found
            .map(|(_, _, html)| html.clone())
            .ok_or_else(|| Refusal::unknown("this page was made too long ago; open it again"))
    }

    /// The directory of a run, where the list has it.
    fn named(&self, named: Option<&str>) -> std::result::Result<String, Refusal> {
        let directory = named.or_else(|| self.only());
        let directory = directory.ok_or_else(|| Refusal::new(400, "name a run of the list"))?;
        let is_known = || lock(&self.known).contains(directory);
        if self.only() == Some(directory) || is_known() {
            return Ok(directory.to_owned());
        }
        // It may have been made since the list was.
        self.list()?;
        if is_known() {
            return Ok(directory.to_owned());
        }
        Err(Refusal::unknown("there is no such run in the list"))
    }
}

fn unreadable(cause: &Error) -> Refusal {
    Refusal::new(500, cause.to_string())
}
