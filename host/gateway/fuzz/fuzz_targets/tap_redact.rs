//! See `weir_gateway_fuzz::tap_redact`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_gateway_fuzz::tap_redact(data));
