//! See `weir_plugin_fuzz::artifact`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: weir_plugin_fuzz::without_the_encoders_panics(),
    |data: &[u8]| weir_plugin_fuzz::artifact(data)
);
