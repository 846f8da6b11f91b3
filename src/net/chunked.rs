//! The chunked transfer coding (RFC 9112, section 7.1), told apart from its data.

/// Bytes of extensions and trailers at most; nobody sends that many in earnest.
const ASIDE_MAX: u32 = 16 * 1024;

/// Bytes that are not the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// How far a chunked body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    /// In the chunk's size; whether a digit was seen.
    Size(bool),
    /// Between the size and its line's end.
    Extension,
    /// Before the line feed that ends the size's line.
    SizeEnd,
    /// In the chunk's data.
    Data,
    /// Before the carriage return, then the line feed, after the data.
    DataReturn,
    DataFeed,
    /// At the start of a trailer line, in one, and at its line feed.
    TrailerStart,
    Trailer,
    TrailerFeed,
    /// Before the very last line feed.
    LastFeed,
    /// Past it.
    Done,
}

/// A reader of one chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    state: ChunkState,
    /// The chunk's size while it is read, then what is left of its data.
    left: u64,
    aside: u32,
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self {
            state: ChunkState::Size(false),
            left: 0,
            aside: 0,
        }
    }

    /// Whether the body is over.
    pub(super) const fn finished(&self) -> bool {
        matches!(self.state, ChunkState::Done)
    }

    /// Reads on: how many bytes belonged to the body. The data that they carried goes
    /// to `sink`.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> Result<usize, Damaged> {
        let mut used = 0;
        while let Some(&byte) = bytes.get(used) {
            match self.state {
                ChunkState::Done => break,
                ChunkState::Data => {
                    let taken = take(&mut self.left, bytes.len() - used);
                    sink(&bytes[used..used + taken]);
                    used += taken;
                    if self.left == 0 {
                        self.state = ChunkState::DataReturn;
                    }
                }
                _ => {
                    self.step(byte)?;
                    used += 1;
                }
            }
        }
        Ok(used)
    }

    /// Takes one byte outside the data.
    fn step(&mut self, byte: u8) -> Result<(), Damaged> {
        self.state = match (self.state, byte) {
            (ChunkState::Size(_), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                if self.left >> 60 != 0 {
                    return Err(Damaged);
                }
                self.left = self.left << 4 | digit;
                ChunkState::Size(true)
            }
            (ChunkState::Size(true) | ChunkState::Extension, b'\r') => ChunkState::SizeEnd,
            (ChunkState::Size(true), b';' | b' ' | b'\t') => ChunkState::Extension,
            (ChunkState::Extension, _) if byte != b'\n' => {
                self.step_aside()?;
                ChunkState::Extension
            }
            (ChunkState::SizeEnd, b'\n') if self.left == 0 => ChunkState::TrailerStart,
            (ChunkState::SizeEnd, b'\n') => ChunkState::Data,
            (ChunkState::DataReturn, b'\r') => ChunkState::DataFeed,
            (ChunkState::DataFeed, b'\n') => ChunkState::Size(false),
            (ChunkState::TrailerStart, b'\r') => ChunkState::LastFeed,
            (ChunkState::Trailer, b'\r') => ChunkState::TrailerFeed,
            (ChunkState::TrailerStart | ChunkState::Trailer, _) if byte != b'\n' => {
                self.step_aside()?;
                ChunkState::Trailer
            }
            (ChunkState::TrailerFeed, b'\n') => ChunkState::TrailerStart,
            (ChunkState::LastFeed, b'\n') => ChunkState::Done,
            _ => return Err(Damaged),
        };
        Ok(())
    }

    const fn step_aside(&mut self) -> Result<(), Damaged> {
        self.aside += 1;
        if self.aside > ASIDE_MAX {
            return Err(Damaged);
        }
        Ok(())
    }
}

/// Takes what is left, and no more than there is.
pub(super) fn take(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_where_they_should() {
        // (body, bytes that belong to it where it is whole)
        for (body, whole) in [
            ("0\r\n\r\n", Some(5)),
            ("0\r\n\r\nHTTP", Some(5)), // what follows is not the body's
            ("5\r\nhello\r\n0\r\n\r\n", Some(15)),
            ("A;name=value\r\n0123456789\r\n0\r\n\r\n", Some(31)),
            ("1\r\nx\r\n0\r\nTrailer: yes\r\n\r\n", Some(25)),
            ("5\r\nhello\r\n", None), // more is to come
        ] {
            for size in 1..=body.len() {
                let mut chunks = Chunks::new();
                let pieces = body.as_bytes().chunks(size);
                let used: usize = pieces.map(|it| chunks.feed(it, |_| {}).unwrap()).sum();
                assert_eq!(
                    chunks.finished().then_some(used),
                    whole,
                    "{body:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_chunk_is_an_error() {
        for body in [
            "\r\n",                  // no size
            "g\r\n",                 // no digit
            "5\nhello",              // a line feed alone
            "5\r\nhello!",           // longer than stated
            "11111111111111111\r\n", // a size past 64 bits
            "0\r\n\n",
            "-1\r\n", // a sign
        ] {
            assert_eq!(
                Chunks::new().feed(body.as_bytes(), |_| {}),
                Err(Damaged),
                "{body:?}"
            );
        }
        let endless = format!("1;{}", "x".repeat(20_000));
        assert_eq!(Chunks::new().feed(endless.as_bytes(), |_| {}), Err(Damaged));
    }
}
