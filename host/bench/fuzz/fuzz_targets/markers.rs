//! See `weir_bench_fuzz::markers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_bench_fuzz::markers(data));
