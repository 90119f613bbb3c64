//! Does what the payload says, byte for byte: a fuzzer's hand inside the sandbox. What it hands over has whatever place and length the
//! payload asks for, inside its memory or not.
//!
//! A script is a list of calls of the host, each a byte that says which and then what it takes; the byte [`ANSWER`], or the end of the
//! script, begins the verdict. What is missing at the end is zero.

use guests::weir::plugin::log::Level;
use guests::*;
use std::alloc::{GlobalAlloc, Layout, System};

/// The first byte that is no call.
const ANSWER: u8 = 24;

/// What was handed over with a lie is freed with the same lie: nothing here is ever freed.
struct KeepsAll;

#[global_allocator]
static ALLOCATOR: KeepsAll = KeepsAll;

// SAFETY: it allocates as the system does.
unsafe impl GlobalAlloc for KeepsAll {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

struct Puppet;

impl Program for Puppet {
    const NAME: &'static str = "puppet";

    fn message(message: Message) -> Verdict {
        let mut script = Script { bytes: &message.payload, at: 0, session: message.session };
        while script.bytes.get(script.at).is_some_and(|byte| *byte < ANSWER) {
            let which = script.byte();
            script.call(which);
        }
        script.byte();
        script.verdict()
    }
}

struct Script<'a> {
    bytes: &'a [u8],
    at: usize,
    session: u64,
}

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// Two bytes: up to 16,383 as it is, up to 32,767 as KiB from there on, and what is left as the last numbers that there are.
    fn number(&mut self) -> u64 {
        let said = i16::from_le_bytes([self.byte(), self.byte()]);
        if (0x4000..).contains(&said) {
            u64::from(said as u16 & 0x3fff) << 10
        } else {
            i64::from(said) as u64
        }
    }

    /// 0 is the session in hand.
    fn some_session(&mut self) -> u64 {
        match self.number() {
            0 => self.session,
            other => other,
        }
    }

    /// A place, counted from the beginning of the script, and a length.
    fn part(&mut self) -> (*mut u8, usize) {
        let place = self.bytes.as_ptr().cast_mut().wrapping_add(self.number() as usize);
        (place, self.number() as usize)
    }

    fn slice(&mut self) -> &'static [u8] {
        let (place, length) = self.part();
        // SAFETY: it is wrong, on purpose; the guest does not read it.
        unsafe { std::slice::from_raw_parts(place, length) }
    }

    fn text(&mut self) -> &'static str {
        // SAFETY: likewise.
        unsafe { str::from_utf8_unchecked(self.slice()) }
    }

    fn list(&mut self) -> Vec<u8> {
        let (place, length) = self.part();
        // A capacity beyond this means something else inside enums, which the lie is to pass as it is.
        let capacity = length & isize::MAX as usize;
        // SAFETY: likewise, and nothing is freed.
        unsafe { Vec::from_raw_parts(place, length, capacity) }
    }

    fn string(&mut self) -> String {
        // SAFETY: likewise.
        unsafe { String::from_utf8_unchecked(self.list()) }
    }

    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 2 == 1).then(|| read(self))
    }

    fn kind(&mut self) -> Kind {
        if self.byte() % 2 == 0 { Kind::Text } else { Kind::Binary }
    }

    fn target(&mut self) -> Target {
        match self.byte() % 4 {
            0 => Target::Cluster(self.string()),
            1 => Target::Group(self.string()),
            2 => Target::Session(self.some_session()),
            _ => Target::Echo,
        }
    }

    fn verdict(&mut self) -> Verdict {
        match self.byte() % 4 {
            0 => Verdict::Forward(Forwarding {
                payload: self.maybe(Self::list),
                route: self.maybe(Self::target),
            }),
            1 => Verdict::Drop(self.string()),
            2 => Verdict::Close(Rejection { code: self.number() as u16, reason: self.string() }),
            _ => Verdict::Hold(self.number() as u32),
        }
    }

    fn call(&mut self, which: u8) {
        match which {
            0 => messaging::send(&self.target(), self.kind(), self.slice()),
            1 => {
                let direction = if self.byte() % 2 == 0 { Direction::Inbound } else { Direction::Outbound };
                messaging::release(self.some_session(), direction, self.number(), &self.verdict());
            }
            2 => groups::join(self.some_session(), self.text()),
            3 => groups::leave(self.some_session(), self.text()),
            4 => {
                groups::members(self.text());
            }
            5 => drop(attributes::get(self.some_session(), self.text())),
            6 => attributes::set(self.some_session(), self.text(), self.text()),
            7 => attributes::remove(self.some_session(), self.text()),
            8 => drop(kv::get(self.text())),
            9 => kv::set(self.text(), self.slice(), self.maybe(Self::number)),
            10 => {
                kv::delete(self.text());
            }
            11 => {
                kv::increment(self.text(), self.number() as i64, self.maybe(Self::number));
            }
            12 => {
                let (key, expected) = (self.text(), self.maybe(Self::slice));
                kv::compare_and_set(key, expected, self.slice(), self.maybe(Self::number));
            }
            13 => metrics::count(self.text(), self.number()),
            14 => metrics::gauge(self.text(), self.fraction()),
            15 => metrics::observe(self.text(), self.fraction()),
            16 => timers::every(self.number() as u32),
            17 => drop(random::bytes(self.number() as u32)),
            18 => {
                clock::now();
            }
            19 => {
                clock::monotonic();
            }
            20 => log::log(Level::Info, self.text()),
            // Now and then the same again, many times.
            21 => (0..self.number() % 10_000).for_each(|_| attributes::set(self.session, "a", "b")),
            22 => (0..self.number() % 10_000).for_each(|_| messaging::send(&Target::Echo, Kind::Text, b"x")),
            _ => std::process::abort(),
        }
    }

    /// From none to the numbers that are none.
    fn fraction(&mut self) -> f64 {
        f64::from_bits(self.number() << 48)
    }
}

program!(Puppet);
