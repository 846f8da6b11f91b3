//! Inputs that are nearly right: seeds that were changed here and there.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// Pieces that mean something to one reader or another.
const PIECES: [&[u8]; 44] = [
    b"\0",
    b"\n",
    b"\r\n\r\n",
    b",",
    b"=",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"'''",
    b"\\",
    b"\\u0000",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"-1",
    b"0",
    b"1e308",
    b"1e-400",
    b"NaN",
    b"+Inf",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775807",
    b"99999999999999999999999",
    b"0x7f",
    b"null",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"# ",
    b"..",
    b"24h",
    b"0s",
    b"1ns",
    b"100 %",
    b"${",
    b"${number}",
    b"Tag=",
    b"HISTFAAA",
    b"-----BEGIN CERTIFICATE-----\n",
    b"content-length: ",
    b"transfer-encoding: chunked\r\n",
];

/// Bytes of an input at most.
const LENGTH_MAX: usize = 64 * 1024;

/// Input number `number` made from these seeds: the same whenever it is asked for.
pub(crate) fn mutated(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(number);
    let mut bytes = seeds.choose(&mut random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..=6) {
        change(&mut bytes, seeds, &mut random);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut StdRng) {
    let (from, to) = span(bytes.len(), random);
    match random.random_range(0..8) {
        0 => bytes
            .iter_mut()
            .skip(from)
            .take(1)
            .for_each(|byte| *byte ^= 1 << (to % 8)),
        1 => drop(bytes.drain(from..to)),
        2 => {
            let copy = bytes[from..to].to_vec();
            bytes.splice(to..to, copy);
        }
        3 | 4 => {
            let piece = PIECES.choose(random).copied().unwrap_or_default();
            bytes.splice(from..from, piece.iter().copied());
        }
        5 => {
            let piece = PIECES.choose(random).copied().unwrap_or_default();
            bytes.splice(from..to, piece.iter().copied());
        }
        6 => {
            let other = seeds.choose(random).map_or(&[][..], Vec::as_slice);
            let (other_from, other_to) = span(other.len(), random);
            let part = other[other_from..other_to].to_vec();
            bytes.splice(from..to, part);
        }
        _ => bytes.truncate(from),
    }
}

/// A place and one that is a little further on.
fn span(length: usize, random: &mut StdRng) -> (usize, usize) {
    let from = random.random_range(0..=length);
    let most = (length - from).min(1 << random.random_range(0..10));
    (from, from + random.random_range(0..=most))
}
