//! Several messages in one call: the packed form of the contract's interface `batch`, behind the same function that answers one.

use crate::{Direction, Kind, Message, Rejection, Target, Verdict};

/// Bytes before each payload.
const HEADER: usize = 24;

/// Answers packed messages in their order. Each sees the function as if it had come alone.
///
/// # Panics
/// Where the messages are not packed as the contract says, or a verdict cannot be packed: then the gateway asks for each of them alone.
pub(crate) fn answer(mut packed: &[u8], mut on_message: impl FnMut(&Message) -> Verdict) -> Vec<u8> {
    let mut answers = Vec::with_capacity(packed.len() / HEADER);
    // One message after the other in the same memory: what a payload costs is its copy.
    let mut message = Message {
        session: 0,
        sequence: 0,
        direction: Direction::Inbound,
        kind: Kind::Binary,
        payload: Vec::new(),
    };
    while !packed.is_empty() {
        packed = unpack(packed, &mut message).unwrap_or_else(|| give_up());
        pack(on_message(&message), &mut answers);
    }
    answers
}

/// The first of some messages; gives the others.
fn unpack<'a>(packed: &'a [u8], message: &mut Message) -> Option<&'a [u8]> {
    let (header, rest) = packed.split_first_chunk::<HEADER>()?;
    let word = |at: usize| header[at..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let length = u32::from_le_bytes(*header[16..].first_chunk()?);
    let (payload, rest) = rest.split_at_checked(length as usize)?;
    message.session = word(0)?;
    message.sequence = word(8)?;
    message.direction = match header[20] {
        0 => Direction::Inbound,
        1 => Direction::Outbound,
        _ => return None,
    };
    message.kind = match header[21] {
        0 => Kind::Text,
        1 => Kind::Binary,
        _ => return None,
    };
    message.payload.clear();
    message.payload.extend_from_slice(payload);
    Some(rest)
}

fn pack(verdict: Verdict, answers: &mut Vec<u8>) {
    match verdict {
        Verdict::Forward(forwarding) => match (forwarding.route, forwarding.payload) {
            (None, None) => answers.push(0),
            (None, Some(payload)) => {
                answers.push(1);
                part(&payload, answers);
            }
            (Some(route), payload) => {
                answers.push(4);
                place(&route, answers);
                answers.push(payload.is_some().into());
                if let Some(payload) = payload {
                    part(&payload, answers);
                }
            }
        },
        Verdict::Drop(reason) => {
            answers.push(2);
            part(reason.as_bytes(), answers);
        }
        Verdict::Close(Rejection { code, reason }) => {
            answers.push(3);
            answers.extend(code.to_le_bytes());
            part(reason.as_bytes(), answers);
        }
        // The packed form has no word for it: the messages behind it would have to wait.
        Verdict::Hold(_) => give_up(),
    }
}

fn place(route: &Target, answers: &mut Vec<u8>) {
    match route {
        Target::Cluster(name) => {
            answers.push(0);
            part(name.as_bytes(), answers);
        }
        Target::Group(name) => {
            answers.push(1);
            part(name.as_bytes(), answers);
        }
        Target::Session(session) => {
            answers.push(2);
            answers.extend(session.to_le_bytes());
        }
        Target::Echo => answers.push(3),
    }
}

fn part(bytes: &[u8], answers: &mut Vec<u8>) {
    let Ok(length) = u32::try_from(bytes.len()) else { give_up() };
    answers.extend(length.to_le_bytes());
    answers.extend_from_slice(bytes);
}

/// Without a line in the log: it is not the plugin's fault.
fn give_up() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    panic!("these messages cannot be answered together")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(sequence: u64, direction: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = [7_u64.to_le_bytes(), sequence.to_le_bytes()].concat();
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend([direction, kind, 0, 0]);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn each_message_is_answered_in_its_place() {
        let messages = [packed(1, 0, 0, b"first"), packed(2, 0, 1, b""), packed(3, 1, 1, &[9; 300])].concat();
        let mut seen = Vec::new();
        let answers = answer(&messages, |message| {
            seen.push((message.id(), message.kind, message.payload.clone()));
            Verdict::drop(message.sequence.to_string())
        });
        assert_eq!(answers, b"\x02\x01\0\0\x001\x02\x01\0\0\x002\x02\x01\0\0\x003");
        let sessions: Vec<_> = seen.iter().map(|(id, ..)| (id.session, id.sequence)).collect();
        assert_eq!(sessions, [(7, 1), (7, 2), (7, 3)]);
        assert_eq!(seen[0].1, Kind::Text);
        assert_eq!(seen[2], (seen[2].0, Kind::Binary, vec![9; 300]));
        assert_eq!([seen[0].0.direction, seen[2].0.direction], [Direction::Inbound, Direction::Outbound]);
        assert!(answer(b"", |_| Verdict::forward()).is_empty());
    }

    #[test]
    fn every_verdict_has_its_form() {
        for (verdict, expected) in [
            (Verdict::forward(), &b"\0"[..]),
            (Verdict::forward_with("ab"), b"\x01\x02\0\0\0ab"),
            (Verdict::drop("spam"), b"\x02\x04\0\0\0spam"),
            (Verdict::close(4000, "no"), b"\x03\xa0\x0f\x02\0\0\0no"),
            (Verdict::route_to(Target::cluster("c")), b"\x04\x00\x01\0\0\0c\0"),
            (Verdict::route_with(Target::group("g"), "x"), b"\x04\x01\x01\0\0\0g\x01\x01\0\0\0x"),
            (Verdict::route_to(258_u64), b"\x04\x02\x02\x01\0\0\0\0\0\0\0"),
            (Verdict::route_to(Target::Echo), b"\x04\x03\0"),
        ] {
            let mut answers = Vec::new();
            pack(verdict.clone(), &mut answers);
            assert_eq!(answers, expected, "{verdict:?}");
        }
    }

    #[test]
    fn what_is_torn_is_not_read() {
        let whole = packed(1, 0, 0, b"payload");
        let mut message = Message {
            session: 0,
            sequence: 0,
            direction: Direction::Inbound,
            kind: Kind::Text,
            payload: Vec::new(),
        };
        for length in 0..whole.len() {
            assert!(unpack(&whole[..length], &mut message).is_none(), "{length}");
        }
        let mut long = whole.clone();
        long[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        for torn in [long, packed(1, 2, 0, b""), packed(1, 0, 2, b"")] {
            assert!(unpack(&torn, &mut message).is_none());
        }
        assert_eq!(unpack(&whole, &mut message), Some(&b""[..]));
    }
}
