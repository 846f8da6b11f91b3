//! What a process wrote last to its log: why it failed, most of the time.
//!
//! A log may be large and still growing, so its end alone is read. What it means is
//! for who asks.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Bytes that are read at most: a screen of text, more than anyone quotes.
const LAST_WORDS_MAX: u64 = 4096;

/// What was written to the log since `from`, the end of it.
pub(crate) fn last_words(log: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    let start = from.max(length.saturating_sub(LAST_WORDS_MAX));
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LAST_WORDS_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read_and_nothing_from_before() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let filling = "x".repeat(6000);
        std::fs::write(log.path(), format!("before\n{filling} after")).unwrap();
        let words = |from| last_words(log.path(), from).unwrap();
        assert_eq!(words(6008), "after");
        assert_eq!((words(0).len(), words(9000)), (4096, String::new()));
    }
}
