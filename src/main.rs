//! The threadbare binary: parse, call, exit code.

fn main() {}
