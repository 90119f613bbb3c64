//! See `weir_bench_fuzz::answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_bench_fuzz::answer(data));
