//! Keys: what a terminal sends, as keys, and the thread that reads them.
//!
//! The thread waits for standard input and for being told to end, whichever comes first;
//! so it costs nothing while nobody types, and never holds up the end of the process.
//! Ctrl-C is no key: the kernel makes a signal of it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};

/// A lone escape is the key once nothing has followed it for so long.
const LONE_ESCAPE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// Bytes of a control sequence at most; longer ones are nobody's.
const SEQUENCE_MAX: usize = 32;
const ESCAPE: u8 = 0x1b;

/// What was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// A character that was pasted, which is text and never a command.
    Pasted(char),
    Enter,
    Backspace,
    Escape,
    /// Page down, an arrow to the right or down, tab.
    Next,
    /// Page up, an arrow to the left or up.
    Previous,
}

/// Makes keys of bytes, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
    pasting: bool,
}

impl Decoder {
    /// The keys that are whole with these bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        for byte in bytes {
            self.pending.push(*byte);
            self.step(&mut keys);
        }
        keys
    }

    /// Whether a sequence has begun that may be none.
    pub(super) const fn waits(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing has followed: an escape was the key.
    pub(super) fn idle(&mut self) -> Option<Key> {
        let alone = self.pending == [ESCAPE];
        self.pending.clear();
        alone.then_some(Key::Escape)
    }

    fn step(&mut self, keys: &mut Vec<Key>) {
        match self.pending.as_slice() {
            [ESCAPE] | [ESCAPE, b'[' | b'O'] => {}
            [ESCAPE, b'[', .., last] => {
                if (0x40..=0x7e).contains(last) {
                    let sequence = std::mem::take(&mut self.pending);
                    keys.extend(self.sequence(&sequence[2..]));
                } else if self.pending.len() > SEQUENCE_MAX {
                    self.pending.clear();
                }
            }
            // Keypads and function keys, and what is pressed with Alt: nobody's.
            [ESCAPE, ..] => self.pending.clear(),
            bytes => {
                let width = match bytes[0] {
                    0..0x80 => 1,
                    0xc2..0xe0 => 2,
                    0xe0..0xf0 => 3,
                    0xf0..0xf5 => 4,
                    // The middle of a character, or none.
                    _ => 0,
                };
                if bytes.len() < width {
                    return;
                }
                let character = str::from_utf8(bytes).ok().and_then(|it| it.chars().next());
                self.pending.clear();
                keys.extend(character.and_then(|character| self.character(character)));
            }
        }
    }

    fn character(&self, character: char) -> Option<Key> {
        Some(match character {
            _ if self.pasting && !character.is_control() => Key::Pasted(character),
            // A line's end within pasted text ends no note.
            '\n' | '\r' | '\t' if self.pasting => Key::Pasted(' '),
            '\n' | '\r' => Key::Enter,
            '\t' => Key::Next,
            '\u{8}' | '\u{7f}' => Key::Backspace,
            _ if character.is_control() => return None,
            _ => Key::Char(character),
        })
    }

    /// What a control sequence means, without its beginning.
    fn sequence(&mut self, sequence: &[u8]) -> Option<Key> {
        match sequence {
            b"200~" => self.pasting = true,
            b"201~" => self.pasting = false,
            b"C" | b"B" | b"6~" => return Some(Key::Next),
            b"D" | b"A" | b"5~" => return Some(Key::Previous),
            _ => {}
        }
        None
    }
}

/// The thread that reads keys; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keyboard {
    ends: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Tells every key from now on; `tell` says whether anybody still listens.
    ///
    /// # Errors
    ///
    /// Where the machine has no descriptor or thread left.
    pub(super) fn listen(tell: impl Fn(Key) -> bool + Send + 'static) -> io::Result<Self> {
        let ends = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let until = Arc::clone(&ends);
        let thread = thread::Builder::new().spawn(move || read_keys(&until, &tell))?;
        Ok(Self {
            ends,
            thread: Some(thread),
        })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = write(&*self.ends, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // It waits for nothing else, so it ends at once.
            let _ = thread.join();
        }
    }
}

fn read_keys(ends: &OwnedFd, tell: &dyn Fn(Key) -> bool) {
    let input = io::stdin();
    let mut decoder = Decoder::default();
    loop {
        let mut waits = [
            PollFd::new(&input, PollFlags::IN),
            PollFd::new(ends, PollFlags::IN),
        ];
        let timeout = decoder.waits().then_some(&LONE_ESCAPE);
        match poll(&mut waits, timeout) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(0) => {
                if decoder.idle().is_some_and(|key| !tell(key)) {
                    return;
                }
                continue;
            }
            Ok(_) => {}
        }
        if !waits[1].revents().is_empty() {
            return;
        }
        let mut bytes = [0; 256];
        match read(&input, &mut bytes) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            // The terminal is gone; a signal says so too.
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if !decoder.push(&bytes[..count]).into_iter().all(tell) {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys_however_they_are_cut() {
        for (bytes, keys) in [
            (&b"1q"[..], vec![Key::Char('1'), Key::Char('q')]),
            (
                "ü€😀".as_bytes(),
                vec![Key::Char('ü'), Key::Char('€'), Key::Char('😀')],
            ),
            (
                b"\r\n\x7f\x08\t",
                vec![
                    Key::Enter,
                    Key::Enter,
                    Key::Backspace,
                    Key::Backspace,
                    Key::Next,
                ],
            ),
            (
                b"\x1b[C\x1b[6~\x1b[A\x1b[1;5Ax",
                vec![Key::Next, Key::Next, Key::Previous, Key::Char('x')],
            ),
            (b"\x1bOPa\x1bb", vec![Key::Char('a')]), // F1, a, Alt-b
            (b"\x80\xff\xc3(a", vec![Key::Char('a')]), // no characters
            (
                b"\x1b[200~s\ny\x1b[201~s",
                vec![
                    Key::Pasted('s'),
                    Key::Pasted(' '),
                    Key::Pasted('y'),
                    Key::Char('s'),
                ],
            ),
            (b"\x00\x01\x02", vec![]),
        ] {
            let whole = Decoder::default().push(bytes);
            assert_eq!(whole, keys, "{bytes:?}");
            let mut decoder = Decoder::default();
            let cut: Vec<_> = bytes
                .iter()
                .flat_map(|byte| decoder.push(&[*byte]))
                .collect();
            assert_eq!(cut, keys, "{bytes:?}");
        }
    }

    #[test]
    fn a_lone_escape_is_a_key_and_an_endless_sequence_is_none() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"\x1b"), []);
        assert!(decoder.waits());
        assert_eq!(decoder.idle(), Some(Key::Escape));
        let endless = [&b"\x1b["[..], &[b'1'; 200]].concat();
        let _ = decoder.push(&endless);
        assert!(decoder.pending.len() <= SEQUENCE_MAX);
    }
}
