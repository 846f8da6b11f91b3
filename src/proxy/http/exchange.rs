//! Requests and answers of one connection, one after the other, with the faults
//! that meet them.
//!
//! A machine between the two pipes: it is told bytes and the time, and pushes what
//! goes on. Which faults meet a request is decided once, when its head is complete
//! (for those downstream, when the answer's is); whether a delay or a hold still
//! lasts is asked of the rules that are in force, so that an undo acts at once.
//! Requests that a client sends ahead wait until the one before is answered.

use bytes::Bytes;

use super::head::{self, Malformed, RequestHead};
use super::orders::{HeadHold, Orders, Rules, kept_until, meeting};
use super::side::{BodyProgress, KeptHead, REQUEST_HEAD_MAX, Side, SideState, pass};
use crate::model::fault::{Ending, Pipe, Stream};
use crate::net::RequestKind;
use crate::net::head::HEAD_MAX;
use crate::units::Nanos;

/// The result of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::proxy) struct Step {
    /// When the next turn is due, whatever arrives.
    pub until: Option<Nanos>,
    /// Whether the connection ends now.
    pub ending: Option<Ending>,
}

/// What the exchange has counted since it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::proxy) struct ExchangeCounters {
    /// Requests whose head was read.
    pub requests: u64,
    /// Answers of the proxy's own.
    pub own_answers: u64,
    /// Heads and bodies that were no HTTP, or too long.
    pub malformed: u64,
    /// Connections that the target closed with a request unanswered.
    pub unanswered: u64,
}

/// What a turn has to do with: the time, the rules in force and both ways.
struct Turn<'a> {
    now: Nanos,
    rules: &'a dyn Rules,
    up: &'a mut Pipe,
    down: &'a mut Pipe,
    step: Step,
}

/// A request under way.
struct PendingRequest {
    head: RequestHead,
    text: Bytes,
}

/// The exchange of one connection.
pub(in crate::proxy) struct Exchange {
    client: Side,
    target: Side,
    asked: Option<PendingRequest>,
    counted: ExchangeCounters,
}

impl Exchange {
    pub(in crate::proxy) fn new() -> Self {
        Self {
            client: Side::new(REQUEST_HEAD_MAX),
            target: Side::new(HEAD_MAX),
            asked: None,
            counted: ExchangeCounters::default(),
        }
    }

    /// Bytes that may be pushed from the client (upstream) or target (downstream).
    pub(in crate::proxy) fn room(&self, stream: Stream) -> usize {
        self.side(stream).room()
    }

