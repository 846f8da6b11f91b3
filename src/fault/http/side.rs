//! One direction of an exchange: what has come, and how far it was understood.

use bytes::{Bytes, BytesMut};

use super::framing::{Framing, Malformed};
use super::orders::Met;
use crate::model::fault::Pipe;
use crate::units::Nanos;

/// Bytes of a head at most; servers allow 8 to 64 KiB.
pub(super) const HEAD_MAX: usize = 64 * 1024;
/// Bytes that wait to be read as HTTP, of each direction, at most: a head and more.
const INBOX_MAX: usize = 2 * HEAD_MAX;

/// One direction.
pub(super) struct Side {
    pub inbox: BytesMut,
    pub ended: bool,
    pub state: State,
}

pub(super) enum State {
    /// A head is awaited.
    Head,
    /// A head is complete, and delays or holds may keep it.
    Kept {
        head: Bytes,
        framing: Framing,
        since: Nanos,
        met: Vec<Met>,
        tunnel: bool,
    },
    /// A body passes; of a cut one so many bytes more.
    Body {
        framing: Framing,
        cut: Option<u64>,
        discard: bool,
    },
    /// Everything passes.
    Tunnel,
    /// Nothing matters any more.
    Rest,
}

impl Side {
    pub(super) fn new() -> Self {
        Self {
            inbox: BytesMut::new(),
            ended: false,
            state: State::Head,
        }
    }

    /// Bytes that may come.
    pub(super) fn room(&self) -> usize {
        if self.ended {
            return 0;
        }
        INBOX_MAX.saturating_sub(self.inbox.len())
    }
}

/// How much of a body passed.
pub(super) enum Passed {
    Nothing,
    Some,
    /// Its end too; whether it went nowhere.
    All {
        discarded: bool,
    },
}

/// Lets what has come of a body go on, and its end.
pub(super) fn pass(side: &mut Side, now: Nanos, pipe: &mut Pipe) -> Result<Passed, Malformed> {
    let room = pipe.room();
    match &mut side.state {
        State::Body { framing, .. } if framing.finished() => {
            let discarded = matches!(side.state, State::Body { discard: true, .. });
            side.state = State::Head;
            Ok(Passed::All { discarded })
        }
        _ if side.inbox.is_empty() && side.ended => {
            pipe.end(now);
            side.state = State::Rest;
            Ok(Passed::Nothing)
        }
        State::Body {
            framing,
            cut,
            discard,
        } => {
            let most = if *discard {
                side.inbox.len()
            } else {
                room.min(side.inbox.len())
            };
            let length = framing.take(&side.inbox[..most])?;
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
                    side.state = State::Rest;
                    return Ok(Passed::Some);
                }
            }
            Ok(if length == 0 {
                Passed::Nothing
            } else {
                Passed::Some
            })
        }
        _ => {
            let length = room.min(side.inbox.len());
            if length == 0 {
                return Ok(Passed::Nothing);
            }
            pipe.push(now, side.inbox.split_to(length).freeze());
            Ok(Passed::Some)
        }
    }
}
