//! Frames to send (RFC 6455, section 5.2).

use super::header::Opcode;
use super::{mask, may_be_sent};
use crate::Kind;
use crate::wire::Head;
use bytes::BytesMut;

/// Most bytes of a control frame's payload (RFC 6455, section 5.5).
const LONGEST_CONTROL: usize = 125;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// The first reserved bit: the message is compressed (RFC 7692, section 6).
const COMPRESSED: u8 = 0x40;

/// Appends a ping. Of `payload` at most 125 bytes are sent. A client must give a `mask`, a server must not.
pub fn encode_ping(payload: &[u8], mask: Option<[u8; 4]>, out: &mut BytesMut) {
    control(Opcode::Ping, &[&payload[..payload.len().min(LONGEST_CONTROL)]], mask, out);
}

/// Appends a pong. Of `payload`, which is the ping's, at most 125 bytes are sent. A client must give a `mask`, a server must not.
pub fn encode_pong(payload: &[u8], mask: Option<[u8; 4]>, out: &mut BytesMut) {
    control(Opcode::Pong, &[&payload[..payload.len().min(LONGEST_CONTROL)]], mask, out);
}

/// Appends a close frame with a code and a reason, or with neither. A code that [may not be sent](may_be_sent) sends neither; a
/// reason is cut to 123 bytes, between characters. A client must give a `mask`, a server must not.
pub fn encode_close(close: Option<(u16, &str)>, mask: Option<[u8; 4]>, out: &mut BytesMut) {
    match close.filter(|(code, _)| may_be_sent(*code)) {
        Some((code, reason)) => {
            let reason = &reason[..reason.floor_char_boundary(LONGEST_CONTROL - 2)];
            control(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()], mask, out);
        }
        None => control(Opcode::Close, &[], mask, out),
    }
}

/// Appends the frame of a message that a [`Deflater`](super::deflate::Deflater) has compressed; only a server's, which does not mask.
pub fn encode_compressed(kind: Kind, deflated: &[u8], out: &mut BytesMut) {
    let mut header = Head::default();
    head(opcode(kind), deflated.len(), None, &mut header);
    header.set_first(COMPRESSED);
    out.reserve(header.as_bytes().len() + deflated.len());
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(deflated);
}

fn control(opcode: Opcode, parts: &[&[u8]], mask: Option<[u8; 4]>, out: &mut BytesMut) {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut header = Head::default();
    head(opcode, length, mask, &mut header);
    out.extend_from_slice(header.as_bytes());
    let start = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    if let Some(mask) = mask {
        mask::apply(&mut out[start..], mask, 0);
    }
}

pub(crate) const fn opcode(kind: Kind) -> Opcode {
    match kind {
        Kind::Text => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    }
}

/// Writes the header of an unfragmented frame.
pub(crate) fn head(opcode: Opcode, length: usize, mask: Option<[u8; 4]>, head: &mut Head) {
    let masked = if mask.is_some() { MASKED } else { 0 };
    let short = match length {
        0..=125 => length as u8,
        126..=0xffff => 126,
        _ => 127,
    };
    head.push([FIN | opcode as u8, masked | short]);
    match short {
        126 => head.push((length as u16).to_be_bytes()),
        127 => head.push((length as u64).to_be_bytes()),
        _ => {}
    }
    if let Some(mask) = mask {
        head.push(mask);
    }
}
