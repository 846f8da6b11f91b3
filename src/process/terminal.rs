//! The terminal as one full screen: taken once, and given back however the process ends.
//!
//! Here rather than in `ui`, because a signal that ends the process at once gives it back
//! too. Keys come one by one and unseen, but those that make a signal still make it:
//! Ctrl-C interrupts as ever, from the kernel. Everything is written to standard error;
//! what is written after the terminal was given back goes nowhere.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, TryLockError};
use std::thread;
use std::time::Duration;

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use crate::sync::lock;

/// Alternate screen, no cursor, and pasted text marked as such.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J";
/// The same taken back, and no colour left.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// How long a frame that is being written is waited for, when the terminal is given back:
/// in steps of this, so often.
const PATIENCE: (Duration, u32) = (Duration::from_millis(10), 20);

static TAKEN: AtomicBool = AtomicBool::new(false);
/// The modes that standard input had, where it is a terminal.
static MODES: Mutex<Option<Termios>> = Mutex::new(None);
/// Held while something is being written.
static WRITING: Mutex<()> = Mutex::new(());

/// Takes the terminal, until [`give_terminal_back`]; a panic gives it back as well.
///
/// # Errors
///
/// Where the terminal has it otherwise.
pub(crate) fn take_terminal() -> io::Result<()> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let earlier = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_terminal_back();
            earlier(panic);
        }));
    });
    let input = io::stdin();
    if input.is_terminal() {
        let modes = tcgetattr(&input)?;
        let mut own = modes.clone();
        own.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        // Output that is held by Ctrl-S could never be given back.
        own.input_modes -= InputModes::IXON;
        own.special_codes[SpecialCodeIndex::VMIN] = 1;
        own.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Neither would give the terminal back.
        own.special_codes[SpecialCodeIndex::VSUSP] = 0;
        own.special_codes[SpecialCodeIndex::VQUIT] = 0;
        *lock(&MODES) = Some(modes);
        tcsetattr(&input, OptionalActions::Now, &own)?;
    }
    TAKEN.store(true, Ordering::Release);
    let entered = {
        let _writing = lock(&WRITING);
        let mut out = io::stderr();
        out.write_all(ENTER).and_then(|()| out.flush())
    };
    entered.inspect_err(|_| give_terminal_back())
}

/// Gives the terminal back as it was; nothing where it was not taken.
pub(crate) fn give_terminal_back() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    // First, since it cannot wait for anybody.
    if let Some(modes) = lock(&MODES).take() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    let (step, steps) = PATIENCE;
    for _ in 0..steps {
        let writing = match WRITING.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Ok(writing) => Some(writing),
            Err(TryLockError::Poisoned(writing)) => Some(writing.into_inner()),
        };
        if writing.is_some() {
            let mut out = io::stderr();
            let _ = out.write_all(LEAVE).and_then(|()| out.flush());
            return;
        }
        thread::park_timeout(step);
    }
}

/// Standard error while the terminal is taken: each flush is one write.
#[derive(Debug, Default)]
pub(crate) struct TakenTerminal {
    waiting: Vec<u8>,
}

impl Write for TakenTerminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = std::mem::take(&mut self.waiting);
        let _writing = lock(&WRITING);
        if !TAKEN.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut out = io::stderr();
        out.write_all(&frame).and_then(|()| out.flush())
    }
}
