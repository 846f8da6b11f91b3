//! A body breaks off.

use super::super::attribute::Attribute;
use super::super::catalogue::Fault;
use super::HttpMatch;

/// Cuts the body of the request (upstream) or of the answer (downstream): closes the
/// connection after so many of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpCut {
    /// Which requests.
    pub matching: HttpMatch,
    /// Bytes of the body as they are on the wire, with the sizes of chunks.
    pub bytes: u64,
}

impl Fault for HttpCut {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![
            Attribute::matching(&mut self.matching),
            Attribute::count(
                "bytes",
                &mut self.bytes,
                "Bytes that pass before the connection is closed.",
            ),
        ]
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
