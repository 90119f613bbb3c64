//! See `weir_plugin_fuzz::cases`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_plugin_fuzz::cases(data));
