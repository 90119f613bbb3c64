//! See `weir_gateway_fuzz::tap_query`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_gateway_fuzz::tap_query(data));
