//! One seed, many named streams of random numbers.
//!
//! Each component draws from a stream of its own, so that adding a fault does
//! not reshuffle the arrivals. A stream's seed is SHA-256 of the run's seed and
//! the stream's name: the streams are independent, and the same on every
//! machine.

pub use rand::rngs::StdRng;

use rand::SeedableRng;
use sha2::{Digest, Sha256};

/// The stream called `name` of the run with this `seed`.
pub fn stream(seed: u64, name: &str) -> StdRng {
    let digest = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update(name.as_bytes())
        .finalize();
    StdRng::from_seed(digest.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn streams_are_named_repeatable_and_distinct() {
        let first = |seed, name| stream(seed, name).random::<u64>();
        assert_eq!(first(1, "arrivals"), first(1, "arrivals"));
        assert_ne!(first(1, "arrivals"), first(1, "mix"));
        assert_ne!(first(1, "arrivals"), first(2, "arrivals"));
    }
}
