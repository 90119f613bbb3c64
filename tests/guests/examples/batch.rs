//! Takes several messages at once, with a packing of its own. What each is answered with is its payload: a word, and after a space what
//! goes with it. Words that only lie in a packed answer pass when their message comes alone.

mod bindings {
    wit_bindgen::generate!({ path: "../../sdk/wit", world: "batching-plugin" });
}

use bindings::exports::weir::plugin::{batch, handler};
use bindings::weir::plugin::types::{Direction, Forwarding, Target};
use bindings::weir::plugin::{log, metrics};

struct Batch;

/// The verdict that the words ask for.
fn verdict(payload: &[u8], sequence: u64) -> handler::Verdict {
    let text = String::from_utf8_lossy(payload).into_owned();
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let mut forwarding = Forwarding { payload: None, route: None };
    match word {
        "reply" => forwarding.payload = Some(rest.into()),
        "number" => forwarding.payload = Some(sequence.to_string().into()),
        "garbage" => forwarding.payload = Some(vec![0xff]),
        "drop" => return handler::Verdict::Drop(rest.into()),
        "close" => {
            return handler::Verdict::Close(handler::Rejection { code: 4001, reason: rest.into() });
        }
        "cluster" => forwarding.route = Some(Target::Cluster(rest.into())),
        "group" => {
            forwarding.route = Some(Target::Group(rest.into()));
            forwarding.payload = Some(payload.into());
        }
        "session" => forwarding.route = Some(Target::Session(sequence)),
        "echo" => forwarding.route = Some(Target::Echo),
        "trap" => panic!("as it was asked to"),
        "loop" => loop {
            std::hint::black_box(0);
        },
        "log" => log::log(log::Level::Info, rest),
        "logs" => (0..1_000).for_each(|_| log::log(log::Level::Info, rest)),
        "count" => metrics::count(rest, 1),
        _ => {}
    }
    handler::Verdict::Forward(forwarding)
}

fn part(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn pack(verdict: handler::Verdict, out: &mut Vec<u8>) {
    match verdict {
        handler::Verdict::Forward(Forwarding { payload: None, route: None }) => out.push(0),
        handler::Verdict::Forward(Forwarding { payload: Some(payload), route: None }) => {
            out.push(1);
            part(&payload, out);
        }
        handler::Verdict::Forward(Forwarding { payload, route: Some(route) }) => {
            out.push(4);
            match route {
                Target::Cluster(name) => {
                    out.push(0);
                    part(name.as_bytes(), out);
                }
                Target::Group(name) => {
                    out.push(1);
                    part(name.as_bytes(), out);
                }
                Target::Session(session) => {
                    out.push(2);
                    out.extend(session.to_le_bytes());
                }
                Target::Echo => out.push(3),
            }
            out.push(u8::from(payload.is_some()));
            if let Some(payload) = payload {
                part(&payload, out);
            }
        }
        handler::Verdict::Drop(reason) => {
            out.push(2);
            part(reason.as_bytes(), out);
        }
        handler::Verdict::Close(said) => {
            out.push(3);
            out.extend(said.code.to_le_bytes());
            part(said.reason.as_bytes(), out);
        }
        handler::Verdict::Hold(_) => unreachable!("none is asked for"),
    }
}

impl batch::Guest for Batch {
    fn handle(mut messages: Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = &mut messages[..];
        while !rest.is_empty() {
            let (head, after) = rest.split_at_mut(24);
            let sequence = u64::from_le_bytes(head[8..16].try_into().expect("8 bytes"));
            let length = u32::from_le_bytes(head[16..20].try_into().expect("4 bytes")) as usize;
            assert!(head[20] <= 1 && head[21] <= 1 && head[22..] == [0, 0], "as the contract says");
            let (payload, after) = after.split_at_mut(length);
            match &*payload {
                b"lie-short" => {}
                b"lie-long" => out.extend([0, 0]),
                b"lie-tag" => out.push(5),
                b"lie-target" => out.extend([4, 9]),
                b"lie-length" => out.extend([1, 0xff, 0xff, 0xff, 0xff]),
                b"lie-utf8" => out.extend([2, 1, 0, 0, 0, 0xff]),
                b"lie-name" => out.extend([4, 0, 0, 0, 0, 0, 0]),
                b"lie-much" => {
                    out.push(1);
                    part(&vec![b'x'; 1 << 20], &mut out);
                }
                payload => pack(verdict(payload, sequence), &mut out),
            }
            rest = after;
        }
        out
    }
}

impl handler::Guest for Batch {
    fn describe() -> handler::Manifest {
        handler::Manifest {
            name: "batch".into(),
            version: "1.0.0".into(),
            description: String::new(),
            directions: vec![Direction::Inbound],
            config_schema: String::new(),
        }
    }
    fn configure(_: String) -> Result<(), String> {
        Ok(())
    }
    fn on_open(_: handler::SessionInfo) -> Result<(), handler::Rejection> {
        Ok(())
    }
    fn on_message(message: handler::Message) -> handler::Verdict {
        verdict(&message.payload, message.sequence)
    }
    fn on_close(_: u64, _: handler::Rejection) {}
    fn on_timer() {}
}

bindings::export!(Batch with_types_in bindings);
