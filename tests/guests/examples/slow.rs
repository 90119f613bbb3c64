//! Takes its time: config `ms`, how many milliseconds each message from a client takes. Then it marks the message with a `!`; one that
//! says `trap` traps, and one that says `last` closes the session.

use guests::*;
use std::cell::Cell;

thread_local! {
    static COST: Cell<u64> = const { Cell::new(0) };
}

struct Slow;

impl Program for Slow {
    const NAME: &'static str = "slow";
    const SCHEMA: &'static str = r#"{
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": { "ms": { "type": "integer" } },
        "additionalProperties": false
    }"#;

    fn describe() -> Manifest {
        Manifest {
            name: Self::NAME.into(),
            version: "1.0.0".into(),
            description: "a guest program of the tests".into(),
            directions: vec![Direction::Inbound],
            config_schema: Self::SCHEMA.into(),
        }
    }

    fn configure(config: String) -> Result<(), String> {
        let digits: String = config.chars().filter(char::is_ascii_digit).collect();
        COST.set(digits.parse().unwrap_or(0));
        Ok(())
    }

    fn message(message: Message) -> Verdict {
        burn(COST.get());
        match &message.payload[..] {
            b"trap" => panic!("on purpose"),
            b"last" => Verdict::Close(Rejection { code: 4000, reason: "that was the last".into() }),
            payload => reply([payload, b"!"].concat()),
        }
    }
}

/// Runs until so many milliseconds have passed.
fn burn(milliseconds: u64) {
    let begun = clock::monotonic();
    while clock::monotonic() - begun < milliseconds {
        for number in 0..20_000_u64 {
            std::hint::black_box(number);
        }
    }
}

program!(Slow);
