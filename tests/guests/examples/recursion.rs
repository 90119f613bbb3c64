//! Calls itself until there is no stack.

use guests::*;

struct Recursion;

impl Program for Recursion {
    const NAME: &'static str = "recursion";

    fn message(message: Message) -> Verdict {
        #[inline(never)]
        fn deeper(level: u64) -> u64 {
            if std::hint::black_box(level) == u64::MAX {
                0
            } else {
                deeper(level + 1).wrapping_mul(3) ^ level
            }
        }
        reply(deeper(message.sequence).to_string())
    }
}

program!(Recursion);
