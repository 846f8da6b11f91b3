//! One screen for the room: a page that shows a run as it goes on, and lets people act in it.
//!
//! | file | what it answers |
//! |---|---|
//! | `message` | what pages are sent |
//! | `frames`, `marks`, `standing` | samples and events as messages |
//! | `teller`, `playback`, `ending` | a run that goes on, one that has ended, and its end |
//! | `feed`, `stream` | every message, for readers that come and go |
//! | `access`, `pace`, `game` | who may ask for what, and how often |
//! | `described`, `pages`, `library` | the plan, the page's files, finished runs |
//! | `settings`, `server`, `site`, `connections`, `query` | the address and its routes |
//!
//! It decides nothing about a run and writes no record: it is one more view (`Observer`), and
//! what people ask for goes to the conductor as orders. What is shown is what the journal has.

mod access;
mod connections;
mod described;
mod ending;
mod feed;
mod frames;
mod game;
mod library;
mod marks;
mod message;
mod pace;
mod pages;
mod playback;
mod query;
mod refusal;
mod server;
mod settings;
mod site;
mod stream;
mod teller;

use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

#[cfg(feature = "testing")]
pub use access::{Addresses, Entrant, Keys};
#[cfg(feature = "testing")]
pub use feed::{Batch, Feed};
#[cfg(feature = "testing")]
pub use frames::Frames;
pub use library::RunSource;
#[cfg(feature = "testing")]
pub use message::{End, Frame, HeldWorkers, IncidentClock, Mark, Message, Standing};
#[cfg(feature = "testing")]
pub use playback::playback;
pub use settings::ConsoleSettings;
#[cfg(feature = "testing")]
#[cfg(feature = "testing")]
pub use teller::Teller;

use access as keys;
use game::Game;
use library::Library;
use server::{Listening, Server};
use site::{Content, LiveRun, Site};

use crate::analysis::Findings;
use crate::error::Result;
use crate::model::{GameRole, Ordered};
use crate::plan::Plan;
use crate::record::{Event, Observer, Sample};
use crate::sync::lock;
use crate::units::Nanos;

/// A console, until it is dropped or ended.
#[must_use]
pub struct Console {
    site: Arc<Site>,
    server: Option<Server>,
}

/// The links of a console, with their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// For whoever leads the game.
    pub facilitator: String,
    /// For those who act.
    pub responder: String,
    /// For those who look.
    pub observer: String,
    /// For tools that report what they do elsewhere.
    pub tool: String,
}

/// Tells a console what the run's record is told.
pub struct ConsoleView {
    site: Arc<Site>,
}

impl Console {
    /// A console of a run of this plan, whose orders go to `orders`. It serves from now on.
    ///
    /// # Errors
    ///
    /// Where the settings contradict each other, a file of them cannot be used, or the address
    /// cannot be listened on.
    pub fn start(settings: &ConsoleSettings, plan: &Plan, orders: Sender<Ordered>) -> Result<Self> {
        let feed = Arc::<feed::Feed>::default();
        let teller = teller::Teller::new(plan, Arc::clone(&feed));
        let run = LiveRun {
            plan: plan.clone(),
            width: teller.width(),
            feed,
            teller: Mutex::new(teller),
            game: Mutex::new(Game::new(plan.offers(), Some(orders))),
        };
        Self::serve(settings, Content::Live(Box::new(run)))
    }

    /// A console of finished runs; `only`: the one that is meant where none is named.
    ///
    /// # Errors
    ///
    /// As [`Console::start`].
    pub fn of_runs(
        settings: &ConsoleSettings,
        source: Box<dyn RunSource>,
        only: Option<String>,
    ) -> Result<Self> {
        let library = Library::new(source, only);
        Self::serve(settings, Content::Finished(Arc::new(library)))
    }

    fn serve(settings: &ConsoleSettings, content: Content) -> Result<Self> {
        let tls = settings.encryption()?;
        let listening = Listening::at(settings.address())?;
        let name = settings.name.as_deref();
        let addresses = keys::Addresses::new(listening.address(), name, tls.is_some());
        let site = Arc::new(Site::new(keys::Keys::new(), addresses, content));
        let server = listening.serve(Arc::clone(&site), tls)?;
        Ok(Self {
            site,
            server: Some(server),
        })
    }

    /// Its links.
    pub fn links(&self) -> Links {
        let of = |role| self.site.link(keys::Entrant::Person(role));
        Links {
            facilitator: of(GameRole::Facilitator),
            responder: of(GameRole::Responder),
            observer: of(GameRole::Observer),
            tool: self.site.link(keys::Entrant::Tool),
        }
    }

    /// What is to be told everything that happens in the run.
    pub fn view(&self) -> ConsoleView {
        ConsoleView {
            site: Arc::clone(&self.site),
        }
    }

    /// Tells pages the end and what was found, and stops once they have it, after two seconds
    /// at the latest.
    pub fn end(mut self, findings: &Findings, directory: &Path) {
        if let Some(run) = self.site.live() {
            lock(&run.game).end();
            let report = directory.join("report.html").display().to_string();
            lock(&run.teller).end(Some(findings), Some(report));
        }
        if let Some(server) = self.server.take() {
            server.end();
        }
    }
}

/// A console whose run was never reported: pages are told that much.
impl Drop for Console {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        if let Some(run) = self.site.live() {
            lock(&run.game).end();
            lock(&run.teller).end(None, None);
            server.end();
        }
    }
}

impl Observer for ConsoleView {
    fn event(&mut self, at: Nanos, event: &Event) {
        let Some(run) = self.site.live() else { return };
        if matches!(event, Event::RunEnded { .. }) {
            lock(&run.game).end();
        }
        lock(&run.teller).event(at, event);
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some(run) = self.site.live() {
            lock(&run.teller).sample(sample);
        }
    }
}
