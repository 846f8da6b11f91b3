//! An HTTP/2 connection as a machine that is told bytes (RFC 9113).
//!
//! It frames requests, finds the end of each response, and keeps nothing of
//! them; sockets and instants are none of its business. A library was the
//! obvious way and is not taken: what it does around a request costs more than
//! all of this, and hides the instants that are measured.
//!
//! - [`frame`]: the layout of frames
//! - [`fields`]: header fields, HPACK (RFC 7541)
//! - [`answers`]: what comes on streams, and whether it is an answer
//! - [`said`]: what a server says of a request, in words
//! - [`limit`]: how many requests a server takes on a connection
//!
//! The server is told not to use a dynamic header table, so a field block can
//! be read without what came before it. Of a response the status and the stated
//! length are read.

mod answers;
mod fields;
mod frame;
mod limit;
mod said;

use self::answers::Stream;
pub(super) use self::fields::{write_field, write_length};
use self::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_MAX, GOAWAY, HEAD_BYTES, HEADERS, Head,
    PADDED, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
pub(super) use self::limit::RequestsLimit;
pub(super) use self::said::StreamEnd;
use self::said::said;
use bytes::{Buf as _, BytesMut};

use crate::model::FailureCause;
use crate::net::head::HEAD_MAX;

/// What every connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that a server may send unasked: as many as there can be.
const WINDOW_MAX: i64 = (1 << 31) - 1;
/// The window that both sides begin with.
const WINDOW_AT_FIRST: i64 = 65_535;
/// Bytes after which the server is given new room.
const REPLENISH_AT: i64 = 1 << 30;
/// Answers that the protocol demands (to PING and SETTINGS) and that have not
/// been sent, at most.
const OWED_MAX: u32 = 1024;

/// An HTTP/2 connection, from the client's side.
#[derive(Debug)]
pub(super) struct Session {
    /// In the order of their numbers.
    streams: Vec<Stream>,
    next_id: u32,
    streams_max: usize,
    /// What the server allows: one until it has said how many, since it may
    /// refuse what it did not expect.
    streams_allowed: usize,
    settled: bool,
    window: i64,
    window_of_streams: i64,
    /// Bytes of responses since the server was given room.
    received: i64,
    /// A frame that has not come whole.
    input: Vec<u8>,
    /// A field block that goes on in the next frame: its stream, whether the
    /// response ends with it, what has come.
    block: Option<(u32, bool, Vec<u8>)>,
    /// Room in which a value of a field is decoded.
    room: Vec<u8>,
    going_away: bool,
    /// What the server said when it ended the connection, where that was an error.
    farewell: Option<String>,
    /// Requests that it takes in all.
    requests_max: u32,
    /// How many requests the server took, where it ended the connection in good order
    /// and refused others that were under way. Who has asked need not be told again.
    taken: Option<u32>,
    /// Answers that the protocol demands and that have not been sent.
    owed: u32,
}

impl Session {
    /// A connection's beginning, written to `out`; `streams`: requests at a time at
    /// most; `requests_max`: in all.
    pub(super) fn new(streams: u32, requests_max: u32, out: &mut BytesMut) -> Self {
        out.extend_from_slice(PREFACE);
        frame::settings(
            &[
                (frame::HEADER_TABLE_SIZE, 0),
                (frame::ENABLE_PUSH, 0),
                (frame::INITIAL_WINDOW_SIZE, (1 << 31) - 1),
            ],
            out,
        );
        let more = WINDOW_MAX - WINDOW_AT_FIRST;
        frame::window_update(0, more, out);
        Self {
            streams: Vec::new(),
            next_id: 1,
            streams_max: usize::try_from(streams).unwrap_or(usize::MAX),
            streams_allowed: 1,
            settled: false,
            window: WINDOW_AT_FIRST,
            window_of_streams: WINDOW_AT_FIRST,
            received: 0,
            input: Vec::new(),
            block: None,
            room: Vec::new(),
            going_away: false,
            farewell: None,
            requests_max,
            taken: None,
            owed: 0,
        }
    }

