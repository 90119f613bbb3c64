//! See `weir_bench::fuzzing::server`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_bench::fuzzing::server(data));
