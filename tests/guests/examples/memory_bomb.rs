//! Takes memory until there is none; as many bytes as the payload says, if it is a number.

use guests::*;

struct MemoryBomb;

impl Program for MemoryBomb {
    const NAME: &'static str = "memory_bomb";

    fn message(message: Message) -> Verdict {
        let most = std::str::from_utf8(&message.payload)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(usize::MAX);
        let mut held: Vec<Vec<u8>> = Vec::new();
        while held.len() * 65_536 < most {
            held.push(std::hint::black_box(vec![1; 65_536]));
        }
        std::mem::forget(held);
        pass()
    }
}

program!(MemoryBomb);
