//! HTTP/1.1 as it passes: heads are read and edited, bodies only measured.
//!
//! hyper on both sides was the obvious way and is not taken: it would send other
//! bytes than it read (names in another case, chunks of another size), and the
//! faults of connections would need sockets of their own beneath it. Here requests
//! and answers are a machine between the two pipes that a TCP proxy has anyway:
//! told bytes, it gives bytes.

mod exchange;
mod head;
mod orders;
mod side;

pub(super) use exchange::{Exchange, ExchangeCounters, sooner};
pub(super) use orders::{MatchedFault, Rules};
