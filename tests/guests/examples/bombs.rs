//! Goes off in the way that the payload names, `<how> <number>`; anything else passes.

use guests::*;

struct Bombs;

impl Program for Bombs {
    const NAME: &'static str = "bombs";

    fn message(message: Message) -> Verdict {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        let (how, count) = text.split_once(' ').unwrap_or((&text, "0"));
        let count: u64 = count.parse().unwrap_or(0);
        match how {
            "memory" => {
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(std::hint::black_box(vec![1; 65_536]));
                }
            }
            "recursion" => {
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
            "loop" => loop {
                std::hint::black_box(());
            },
            "calls" => {
                (0..count).for_each(|_| {
                    std::hint::black_box(clock::monotonic());
                });
                pass()
            }
            "panic" => panic!("on purpose"),
            _ => pass(),
        }
    }
}

program!(Bombs);
