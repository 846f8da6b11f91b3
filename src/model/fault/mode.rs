//! What a proxy reads in what passes.

use crate::named::named;

named! {
    /// What a proxy reads in what passes.
    #[derive(Default)]
    pub enum Mode {
        /// Bytes.
        #[default]
        Tcp = "tcp",
        /// HTTP/1.1 requests and answers; faults of connections work too.
        Http = "http",
    }
}
