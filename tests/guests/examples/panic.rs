//! Panics with the payload as its text.

use guests::*;

struct Panic;

impl Program for Panic {
    const NAME: &'static str = "panic";

    fn message(message: Message) -> Verdict {
        panic!("{}", String::from_utf8_lossy(&message.payload))
    }
}

program!(Panic);
