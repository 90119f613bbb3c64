//! The same as passthrough in another file: a new version of it.

use guests::*;

struct Renamed;

impl Program for Renamed {
    const NAME: &'static str = "passthrough_renamed";

    fn message(_: Message) -> Verdict {
        pass()
    }
}

program!(Renamed);
