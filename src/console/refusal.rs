//! Why a request is refused: a status, and one sentence for whoever reads it.

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// One sentence.
    pub sentence: String,
}

impl Refusal {
    /// A refusal with this status.
    pub(super) fn new(status: u16, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    /// Whoever asks may not.
    pub(super) fn forbidden(sentence: impl Into<String>) -> Self {
        Self::new(403, sentence)
    }

    /// It cannot be done as things are.
    pub(super) fn conflict(sentence: impl Into<String>) -> Self {
        Self::new(409, sentence)
    }

    /// There is no such thing.
    pub(super) fn unknown(sentence: impl Into<String>) -> Self {
        Self::new(404, sentence)
    }
}
