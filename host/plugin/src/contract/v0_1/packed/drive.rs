//! Any bytes as packed answers: for the fuzzer, and for the unit tests that run it on its corpus and on random input.

use super::{Answer, Answers, Header, Place, Text, Torn, pack};

/// Reads as many answers as there are. What was read is what stood there: packed again it is the same bytes, so nothing is read twice,
/// left out or made up.
pub(crate) fn packed_answers(data: &[u8]) {
    let mut answers = Answers::of(data.to_vec());
    let mut again = Vec::new();
    let end = loop {
        if answers.end().is_ok() {
            break None;
        }
        match answers.read() {
            Ok(answer) => write(&answer, &mut again),
            Err(torn) => break Some(torn),
        }
        assert_eq!(again, data[..again.len()], "what was read is what stood there");
        assert_eq!(answers.end().err(), remainder(data.len() - again.len()));
    };
    match end {
        None => assert_eq!(again, data),
        Some(torn) => assert!(again.len() < data.len() && !matches!(torn, Torn::Long(_)), "{torn}"),
    }
    // And what is packed is as long as it is said to be.
    let mut packed = vec![0; 3];
    let header = Header { session: 1, sequence: 2, direction: 0, kind: 1 };
    assert!(pack(header, data, &mut packed));
    assert_eq!(packed[3 + 16..3 + 20], (data.len() as u32).to_le_bytes());
    assert_eq!(packed[3 + 24..], *data);
}

fn remainder(left: usize) -> Option<Torn> {
    (left > 0).then_some(Torn::Long(left))
}

/// As a plugin writes it.
pub(crate) fn write(answer: &Answer, into: &mut Vec<u8>) {
    match answer {
        Answer::Forward(None, None) => into.push(0),
        Answer::Forward(None, Some(payload)) => {
            into.push(1);
            part(payload, into);
        }
        Answer::Forward(Some(place), payload) => {
            into.push(4);
            match place {
                Place::Cluster(name) => text(0, name, into),
                Place::Group(name) => text(1, name, into),
                Place::Session(session) => {
                    into.push(2);
                    into.extend(session.to_le_bytes());
                }
                Place::Echo => into.push(3),
            }
            into.push(payload.is_some().into());
            if let Some(payload) = payload {
                part(payload, into);
            }
        }
        Answer::Drop(reason) => text(2, reason, into),
        Answer::Close(code, reason) => {
            into.push(3);
            into.extend(code.to_le_bytes());
            part(reason.as_str().as_bytes(), into);
        }
    }
}

fn text(tag: u8, text: &Text, into: &mut Vec<u8>) {
    into.push(tag);
    part(text.as_str().as_bytes(), into);
}

fn part(bytes: &[u8], into: &mut Vec<u8>) {
    into.extend((bytes.len() as u32).to_le_bytes());
    into.extend_from_slice(bytes);
}