    /// Requests that have not been answered.
    pub(super) const fn under_way(&self) -> usize {
        self.streams.len()
    }

    /// Whether it takes no new request, now or ever.
    pub(super) const fn retired(&self) -> bool {
        // The numbers of streams, every other one, are used up at 2³¹.
        self.going_away || self.next_id >= 1 << 31 || self.next_id / 2 >= self.requests_max
    }

    /// How many requests the server takes on a connection, where this one has shown that
    /// since it was last asked.
    pub(super) const fn taken(&mut self) -> Option<u32> {
        self.taken.take()
    }

    /// What the server said when it ended the connection with an error.
    pub(super) fn farewell(&self) -> Option<&str> {
        self.farewell.as_deref()
    }

    /// What a client whose time is over waits for on a stream.
    pub(super) fn waits_for(&self, id: u32) -> FailureCause {
        let stream = self.find(id).map(|index| &self.streams[index]);
        match stream {
            Some(stream) if stream.status > 0 => FailureCause::AnswerUnfinished,
            Some(stream) if !stream.body.is_empty() => FailureCause::RequestUnsent,
            _ => FailureCause::NoAnswer,
        }
    }

    /// Whether the server has said how it is to be spoken to.
    pub(super) const fn settled(&self) -> bool {
        self.settled
    }

    /// Everything that was written has been sent.
    pub(super) const fn sent(&mut self) {
        self.owed = 0;
    }

    /// Notes an answer that the protocol demands: one who asks for more than
    /// it takes wants no conversation.
    const fn owe(&mut self) -> Result<(), FailureCause> {
        self.owed += 1;
        if self.owed > OWED_MAX {
            return Err(FailureCause::BadFrame);
        }
        Ok(())
    }

    /// Whether it takes another request now.
    pub(super) fn has_room(&self) -> bool {
        let most = self.streams_max.min(self.streams_allowed);
        !self.retired() && self.streams.len() < most
    }

    /// Whether nothing more will come of it.
    pub(super) const fn done(&self) -> bool {
        self.retired() && self.streams.is_empty()
    }

    /// Makes a request of a field block and a body: the number of its stream.
    /// `reading`: whether it is a HEAD, and whether the response is kept.
    pub(super) fn open(
        &mut self,
        place: u32,
        reading: (bool, bool),
        block: &[u8],
        body: &[u8],
        out: &mut BytesMut,
    ) -> u32 {
        let id = self.next_id;
        self.next_id += 2;
        let end = if body.is_empty() { END_STREAM } else { 0 };
        let mut pieces = block.chunks(FRAME_MAX);
        let first = pieces.next().unwrap_or_default();
        let last = if pieces.len() == 0 { END_HEADERS } else { 0 };
        frame::write(HEADERS, end | last, id, first, out);
        while let Some(piece) = pieces.next() {
            let last = if pieces.len() == 0 { END_HEADERS } else { 0 };
            frame::write(CONTINUATION, last, id, piece, out);
        }
        let window = self.window_of_streams;
        self.streams
            .push(Stream::new((id, place), reading, window, body));
        if !body.is_empty() {
            let index = self.streams.len() - 1;
            self.send_body(index, out);
        }
        id
    }

    /// Gives a request up.
    pub(super) fn cancel(&mut self, id: u32, out: &mut BytesMut) {
        if let Some(index) = self.find(id) {
            self.streams.remove(index);
            frame::reset(id, frame::CANCEL, out);
        }
    }

    /// Everybody who waits for an answer, and whether it has begun to come.
    pub(super) fn abandon(&mut self) -> Vec<(u32, bool)> {
        let streams = self.streams.drain(..);
        streams
            .map(|stream| (stream.place, stream.status > 0))
            .collect()
    }

