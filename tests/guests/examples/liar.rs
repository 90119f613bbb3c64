//! Breaks the contract in the way that the payload names, `<how> <number>`.

use guests::weir::plugin::log::Level;
use guests::*;

struct Liar;

impl Program for Liar {
    const NAME: &'static str = "liar";

    fn message(message: Message) -> Verdict {
        let text = String::from_utf8(message.payload).expect("the payload is a command");
        let (how, count) = text.split_once(' ').expect("a word and a number");
        let count: usize = count.parse().expect("a number");
        let long = || "x".repeat(count);
        match how {
            "bad-utf8" => return reply(vec![0xff; count]),
            "bad-name" => return Verdict::Drop(bad_text(count)),
            "bad-log" => log::log(Level::Info, &bad_text(count)),
            "payload" => return reply(vec![b'x'; count]),
            // More bytes than were written: the length is a lie.
            "claim" => return reply(claim(count)),
            "claim-send" => messaging::send(&Target::Echo, Kind::Binary, &claim(count)),
            "sends" => (0..count).for_each(|_| messaging::send(&Target::Echo, Kind::Binary, b"x")),
            "send" => messaging::send(&Target::Echo, Kind::Binary, long().as_bytes()),
            "logs" => (0..count).for_each(|number| log::log(Level::Info, &format!("line {number}"))),
            "log" => log::log(Level::Info, &long()),
            "close" => return Verdict::Close(Rejection { code: 4000, reason: long() }),
            "code" => return Verdict::Close(Rejection { code: count as u16, reason: String::new() }),
            "drop" => return Verdict::Drop(long()),
            "target" => {
                return Verdict::Forward(Forwarding { payload: None, route: Some(Target::Cluster(long())) });
            }
            "group" => groups::join(message.session, &long()),
            "attribute" => attributes::set(message.session, &long(), "value"),
            "value" => attributes::set(message.session, "name", &long()),
            "reserved" => attributes::set(message.session, "weir.peer", "1.2.3.4"),
            "timer" => timers::every(count as u32),
            "metric" => metrics::count(&long(), 1),
            "metrics" => (0..count).for_each(|number| metrics::count(&format!("n{number}"), 1)),
            "random" => drop(random::bytes(count as u32)),
            "key" => kv::set(&long(), b"value", None),
            "kv-value" => kv::set("key", long().as_bytes(), None),
            "kv-fill" => (0..count).for_each(|number| kv::set(&number.to_string(), &[0; 1024], None)),
            _ => panic!("no such lie: {how}"),
        }
        pass()
    }
}

/// Text that is none.
fn bad_text(count: usize) -> String {
    // SAFETY: it is not valid, on purpose; nothing in the guest reads it.
    unsafe { String::from_utf8_unchecked(vec![0xff; count]) }
}

/// A list that claims a length that it has not.
fn claim(count: usize) -> Vec<u8> {
    let memory = Box::leak(vec![0_u8; 16].into_boxed_slice());
    // SAFETY: it is wrong, on purpose; the instance is thrown away before the guest reads or frees it.
    unsafe { Vec::from_raw_parts(memory.as_mut_ptr(), count, count) }
}

program!(Liar);
