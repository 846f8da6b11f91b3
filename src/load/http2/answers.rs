//! What comes on streams: answers, and what is none.
//!
//! A malformed answer ends its stream and no other (RFC 9113, section 8.1.1).

use bytes::{Bytes, BytesMut};

use super::fields::Fields;
use super::frame::{self, END_STREAM, Head};
use super::said::{StreamEnd, looks, retry_after};
use super::{REPLENISH_AT, Session, unpadded};
use crate::load::codec::{Response, see};
use crate::model::{Content, FailureCause};
use crate::net::framing::{Framing, FramingFields, RequestKind};
use crate::net::head::{FIELDS_MAX, HEAD_MAX, INTERIM_MAX};
use crate::units::Nanos;

/// A request under way.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    /// Who is told.
    pub(super) place: u32,
    /// What it asks for, as far as the answer's body depends on it.
    kind: RequestKind,
    /// The response's status; 0 until it has come.
    pub(super) status: u16,
    /// How long the server asks to be left alone.
    retry_after: Option<Nanos>,
    interim: u8,
    /// Bytes of the response's body that are still to come, where it says how many.
    left: Option<u64>,
    /// Bytes of the body that the server takes.
    pub(super) window: i64,
    /// Bytes of the response since the server was given room.
    received: i64,
    /// What of the body waits for room.
    pub(super) body: Bytes,
    /// What is kept of the response, where anything is.
    content: Option<Box<Content>>,
    /// How the response looks, where it may be a failure.
    seen: Vec<u8>,
}

/// Why what came is no answer, and what that ends.
enum Wrong {
    /// The connection: nothing on it can be read any more.
    Connection(FailureCause),
    /// The stream.
    Stream(FailureCause),
}

impl From<FailureCause> for Wrong {
    fn from(cause: FailureCause) -> Self {
        Self::Connection(cause)
    }
}

impl Stream {
    /// A request that was made; `to_head`: by HEAD; `keep`: its response is kept.
    pub(super) fn new(
        (id, place): (u32, u32),
        (to_head, keep): (bool, bool),
        window: i64,
        body: &[u8],
    ) -> Self {
        Self {
            id,
            place,
            kind: if to_head {
                RequestKind::Head
            } else {
                RequestKind::Other
            },
            status: 0,
            retry_after: None,
            interim: 0,
            left: None,
            window,
            received: 0,
            body: Bytes::copy_from_slice(body),
            content: keep.then(Box::default),
            seen: Vec::new(),
        }
    }

    /// Takes a field block: of a response, of an interim one, or of trailers.
    fn take_block(&mut self, ended: bool, block: &[u8], room: &mut Vec<u8>) -> Result<(), Wrong> {
        if block.len() > HEAD_MAX {
            return Err(Wrong::Stream(FailureCause::HeadTooLarge));
        }
        if self.status > 0 {
            // Trailers are the last of a response.
            return if ended {
                Ok(())
            } else {
                Err(Wrong::Stream(FailureCause::BadFrame))
            };
        }
        let stated = Fields::new(block).stated(room)?;
        if stated.fields > FIELDS_MAX {
            return Err(Wrong::Stream(FailureCause::HeadTooLarge));
        }
        let status = stated.status();
        match status.ok_or(Wrong::Stream(FailureCause::BadFields))? {
            101 => {
                self.seen = looks(101, block);
                Err(Wrong::Stream(FailureCause::Upgraded))
            }
            100..=199 if ended => Err(Wrong::Stream(FailureCause::Truncated)),
            100..=199 => self.take_interim(),
            status => self.take_head(status, stated.lengths, block),
        }
    }

    const fn take_interim(&mut self) -> Result<(), Wrong> {
        self.interim += 1;
        if self.interim > INTERIM_MAX {
            return Err(Wrong::Stream(FailureCause::InterimFlood));
        }
        Ok(())
    }

    fn take_head(
        &mut self,
        status: u16,
        lengths: FramingFields,
        block: &[u8],
    ) -> Result<(), Wrong> {
        self.status = status;
        self.retry_after = retry_after(status, block);
        if status >= 300 {
            self.seen = looks(status, block);
        }
        if let Some(content) = &mut self.content {
            Fields::new(block).keep(&mut content.headers)?;
        }
        match lengths.response(self.kind, status) {
            Ok(Framing::Length(length)) => self.left = Some(length),
            // It is over where its stream is.
            Ok(_) => {}
            Err(_) => {
                self.seen = looks(status, block);
                return Err(Wrong::Stream(FailureCause::BadLength));
            }
        }
        Ok(())
    }

