//! Does what its config's `do` says while it is configured, and answers messages with the config.

use guests::*;
use std::cell::RefCell;

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Configured;

impl Program for Configured {
    const NAME: &'static str = "configured";
    const SCHEMA: &'static str = r#"{
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": { "do": { "type": "string" }, "limit": { "type": "integer", "minimum": 1 } },
        "additionalProperties": false
    }"#;

    fn configure(config: String) -> Result<(), String> {
        let does = |what: &str| config.contains(&format!("\"{what}\""));
        if does("fail") {
            return Err("the word list is empty".into());
        }
        if does("panic") {
            panic!("configured to panic");
        }
        if does("loop") {
            loop {
                std::hint::black_box(());
            }
        }
        if does("send") {
            messaging::send(&Target::Group("all".into()), Kind::Text, b"hello");
        }
        if does("attribute") {
            attributes::set(1, "name", "value");
        }
        if does("timer") {
            timers::every(50);
        }
        CONFIG.set(config);
        Ok(())
    }

    fn message(_: Message) -> Verdict {
        CONFIG.with_borrow(|config| reply(config.as_bytes()))
    }
}

program!(Configured);
