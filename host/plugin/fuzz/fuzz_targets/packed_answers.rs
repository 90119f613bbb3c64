//! What a plugin says to several messages at once.

#![no_main]

#[path = "../../src/contract/v0_1/packed/drive.rs"]
mod drive;
#[path = "../../src/contract/v0_1/packed.rs"]
mod packed;

use packed::{Answer, Answers, Header, Place, Text, Torn, pack};

libfuzzer_sys::fuzz_target!(|data: &[u8]| drive::packed_answers(data));
