//! Panics when it is asked what it is.

use guests::*;

struct TrapDescribe;

impl Program for TrapDescribe {
    const NAME: &'static str = "trap_describe";

    fn describe() -> Manifest {
        panic!("what am I?")
    }

    fn message(_: Message) -> Verdict {
        pass()
    }
}

program!(TrapDescribe);
