//! A million damaged streams of responses through the reader, the same ones
//! each time: never a panic, a hang, or two responses from one. `cargo bench
//! --bench codec -- SEED` reads others.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use threadbare::clock::Clock;

#[path = "../tests/common/responses.rs"]
mod responses;

const CASES: u64 = 1_000_000;

fn main() {
    let seed = std::env::args().find_map(|argument| argument.parse().ok());
    let clock = Clock::start();
    let (bytes, read) = responses::read_cases(CASES, seed.unwrap_or(1));
    let seconds = clock.now().as_secs_f64();
    println!("{CASES} cases, {bytes} bytes, {read} responses: all read right in {seconds:.1} s");
}