    /// Reads on: the result of which place's request on which stream goes to
    /// `answers`, what the protocol asks for to `out`.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        out: &mut BytesMut,
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) -> Result<(), FailureCause> {
        if self.input.is_empty() {
            let used = self.feed_frames(bytes, out, answers)?;
            self.input.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let used = self.feed_frames(&input, out, answers)?;
        input.drain(..used);
        self.input = input;
        Ok(())
    }

    /// Takes every whole frame: the bytes of them.
    fn feed_frames(
        &mut self,
        bytes: &[u8],
        out: &mut BytesMut,
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) -> Result<usize, FailureCause> {
        let mut used = 0;
        while let Some(head) = Head::read(&bytes[used..]) {
            if head.length > FRAME_MAX {
                // Nothing of HTTP/2 has come yet, and this is how HTTP/1.1 answers.
                let http1 = !self.settled && bytes.starts_with(b"HTTP/");
                return Err(if http1 {
                    FailureCause::Http1Instead
                } else {
                    FailureCause::BadFrame
                });
            }
            let start = used + HEAD_BYTES;
            let Some(payload) = bytes.get(start..start + head.length) else {
                break;
            };
            self.take_frame(&head, payload, out, answers)?;
            used = start + head.length;
        }
        Ok(used)
    }

    fn take_frame(
        &mut self,
        head: &Head,
        payload: &[u8],
        out: &mut BytesMut,
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) -> Result<(), FailureCause> {
        if self.block.is_some() && head.kind != CONTINUATION {
            return Err(FailureCause::BadFrame);
        }
        match head.kind {
            DATA => self.take_data(head, payload, out, answers),
            HEADERS => {
                let mut block = unpadded(head, payload)?;
                if head.flags & PRIORITY != 0 {
                    block = block.get(5..).ok_or(FailureCause::BadFrame)?;
                }
                let ended = head.flags & END_STREAM != 0;
                if head.flags & END_HEADERS == 0 {
                    self.block = Some((head.stream, ended, block.to_vec()));
                    return Ok(());
                }
                self.take_fields((head.stream, ended), block, out, answers)
            }
            CONTINUATION => {
                let (stream, ended, mut block) = self.block.take().ok_or(FailureCause::BadFrame)?;
                if stream != head.stream {
                    return Err(FailureCause::BadFrame);
                }
                // One byte too many shows that it is too large: no more is kept.
                let room = (HEAD_MAX + 1).saturating_sub(block.len());
                block.extend_from_slice(&payload[..payload.len().min(room)]);
                if head.flags & END_HEADERS == 0 {
                    self.block = Some((stream, ended, block));
                    return Ok(());
                }
                self.take_fields((stream, ended), &block, out, answers)
            }
            RST_STREAM => {
                let code = frame::number(payload).ok_or(FailureCause::BadFrame)?;
                if let Some(index) = self.find(head.stream) {
                    let stream = self.streams.remove(index);
                    let answer = match code {
                        frame::REFUSED_STREAM => StreamEnd::Refused(said("RST_STREAM", code, b"")),
                        _ => StreamEnd::Reset(said("RST_STREAM", code, b"")),
                    };
                    answers.push((stream.place, stream.id, answer));
                }
                Ok(())
            }
            SETTINGS | PING if head.flags & ACK != 0 => Ok(()),
            SETTINGS => self.take_settings(payload, out),
            PING => {
                if payload.len() != frame::PING_BYTES {
                    return Err(FailureCause::BadFrame);
                }
                self.owe()?;
                frame::write(PING, ACK, 0, payload, out);
                Ok(())
            }
            GOAWAY => self.take_going_away(payload, answers),
            WINDOW_UPDATE => {
                let more = frame::number(payload).ok_or(FailureCause::BadFrame)? & 0x7fff_ffff;
                self.widen(head.stream, more.into(), out)
            }
            PUSH_PROMISE => Err(FailureCause::BadFrame),
            // Priorities, and kinds that nobody knows (section 4.1).
            _ => Ok(()),
        }
    }

    /// The server ends the connection: what it has not heard of, it refuses.
    fn take_going_away(
        &mut self,
        payload: &[u8],
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) -> Result<(), FailureCause> {
        self.going_away = true;
        let last = frame::number(payload).ok_or(FailureCause::BadFrame)? & 0x7fff_ffff;
        let code = payload.get(4..).and_then(frame::number);
        let code = code.ok_or(FailureCause::BadFrame)?;
        let words = said("GOAWAY", code, payload.get(8..).unwrap_or_default());
        let heard_of = self.streams.partition_point(|stream| stream.id <= last);
        let refuses = heard_of < self.streams.len();
        if code != frame::NO_ERROR {
            self.farewell = Some(words.clone());
        } else if refuses && last > 0 {
            // A server that takes so many requests on each connection: one that merely
            // leaves, as when it has been idle, refuses none that it was sent in time.
            self.taken = Some(last.div_ceil(2));
        }
        let unheard = self.streams.drain(heard_of..);
        let unserved = |stream: Stream| {
            let end = StreamEnd::Refused(words.clone());
            (stream.place, stream.id, end)
        };
        answers.extend(unheard.map(unserved));
        Ok(())
    }

    fn take_settings(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), FailureCause> {
        if !payload.len().is_multiple_of(frame::SETTING_BYTES) {
            return Err(FailureCause::BadFrame);
        }
        if !std::mem::replace(&mut self.settled, true) {
            self.streams_allowed = usize::MAX;
        }
        for (name, value) in frame::read_settings(payload) {
            match name {
                frame::MAX_CONCURRENT_STREAMS => {
                    self.streams_allowed = usize::try_from(value).unwrap_or(usize::MAX);
                }
                frame::INITIAL_WINDOW_SIZE => {
                    if i64::from(value) > WINDOW_MAX {
                        return Err(FailureCause::BadFrame);
                    }
                    let change = i64::from(value) - self.window_of_streams;
                    self.window_of_streams = value.into();
                    for stream in &mut self.streams {
                        stream.window += change;
                    }
                }
                // Others, among them larger frames, are allowed and not needed.
                _ => {}
            }
        }
        self.owe()?;
        frame::write(SETTINGS, ACK, 0, &[], out);
        self.send_bodies(out);
        Ok(())
    }

    fn widen(&mut self, id: u32, more: i64, out: &mut BytesMut) -> Result<(), FailureCause> {
        if id == 0 {
            self.window += more;
            if self.window > WINDOW_MAX {
                return Err(FailureCause::BadFrame);
            }
            self.send_bodies(out);
        } else if let Some(index) = self.find(id) {
            self.streams[index].window += more;
            self.send_body(index, out);
        }
        Ok(())
    }

    fn send_bodies(&mut self, out: &mut BytesMut) {
        for index in 0..self.streams.len() {
            self.send_body(index, out);
        }
    }

    /// Sends of a body what the server takes.
    fn send_body(&mut self, index: usize, out: &mut BytesMut) {
        let stream = &mut self.streams[index];
        while !stream.body.is_empty() {
            let room = self.window.min(stream.window).max(0);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let piece = stream.body.len().min(FRAME_MAX).min(room);
            if piece == 0 {
                return;
            }
            let last = piece == stream.body.len();
            let end = if last { END_STREAM } else { 0 };
            frame::write(DATA, end, stream.id, &stream.body[..piece], out);
            stream.body.advance(piece);
            let sent = i64::try_from(piece).unwrap_or(i64::MAX);
            stream.window -= sent;
            self.window -= sent;
        }
    }

    /// The index of a stream under way. Answers mostly come in the order of
    /// requests, so the first is mostly the one.
    fn find(&self, id: u32) -> Option<usize> {
        self.streams.iter().position(|stream| stream.id == id)
    }
}

/// What is between a frame's padding length and its padding (section 6.1).
fn unpadded<'a>(head: &Head, payload: &'a [u8]) -> Result<&'a [u8], FailureCause> {
    if head.flags & PADDED == 0 {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(FailureCause::BadFrame)?;
    let length = rest.len().checked_sub(usize::from(*padding));
    length
        .map(|length| &rest[..length])
        .ok_or(FailureCause::BadFrame)
}

#[cfg(test)]
mod tests;
