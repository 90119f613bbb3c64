//! Adds its mark and its version to every payload: `<` and both on the way in, `>` and both on the way out. A test makes another
//! version of it by writing other digits over those of `VERSION` in the file.
//!
//! Config: `mark`, a text; `show`, the name of an attribute whose value is added in brackets on the way in, where it is set.

use guests::*;
use std::cell::RefCell;

/// Found and changed in the file by the tests.
static VERSION: [u8; 16] = *b"@version=000000@";

#[derive(Default)]
struct Config {
    mark: String,
    show: Option<String>,
}

thread_local! {
    static CONFIG: RefCell<Config> = RefCell::default();
}

struct Stamp;

impl Program for Stamp {
    const NAME: &'static str = "stamp";
    const SCHEMA: &'static str = r#"{
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": { "mark": { "type": "string" }, "show": { "type": "string" } },
        "additionalProperties": false
    }"#;

    fn configure(config: String) -> Result<(), String> {
        let mark = field(&config, "mark").unwrap_or_default();
        if mark == "refused" {
            return Err("this mark is not for use".into());
        }
        CONFIG.set(Config { mark: mark.into(), show: field(&config, "show").map(Into::into) });
        Ok(())
    }

    fn message(message: Message) -> Verdict {
        let mut payload = message.payload;
        CONFIG.with_borrow(|config| {
            payload.push(if message.direction == Direction::Inbound { b'<' } else { b'>' });
            payload.extend(config.mark.bytes());
            payload.extend(version().bytes());
            let shown = config.show.as_ref().filter(|_| message.direction == Direction::Inbound);
            if let Some(value) = shown.and_then(|name| attributes::get(message.session, name)) {
                payload.extend(format!("[{value}]").bytes());
            }
        });
        reply(payload)
    }
}

/// Its version, without the zeros before it.
fn version() -> String {
    // Not folded into the code: the file's bytes are what counts.
    let digits = std::hint::black_box(&VERSION)[9..15].iter();
    digits.fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0')).to_string()
}

/// A text member of an object of texts.
fn field<'a>(config: &'a str, name: &str) -> Option<&'a str> {
    let rest = config.split_once(&format!("\"{name}\":\""))?.1;
    Some(rest.split_once('"')?.0)
}

program!(Stamp);