    pub(in crate::proxy) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        self.side_mut(stream).inbox.extend_from_slice(bytes);
    }

    pub(in crate::proxy) fn end(&mut self, stream: Stream) {
        self.side_mut(stream).ended = true;
    }

    pub(in crate::proxy) fn counted(&mut self) -> ExchangeCounters {
        std::mem::take(&mut self.counted)
    }

    /// Whether the client has gone, and nothing of it is left to be done.
    pub(in crate::proxy) const fn spent(&self) -> bool {
        self.client.ended && matches!(self.client.state, SideState::Rest)
    }

    /// The target cannot be reached.
    pub(in crate::proxy) fn unreachable(&mut self, now: Nanos, sentence: &str, down: &mut Pipe) {
        self.answer(now, 502, sentence, true, down);
        self.client.state = SideState::Rest;
    }

    /// Lets everything pass that may.
    pub(in crate::proxy) fn turn(
        &mut self,
        now: Nanos,
        rules: &dyn Rules,
        up: &mut Pipe,
        down: &mut Pipe,
    ) -> Step {
        let mut turn = Turn {
            now,
            rules,
            up,
            down,
            step: Step::default(),
        };
        loop {
            turn.step.until = None;
            let asked = self.ask(&mut turn);
            if turn.step.ending.is_some() {
                return turn.step;
            }
            let answered = self.reply(&mut turn);
            if turn.step.ending.is_some() || !(asked || answered) {
                return turn.step;
            }
        }
    }

    /// The client's side: whether something happened.
    fn ask(&mut self, turn: &mut Turn<'_>) -> bool {
        match self.client.state {
            SideState::Head => self.read_request(turn),
            SideState::HeadKept { .. } => self
                .waits(Stream::Upstream, turn)
                .unwrap_or_else(|| self.release_request(turn)),
            SideState::Body { .. } | SideState::Tunnel => {
                match pass(&mut self.client, turn.now, turn.up) {
                    Ok(BodyProgress::Nothing) => false,
                    Ok(BodyProgress::Some) => true,
                    Ok(BodyProgress::All { discarded }) => {
                        // What the proxy answered itself is over with the request's body.
                        if discarded {
                            self.asked = None;
                        }
                        true
                    }
                    Err(Malformed) => self.refuse(turn, 400, "the request's body is malformed"),
                }
            }
            SideState::Rest => {
                self.client.inbox.clear();
                false
            }
        }
    }

    /// Whether something happened while a head is kept; none where it goes on now.
    fn waits(&self, stream: Stream, turn: &mut Turn<'_>) -> Option<bool> {
        let SideState::HeadKept { since, met, .. } = &self.side(stream).state else {
            return Some(false);
        };
        match kept_until(*since, met, turn.rules) {
            // Nobody waits for it any more, and the target never sees a request.
            HeadHold::Held if self.client.ended => {
                turn.step.ending = Some(Ending::Close);
                Some(true)
            }
            HeadHold::Held => Some(false),
            HeadHold::Until(at) if at > turn.now => {
                sooner(&mut turn.step.until, at);
                Some(false)
            }
            HeadHold::Until(_) => None,
        }
    }

    /// Takes the head that was kept, and what the faults that met it demand of it; none
    /// where they reset the connection.
    fn released(&mut self, stream: Stream, turn: &mut Turn<'_>) -> Option<(KeptHead, Orders)> {
        let state = std::mem::replace(&mut self.side_mut(stream).state, SideState::Rest);
        let SideState::HeadKept { kept, met, .. } = state else {
            return None;
        };
        let orders = Orders::of(&met, turn.rules);
        if orders.abort {
            turn.step.ending = Some(Ending::Reset);
            return None;
        }
        Some((kept, orders))
    }

    fn read_request(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.asked.is_some() || self.client.inbox.is_empty() {
            // A client that goes while it waits: the target may want to know.
            return self.no_more_requests(turn);
        }
        match head::request(&self.client.inbox) {
            Ok(Some(head)) if head.length <= REQUEST_HEAD_MAX => {
                self.counted.requests += 1;
                let text = self.client.inbox.split_to(head.length).freeze();
                self.client.state = SideState::HeadKept {
                    met: meeting(turn.rules, Stream::Upstream, &text),
                    since: turn.now,
                    kept: KeptHead {
                        head: text.clone(),
                        body: head.body,
                        tunnel: false,
                    },
                };
                self.asked = Some(PendingRequest { head, text });
                true
            }
            Ok(None) if self.client.ended => {
                self.client.inbox.clear();
                self.no_more_requests(turn)
            }
            Ok(None) if self.client.inbox.len() <= REQUEST_HEAD_MAX => false,
            Ok(_) => {
                let sentence =
                    format!("the request's head is longer than {REQUEST_HEAD_MAX} bytes");
                self.refuse(turn, 431, &sentence)
            }
            Err(Malformed) => self.refuse(turn, 400, "the request is not HTTP/1.1"),
        }
    }

    /// Where the client has ended and nothing of it is left, so does what it sends.
    fn no_more_requests(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.client.ended && self.client.inbox.is_empty() {
            turn.up.end(turn.now);
            self.client.state = SideState::Rest;
        }
        false
    }

    /// Sends a request on that nothing keeps any more.
    fn release_request(&mut self, turn: &mut Turn<'_>) -> bool {
        let released = self.released(Stream::Upstream, turn);
        let (Some((KeptHead { head, body, .. }, orders)), Some(asked)) = (released, &self.asked)
        else {
            return true;
        };
        let Some(status) = orders.status else {
            turn.up.push(turn.now, orders.edited(head));
            self.client.state = SideState::Body {
                body,
                cut: orders.cut,
                discard: false,
            };
            return true;
        };
        let closes = asked.head.last;
        self.answer(turn.now, status, "a fault of the proxy", closes, turn.down);
        if !closes {
            self.client.state = SideState::Body {
                body,
                cut: None,
                discard: true,
            };
        }
        true
    }

    /// The target's side: whether something happened.
    fn reply(&mut self, turn: &mut Turn<'_>) -> bool {
        match self.target.state {
            SideState::Head => self.read_answer(turn),
            SideState::HeadKept { .. } => self
                .waits(Stream::Downstream, turn)
                .unwrap_or_else(|| self.release_answer(turn)),
            SideState::Body { .. } | SideState::Tunnel => {
                match pass(&mut self.target, turn.now, turn.down) {
                    Ok(BodyProgress::Nothing) => false,
                    Ok(BodyProgress::Some) => true,
                    Ok(BodyProgress::All { .. }) => {
                        self.asked = None;
                        true
                    }
                    Err(Malformed) => {
                        self.counted.malformed += 1;
                        turn.down.end(turn.now);
                        turn.up.end(turn.now);
                        self.target.state = SideState::Rest;
                        true
                    }
                }
            }
            SideState::Rest => {
                self.target.inbox.clear();
                false
            }
        }
    }

    fn read_answer(&mut self, turn: &mut Turn<'_>) -> bool {
        let inbox = &mut self.target.inbox;
        if inbox.is_empty() {
            if self.target.ended {
                self.counted.unanswered += u64::from(self.asked.is_some());
                turn.down.end(turn.now);
                self.target.state = SideState::Rest;
            }
            return false;
        }
        let Some(asked) = &self.asked else {
            return self.not_an_answer(turn); // nobody asked
        };
        match head::answer(inbox, asked.head.kind) {
            Ok(Some(head)) if head.length <= HEAD_MAX => {
                let text = inbox.split_to(head.length).freeze();
                if matches!(head.status, 100 | 102..200) {
                    turn.down.push(turn.now, text); // a word ahead of the answer
                    return true;
                }
                let granted =
                    asked.head.kind == RequestKind::Connect && (200..300).contains(&head.status);
                self.target.state = SideState::HeadKept {
                    met: meeting(turn.rules, Stream::Downstream, &asked.text),
                    since: turn.now,
                    kept: KeptHead {
                        head: text,
                        body: head.body,
                        tunnel: granted || head.status == 101,
                    },
                };
                true
            }
            Ok(None) if inbox.len() <= HEAD_MAX && !self.target.ended => false,
            _ => self.not_an_answer(turn),
        }
    }

    fn not_an_answer(&mut self, turn: &mut Turn<'_>) -> bool {
        self.counted.malformed += 1;
        if self.asked.is_some() {
            let sentence = "the target's answer is not HTTP/1.1";
            self.answer(turn.now, 502, sentence, true, turn.down);
        } else {
            turn.down.end(turn.now);
        }
        self.target.state = SideState::Rest;
        self.client.state = SideState::Rest;
        true
    }

    fn release_answer(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some((kept, orders)) = self.released(Stream::Downstream, turn) else {
            return true;
        };
        turn.down.push(turn.now, orders.edited(kept.head));
        if kept.tunnel {
            self.client.state = SideState::Tunnel;
            self.target.state = SideState::Tunnel;
        } else {
            self.target.state = SideState::Body {
                body: kept.body,
                cut: orders.cut,
                discard: false,
            };
        }
        true
    }

    /// Answers in the target's place.
    fn answer(&mut self, now: Nanos, status: u16, sentence: &str, closes: bool, down: &mut Pipe) {
        self.counted.own_answers += 1;
        let asked = self.asked.as_ref().map(|asked| asked.head.kind);
        let mut text = head::own_answer(status, sentence, closes);
        if asked == Some(RequestKind::Head) || matches!(status, 204 | 304) {
            let body = text.windows(4).position(|end| end == b"\r\n\r\n");
            text.truncate(body.map_or(text.len(), |at| at + 4));
        }
        down.push(now, text.into());
        if closes {
            down.end(now);
        }
    }

    /// Answers that this is no request, and hears no more.
    fn refuse(&mut self, turn: &mut Turn<'_>, status: u16, sentence: &str) -> bool {
        self.counted.malformed += 1;
        self.answer(turn.now, status, sentence, true, turn.down);
        self.client.state = SideState::Rest;
        self.target.state = SideState::Rest;
        true
    }

    const fn side(&self, stream: Stream) -> &Side {
        match stream {
            Stream::Upstream => &self.client,
            Stream::Downstream => &self.target,
        }
    }

    const fn side_mut(&mut self, stream: Stream) -> &mut Side {
        match stream {
            Stream::Upstream => &mut self.client,
            Stream::Downstream => &mut self.target,
        }
    }
}

/// Makes it no later than `at`.
pub(in crate::proxy) fn sooner(until: &mut Option<Nanos>, at: Nanos) {
    *until = Some(until.map_or(at, |until| until.min(at)));
}

#[cfg(test)]
mod tests;
