//! Where a body ends (RFC 9112, 6.3 and 7.1): its bytes are passed on as they are.

/// Digits of a chunk's size at most: 16 are 64 bits.
const SIZE_DIGITS_MAX: u32 = 15;
/// Bytes of the extensions of a chunk and of the trailers at most.
const ASIDE_MAX: u32 = 16 * 1024;

/// It is not HTTP: a head that cannot be read, or a body that is not framed as its
/// head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// How a body's end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// The connection's end is the body's.
    UntilEnd,
}

/// Where in a chunked body the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    Size {
        value: u64,
        digits: u32,
    },
    Extension {
        value: u64,
        length: u32,
    },
    Data(u64),
    /// The line's end after a chunk.
    AfterData,
    /// A line of the trailers: its bytes so far, and those of all lines.
    Trailer {
        line: u32,
        length: u32,
    },
    Done,
}

impl Framing {
    /// A chunked body before its first byte.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunks::Size {
        value: 0,
        digits: 0,
    });

    /// Whether the body is complete.
    pub(super) const fn finished(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Done))
    }

    /// How many of these bytes belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self {
            Self::UntilEnd => Ok(bytes.len()),
            Self::Length(left) => Ok(take_of(left, bytes.len())),
            Self::Chunked(chunks) => {
                let mut at = 0;
                while at < bytes.len() && *chunks != Chunks::Done {
                    if let Chunks::Data(left) = chunks {
                        at += take_of(left, bytes.len() - at);
                        if *left == 0 {
                            *chunks = Chunks::AfterData;
                        }
                    } else {
                        *chunks = chunks.after(bytes[at])?;
                        at += 1;
                    }
                }
                Ok(at)
            }
        }
    }
}

fn take_of(left: &mut u64, length: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(length);
    *left -= taken as u64;
    taken
}

impl Chunks {
    /// What follows a byte outside a chunk's data.
    fn after(self, byte: u8) -> Result<Self, Malformed> {
        Ok(match (self, byte) {
            (Self::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS_MAX {
                    return Err(Malformed);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Self::Size {
                    value: value << 4 | u64::from(digit),
                    digits: digits + 1,
                }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(Malformed),
            (Self::Size { value: 0, .. } | Self::Extension { value: 0, .. }, b'\n') => {
                Self::Trailer { line: 0, length: 0 }
            }
            (Self::Size { value, .. } | Self::Extension { value, .. }, b'\n') => Self::Data(value),
            (Self::Size { value, .. }, b'\r' | b';' | b' ' | b'\t') => {
                Self::Extension { value, length: 0 }
            }
            (Self::Extension { value, length }, _) if length < ASIDE_MAX => Self::Extension {
                value,
                length: length + 1,
            },
            (Self::AfterData, b'\r') => Self::AfterData,
            (Self::AfterData, b'\n') => Self::Size {
                value: 0,
                digits: 0,
            },
            (Self::Trailer { line: 0, .. }, b'\n') => Self::Done,
            (Self::Trailer { length, .. }, b'\n') => Self::Trailer { line: 0, length },
            (Self::Trailer { line, length }, b'\r') => Self::Trailer { line, length },
            (Self::Trailer { line, length }, _) if length < ASIDE_MAX => Self::Trailer {
                line: line + 1,
                length: length + 1,
            },
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes taken when they come in pieces of this size, and whether the body was complete.
    fn taken(mut framing: Framing, bytes: &[u8], piece: usize) -> Result<(usize, bool), Malformed> {
        let mut total = 0;
        for piece in bytes.chunks(piece) {
            let length = framing.take(piece)?;
            total += length;
            if length < piece.len() {
                break;
            }
        }
        Ok((total, framing.finished()))
    }

    #[test]
    fn bodies_end_where_their_framing_says_however_they_come() {
        let chunked: &[u8] = b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\na: b\r\n\r\nGET /";
        for piece in 1..chunked.len() {
            assert_eq!(
                taken(Framing::CHUNKED, chunked, piece),
                Ok((chunked.len() - 5, true))
            );
            assert_eq!(taken(Framing::Length(7), chunked, piece), Ok((7, true)));
            assert_eq!(
                taken(Framing::UntilEnd, chunked, piece),
                Ok((chunked.len(), false))
            );
        }
        assert_eq!(taken(Framing::CHUNKED, b"0\r\n\r\n", 9), Ok((5, true)));
        assert_eq!(taken(Framing::CHUNKED, b"5\r\nhel", 9), Ok((6, false)));
    }

    #[test]
    fn chunks_that_are_none_are_malformed() {
        for bytes in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"ffffffffffffffff\r\n", // more than any body
            b"2\r\nabc",
        ] {
            assert_eq!(taken(Framing::CHUNKED, bytes, 99), Err(Malformed));
        }
        let endless = [&b"1;"[..], &vec![b'x'; 20_000]].concat();
        assert_eq!(taken(Framing::CHUNKED, &endless, 99), Err(Malformed));
    }
}
