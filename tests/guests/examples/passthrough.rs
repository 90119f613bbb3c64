//! Forwards everything as it was.

use guests::*;

struct Passthrough;

impl Program for Passthrough {
    const NAME: &'static str = "passthrough";

    fn message(_: Message) -> Verdict {
        pass()
    }
}

program!(Passthrough);
