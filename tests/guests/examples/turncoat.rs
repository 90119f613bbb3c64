//! Answers every message with the session's id behind it, after some work; or, as its mode says, does something else. A test makes
//! another version of it by writing another mode over that of `MODE` in the file.
//!
//! Modes: `pass`; `trap`; `loop`; `slow`, ten times as much work; `drop`.

use guests::*;

/// Found and changed in the file by the tests.
static MODE: [u8; 12] = *b"@mode=pass @";

/// Of a passing version: well above what the histogram's first bucket tells apart.
const WORK: u32 = 60_000;

struct Turncoat;

impl Program for Turncoat {
    const NAME: &'static str = "turncoat";

    fn describe() -> Manifest {
        Manifest {
            name: Self::NAME.into(),
            version: mode().into(),
            description: "behaves, or does not".into(),
            directions: vec![Direction::Inbound],
            config_schema: String::new(),
        }
    }

    fn message(message: Message) -> Verdict {
        match mode() {
            "trap" => panic!("on purpose"),
            "loop" => loop {
                std::hint::black_box(());
            },
            "drop" => return Verdict::Drop("everything".into()),
            "slow" => work(10 * WORK),
            _ => work(WORK),
        }
        let mut payload = message.payload;
        payload.extend(format!("#{}", message.session).bytes());
        reply(payload)
    }
}

fn mode() -> &'static str {
    // Not folded into the code: the file's bytes are what counts.
    std::str::from_utf8(&std::hint::black_box(&MODE)[6..11]).unwrap_or_default().trim()
}

fn work(rounds: u32) {
    let mut sum = 0_u32;
    for round in 0..rounds {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(round));
    }
}

program!(Turncoat);
