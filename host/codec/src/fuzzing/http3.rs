//! What a client of WebTransport sends, on each of its streams.

use super::Choices;
use crate::http3::{Asked, Control, Fault, Head, Headed, SessionEvent, SessionStream, datagram};

/// Any bytes as one of a client's streams: how they are cut into reads does not matter, no more is read than is asked for, and what is
/// kept of a request is bounded.
pub fn http3_parse(data: &[u8]) {
    let mut choices = Choices(data);
    let (which, cuts) = (choices.byte(), choices.cuts());
    let stream = choices.0;
    match which % 4 {
        0 => same(stream, cuts, control),
        1 => same(stream, cuts, session),
        2 => head(stream),
        _ => {
            // It is a view of what was given, or broken.
            if let Ok((session, payload)) = datagram(stream) {
                assert!(session.is_multiple_of(4) && stream.ends_with(payload));
            }
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    stream: &[u8],
    mut cuts: impl Iterator<Item = usize>,
    read: impl Fn(&[u8], &mut dyn Iterator<Item = usize>) -> T,
) {
    let whole = read(stream, &mut std::iter::repeat(usize::MAX));
    assert_eq!(read(stream, &mut std::iter::repeat(1)), whole, "byte by byte");
    assert_eq!(read(stream, &mut cuts), whole, "in parts");
}

fn parts<'a>(mut stream: &'a [u8], cuts: &mut dyn Iterator<Item = usize>) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while !stream.is_empty() {
        let (part, rest) = stream.split_at(cuts.next().unwrap_or(1).min(stream.len()));
        parts.push(part);
        stream = rest;
    }
    parts
}

fn control(stream: &[u8], cuts: &mut dyn Iterator<Item = usize>) -> Result<bool, Fault> {
    let mut control = Control::default();
    parts(stream, cuts).into_iter().try_for_each(|part| control.take(part))?;
    Ok(control.is_ready())
}

fn session(stream: &[u8], cuts: &mut dyn Iterator<Item = usize>) -> Result<Option<SessionEvent>, Fault> {
    let mut session = SessionStream::default();
    for part in parts(stream, cuts) {
        if let Some(event) = session.take(part)? {
            let SessionEvent::Closed(_, reason) = &event;
            // A byte that is no UTF-8 becomes three.
            assert!(reason.len() <= 3 * 1024);
            return Ok(Some(event));
        }
    }
    Ok(None)
}

fn head(mut stream: &[u8]) {
    let mut head = Head::default();
    while !stream.is_empty() {
        let wanted = head.wants();
        assert!(wanted > 0, "something is to be read");
        let (part, rest) = stream.split_at(wanted.min(stream.len()));
        stream = rest;
        match head.take(part) {
            Ok(None) => {}
            Ok(Some(Headed::Request(Asked::For(request)))) => {
                assert!(request.headers.len() <= 64);
                let headers = request.headers.iter().map(|(name, value)| name.len() + value.len());
                assert!(headers.sum::<usize>() <= 3 * 16 * 1024);
                return;
            }
            Ok(Some(_)) | Err(_) => return,
        }
    }
}
