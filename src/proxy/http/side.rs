//! One direction of an exchange: what has come, and how far it was understood.

use bytes::{Bytes, BytesMut};

use super::head::Malformed;
use super::orders::MatchedFault;
use crate::model::fault::Pipe;
use crate::net::BodyReader;
use crate::units::Nanos;

/// Bytes of a request's head at most; servers allow 8 to 64 KiB.
pub(super) const REQUEST_HEAD_MAX: usize = 64 * 1024;

/// One direction.
pub(super) struct Side {
    /// Bytes of a head at most.
    pub head_max: usize,
    pub inbox: BytesMut,
    pub ended: bool,
    pub state: SideState,
}

pub(super) enum SideState {
    /// A head is awaited.
    Head,
    /// A head is complete, and delays or holds may keep it.
    HeadKept {
        kept: KeptHead,
        since: Nanos,
        met: Vec<MatchedFault>,
    },
    /// A body passes; of a cut one so many bytes more.
    Body {
        body: BodyReader,
        cut: Option<u64>,
        discard: bool,
    },
    /// Everything passes.
    Tunnel,
    /// Nothing matters any more.
    Rest,
}

/// A head that is kept, and what follows it.
pub(super) struct KeptHead {
    pub head: Bytes,
    pub body: BodyReader,
    pub tunnel: bool,
}

impl Side {
    pub(super) fn new(head_max: usize) -> Self {
        Self {
            head_max,
            inbox: BytesMut::new(),
            ended: false,
            state: SideState::Head,
        }
    }

    /// Bytes that may come: a head and more wait to be read as HTTP at most.
    pub(super) fn room(&self) -> usize {
        if self.ended {
            return 0;
        }
        (2 * self.head_max).saturating_sub(self.inbox.len())
    }
}

/// How much of a body passed.
pub(super) enum BodyProgress {
    Nothing,
    Some,
    /// Its end too; whether it went nowhere.
    All {
        discarded: bool,
    },
}

/// Lets what has come of a body go on, and its end.
pub(super) fn pass(
    side: &mut Side,
    now: Nanos,
    pipe: &mut Pipe,
) -> Result<BodyProgress, Malformed> {
    let room = pipe.room();
    match &mut side.state {
        SideState::Body { body, .. } if body.finished() => {
            let discarded = matches!(side.state, SideState::Body { discard: true, .. });
            side.state = SideState::Head;
            Ok(BodyProgress::All { discarded })
        }
        _ if side.inbox.is_empty() && side.ended => {
            pipe.end(now);
            side.state = SideState::Rest;
            Ok(BodyProgress::Nothing)
        }
        SideState::Body { body, cut, discard } => {
            let most = if *discard {
                side.inbox.len()
            } else {
                room.min(side.inbox.len())
            };
            let length = body.feed(&side.inbox[..most], |_| {})?;
            let bytes = side.inbox.split_to(length);
            let kept = cut.map_or(length, |cut| {
                usize::try_from(cut).unwrap_or(usize::MAX).min(length)
            });
            if !*discard {
                pipe.push(now, bytes.freeze().slice(..kept));
            }
            if let Some(cut) = cut {
                *cut -= kept as u64;
                if *cut == 0 {
                    pipe.end(now);
                    side.state = SideState::Rest;
                    return Ok(BodyProgress::Some);
                }
            }
            Ok(if length == 0 {
                BodyProgress::Nothing
            } else {
                BodyProgress::Some
            })
        }
        _ => {
            let length = room.min(side.inbox.len());
            if length == 0 {
                return Ok(BodyProgress::Nothing);
            }
            pipe.push(now, side.inbox.split_to(length).freeze());
            Ok(BodyProgress::Some)
        }
    }
}
