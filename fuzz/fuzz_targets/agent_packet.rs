#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| threadbare::readers::agent_packet(bytes));
