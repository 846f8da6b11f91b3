//! Every message of a run, for readers that come, go and come again.
//!
//! A reader asks for what follows a number, so a page that was loaded again, or whose
//! connection broke, loses nothing. A frame that is known better replaces the one before it,
//! which is then no longer kept. Where there are too many messages the oldest frames go
//! first; marks stay.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::message::Message;
use crate::bounds::CONSOLE_MESSAGES_MAX;
use crate::sync::lock;
use crate::units::Nanos;

/// Messages, with who is to be woken by the next one.
#[derive(Debug)]
pub struct Feed {
    messages: Mutex<Messages>,
    /// The number of the newest message.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Messages {
    /// The number of the newest one; they count from 1.
    last: u64,
    texts: BTreeMap<u64, Arc<str>>,
    /// The numbers of those that are frames, by their instant.
    frames: HashMap<Nanos, u64>,
    /// The instants of frames, by their number.
    instants: BTreeMap<u64, Nanos>,
    ended: bool,
}

/// What follows a number.
#[derive(Debug, Default)]
pub struct Batch {
    /// Messages with their numbers, in order.
    pub messages: Vec<(u64, Arc<str>)>,
    /// Whether nothing will follow them.
    pub ended: bool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            messages: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }
}

impl Feed {
    /// Adds a message. What comes after the end is left out.
    pub fn push(&self, at: Nanos, message: &Message) {
        let mut messages = lock(&self.messages);
        if messages.ended {
            return;
        }
        let seq = messages.last + 1;
        messages.last = seq;
        messages.texts.insert(seq, message.numbered(seq, at));
        if matches!(message, Message::Frame(_)) {
            messages.replace_frame(seq, at);
        }
        messages.ended = matches!(message, Message::End(_));
        messages.forget(CONSOLE_MESSAGES_MAX);
        drop(messages);
        self.newest.send_replace(seq);
    }

    /// At most `most` messages that follow a number.
    pub fn after(&self, seq: u64, most: usize) -> Batch {
        let messages = lock(&self.messages);
        let following = messages.texts.range(seq.saturating_add(1)..).take(most);
        let found: Vec<_> = following
            .map(|(seq, text)| (*seq, Arc::clone(text)))
            .collect();
        let reached = found.last().map_or(seq, |(seq, _)| *seq);
        Batch {
            ended: messages.ended && reached >= messages.last,
            messages: found,
        }
    }

    /// Tells when there is a newer message.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

impl Messages {
    /// A frame takes the place of the one of the same instant.
    fn replace_frame(&mut self, seq: u64, at: Nanos) {
        if let Some(before) = self.frames.insert(at, seq) {
            self.texts.remove(&before);
            self.instants.remove(&before);
        }
        self.instants.insert(seq, at);
    }

    /// Lets the oldest go, frames first, until there are no more than `most`.
    fn forget(&mut self, most: usize) {
        while self.texts.len() > most {
            match self.instants.pop_first() {
                Some((seq, at)) => {
                    self.frames.remove(&at);
                    self.texts.remove(&seq);
                }
                None => _ = self.texts.pop_first(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::message::{End, Frame, Mark};

    fn note(label: &str) -> Message {
        Message::Mark(Mark {
            mark: "note",
            label: label.into(),
            ..Mark::default()
        })
    }

    fn numbers(feed: &Feed, seq: u64) -> Vec<u64> {
        let batch = feed.after(seq, usize::MAX);
        batch.messages.iter().map(|(seq, _)| *seq).collect()
    }

    #[test]
    fn a_reader_gets_everything_after_a_number_and_frames_once() {
        let feed = Feed::default();
        let frame = Message::Frame(Box::default());
        feed.push(Nanos::from_secs(1), &frame); // 1, replaced by 3
        feed.push(Nanos::from_secs(1), &note("a"));
        feed.push(Nanos::from_secs(1), &frame);
        feed.push(Nanos::from_secs(2), &frame);
        assert_eq!(numbers(&feed, 0), [2, 3, 4]);
        assert_eq!(numbers(&feed, 3), [4]);
        assert_eq!(numbers(&feed, 99), [0; 0]);
        assert!(!feed.after(4, 9).ended);
        feed.push(Nanos::from_secs(3), &Message::End(End::default()));
        feed.push(Nanos::from_secs(4), &note("too late"));
        assert_eq!(numbers(&feed, 3), [4, 5]);
        assert!(!feed.after(3, 1).ended && feed.after(3, 2).ended && feed.after(5, 2).ended);
    }

    #[test]
    fn where_there_are_too_many_frames_go_before_marks() {
        let mut messages = Messages::default();
        let text: Arc<str> = "".into();
        for seq in 1..=10 {
            messages.texts.insert(seq, Arc::clone(&text));
            if seq % 2 == 0 {
                messages.replace_frame(seq, Nanos(seq));
            }
        }
        messages.forget(7);
        let left: Vec<u64> = messages.texts.keys().copied().collect();
        assert_eq!(left, [1, 3, 5, 7, 8, 9, 10]);
        messages.forget(4);
        let left: Vec<u64> = messages.texts.keys().copied().collect();
        assert_eq!(left, [3, 5, 7, 9]);
        assert!(messages.frames.is_empty() && messages.instants.is_empty());
    }

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        let text = note("two\nlines <b> \u{2028}").numbered(7, Nanos::from_millis(1_500));
        assert!(!text.contains('\n') && text.contains("\"seq\":7,\"t\":1.5,\"kind\":\"mark\""));
        let frame = Frame {
            goodput: Some(f64::NAN),
            ..Frame::default()
        };
        let text = Message::Frame(Box::new(frame)).numbered(1, Nanos::ZERO);
        assert!(text.contains("\"goodput\":null"), "{text}");
    }
}
