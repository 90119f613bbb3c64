//! See `weir_codec::fuzzing::heartbeat_parse`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_codec::fuzzing::heartbeat_parse(data));
