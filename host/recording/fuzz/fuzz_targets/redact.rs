//! See `weir_recording::fuzzing::redact`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_recording::fuzzing::redact(data));
