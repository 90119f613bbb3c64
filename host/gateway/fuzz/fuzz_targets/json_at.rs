//! See `weir_gateway_fuzz::json_at`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_gateway_fuzz::json_at(data));
