//! A run on a full screen of the terminal: figures as sparklines, what happened, and what
//! people may do on keys.
//!
//! Three threads, none of them the run's: the one that tells a view of events and samples,
//! which only adds to the board; one that reads keys; one that draws, five times a second and
//! after every key. What a key asks for is sent to the run as an order with its author, and
//! seen like anybody's once the run has written it down. A terminal that does not read what
//! is drawn holds up nobody: frames are made of the board as it is by then.

mod board;
mod controls;
mod draw;
mod keys;
mod series;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use signal_hook::consts::SIGINT;

use crate::clock::Clock;
use crate::model::{GameOrder, Ordered, Person};
use crate::plan::Plan;
use crate::process::{TakenTerminal, give_terminal_back, take_terminal};
use crate::record::{Event, Observer, Sample};
use crate::sync::lock;
use crate::units::Nanos;
use board::Board;
use controls::Pressed;
use keys::Keyboard;

/// Between two frames, unless a key is pressed.
const FRAME: Duration = Duration::from_millis(200);

/// Whose screen it is.
#[derive(Debug)]
pub(crate) enum ScreenOf {
    /// Of a run, by somebody who may ask for what the plan offers.
    Run(Person, Sender<Ordered>),
    /// Of a load, in which nothing can be asked for.
    Load,
}

/// The view: what is told is kept, and drawn until this is dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    board: Arc<Mutex<Board>>,
    clock: RunClock,
    /// Dropped first, since it holds a sender too.
    keyboard: Option<Keyboard>,
    /// Asks for a frame at once; the drawing ends with the last of them.
    frame: Option<SyncSender<()>>,
    drawing: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal and draws on it, with colour where that is wanted.
    ///
    /// # Errors
    ///
    /// Where the terminal cannot be had so.
    pub(crate) fn open(plan: &Plan, of: ScreenOf, color: bool) -> io::Result<Self> {
        let is_load = matches!(of, ScreenOf::Load);
        let board = Arc::new(Mutex::new(Board::new(plan, !is_load, color)));
        let clock = RunClock::default();
        take_terminal()?;
        let (frame, frames) = mpsc::sync_channel(1);
        let mut screen = Self {
            board: Arc::clone(&board),
            clock: clock.clone(),
            keyboard: None,
            frame: Some(frame.clone()),
            drawing: None,
        };
        let drawn = (Arc::clone(&board), clock);
        let drawing = thread::Builder::new().spawn(move || {
            // A terminal that is gone is no reason to end a run.
            let _ = draw_frames(&drawn.0, &drawn.1, is_load, &frames);
        })?;
        screen.drawing = Some(drawing);
        let orders = Orders::of(of);
        orders.send(GameOrder::Join);
        if !io::stdin().is_terminal() {
            // What comes from a pipe was not pressed by anybody.
            return Ok(screen);
        }
        screen.keyboard = Some(Keyboard::listen(move |key| {
            let pressed = lock(&board).press(key);
            let listens = orders.pressed(pressed);
            // One that is asked for already is as good.
            let _ = frame.try_send(());
            listens
        })?);
        Ok(screen)
    }
}

impl Observer for Screen {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.clock.told(at, matches!(event, Event::LoadStarted));
        lock(&self.board).event(at, event);
    }

    fn sample(&mut self, sample: &Sample) {
        self.clock.told(sample.to, false);
        lock(&self.board).sample(sample);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.keyboard = None;
        self.frame = None;
        if let Some(drawing) = self.drawing.take() {
            // A panic there was printed already.
            let _ = drawing.join();
        }
        give_terminal_back();
    }
}

/// Draws until nobody can ask for a frame any more.
fn draw_frames(
    board: &Mutex<Board>,
    clock: &RunClock,
    is_load: bool,
    frames: &Receiver<()>,
) -> io::Result<()> {
    let mut size = terminal_size();
    let mut terminal = Terminal::with_options(
        CrosstermBackend::new(TakenTerminal::default()),
        TerminalOptions {
            viewport: Viewport::Fixed(size),
        },
    )?;
    loop {
        let now = terminal_size();
        if now != size {
            size = now;
            terminal.resize(size)?;
        }
        terminal.draw(|frame| {
            let mut board = lock(board);
            if let Some(now) = clock.now() {
                board.tick(now);
            }
            draw::draw(&board, is_load, frame);
        })?;
        if let Err(RecvTimeoutError::Disconnected) = frames.recv_timeout(FRAME) {
            return Ok(());
        }
    }
}

/// How large the terminal is; the least that is drawn on where it does not tell.
fn terminal_size() -> Rect {
    let told = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let told = told.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or(Rect::new(0, 0, 80, 24), |size| {
        Rect::new(0, 0, size.ws_col, size.ws_row)
    })
}

/// Where what is asked for goes.
#[derive(Debug)]
struct Orders(Option<(Person, Sender<Ordered>)>);

impl Orders {
    fn of(screen: ScreenOf) -> Self {
        match screen {
            ScreenOf::Run(by, orders) => Self(Some((by, orders))),
            ScreenOf::Load => Self(None),
        }
    }

    fn send(&self, order: GameOrder) {
        if let Some((by, orders)) = &self.0 {
            let by = by.clone();
            // The run has ended: there is nothing left to do.
            let _ = orders.send(Ordered { by, order });
        }
    }

    /// Does what a key led to; whether keys are still wanted, which they always are.
    fn pressed(&self, pressed: Pressed) -> bool {
        match pressed {
            Pressed::Shown => {}
            Pressed::Order(order) => self.send(order),
            Pressed::Interrupt => {
                // The same as Ctrl-C, and the same the second time.
                let _ = signal_hook::low_level::raise(SIGINT);
            }
        }
        true
    }
}

/// The run's time, as nearly as it shows in what is told.
#[derive(Debug, Clone, Default)]
struct RunClock(Arc<Mutex<Option<Reading>>>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Since it was read.
    since: Clock,
    /// The run's time then.
    at: Nanos,
    /// Whether that is known: that the load begins is told before its zero.
    is_known: bool,
}

impl Reading {
    fn now(&self) -> Nanos {
        self.since.now().saturating_add(self.at)
    }
}

impl RunClock {
    /// Something was told that happened at this instant. What is told is late and never
    /// early, so what was least late is right.
    fn told(&self, at: Nanos, load_starts: bool) {
        let mut kept = lock(&self.0);
        let ahead = match *kept {
            None => load_starts,
            Some(reading) => !reading.is_known || at > reading.now(),
        };
        if ahead {
            *kept = Some(Reading {
                since: Clock::start(),
                at,
                is_known: !load_starts,
            });
        }
    }

    fn now(&self) -> Option<Nanos> {
        lock(&self.0).map(|reading| reading.now())
    }
}