    /// Takes a piece of the response's body.
    fn take_piece(&mut self, data: &[u8]) -> Result<(), FailureCause> {
        if self.status == 0 {
            return Err(FailureCause::BadFrame);
        }
        if let Some(left) = &mut self.left {
            let less = left.checked_sub(data.len() as u64);
            *left = less.ok_or(FailureCause::BadLength)?;
        }
        if let Some(content) = &mut self.content {
            content.add(data);
        }
        if !self.seen.is_empty() {
            see(&mut self.seen, data);
        }
        Ok(())
    }

    /// The result, now that there is no more.
    fn end(self) -> StreamEnd {
        if self.left.is_some_and(|left| left > 0) {
            return self.fail(FailureCause::Truncated);
        }
        let response = Response {
            status: self.status,
            keep_alive: true,
            retry_after: self.retry_after,
        };
        StreamEnd::Response {
            response,
            content: self.content,
            seen: self.seen,
        }
    }

    fn fail(self, cause: FailureCause) -> StreamEnd {
        let seen = self.seen;
        StreamEnd::Failed { cause, seen }
    }
}

impl Session {
    pub(super) fn take_data(
        &mut self,
        head: &Head,
        payload: &[u8],
        out: &mut BytesMut,
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) -> Result<(), FailureCause> {
        let bytes = i64::try_from(payload.len()).unwrap_or(i64::MAX);
        let data = unpadded(head, payload)?;
        self.received += bytes;
        if self.received >= REPLENISH_AT {
            frame::window_update(0, std::mem::take(&mut self.received), out);
        }
        // Of a stream that was given up, or never was, nobody wants to know.
        let Some(index) = self.find(head.stream) else {
            return self.known(head.stream);
        };
        let stream = &mut self.streams[index];
        if let Err(cause) = stream.take_piece(data) {
            self.fail(index, cause, out, answers);
            return Ok(());
        }
        stream.received += bytes;
        if stream.received >= REPLENISH_AT {
            frame::window_update(stream.id, std::mem::take(&mut stream.received), out);
        }
        if head.flags & END_STREAM != 0 {
            self.end(index, out, answers);
        }
        Ok(())
    }

    /// A field block; `ended`: nothing follows it.
    pub(super) fn take_fields(
        &mut self,
        (id, ended): (u32, bool),
        block: &[u8],
        out: &mut BytesMut,
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) -> Result<(), FailureCause> {
        let Some(index) = self.find(id) else {
            return self.known(id);
        };
        let stream = &mut self.streams[index];
        if stream.status == 0 && !ended {
            answers.push((stream.place, stream.id, StreamEnd::Began));
        }
        match stream.take_block(ended, block, &mut self.room) {
            Ok(()) if ended => self.end(index, out, answers),
            Ok(()) => {}
            Err(Wrong::Stream(cause)) => self.fail(index, cause, out, answers),
            Err(Wrong::Connection(cause)) => return Err(cause),
        }
        Ok(())
    }

    /// A stream that is not under way must at least have been.
    const fn known(&self, id: u32) -> Result<(), FailureCause> {
        if id % 2 == 1 && id < self.next_id {
            Ok(())
        } else {
            Err(FailureCause::BadFrame)
        }
    }

    fn end(&mut self, index: usize, out: &mut BytesMut, answers: &mut Vec<(u32, u32, StreamEnd)>) {
        let stream = self.streams.remove(index);
        if !stream.body.is_empty() {
            // Answered before all of it was sent, and nobody wants the rest.
            frame::reset(stream.id, frame::CANCEL, out);
        }
        answers.push((stream.place, stream.id, stream.end()));
    }

    /// What came on a stream is no answer. Those on the others still are.
    fn fail(
        &mut self,
        index: usize,
        cause: FailureCause,
        out: &mut BytesMut,
        answers: &mut Vec<(u32, u32, StreamEnd)>,
    ) {
        let stream = self.streams.remove(index);
        frame::reset(stream.id, frame::PROTOCOL_ERROR, out);
        answers.push((stream.place, stream.id, stream.fail(cause)));
    }
}
