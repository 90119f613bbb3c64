//! Control streams (RFC 9114, section 6.2.1): the client's, and what the gateway's begins with.

use super::record::{Part, Records};
use super::{Fault, code, frame, record, stream, varint};

/// Bytes of a client's settings.
const SETTINGS: u64 = 4 * 1024;
/// What a request's fields may come to (RFC 9114, section 4.2.2).
pub(super) const FIELDS: usize = 16 * 1024;

/// Identifiers (RFC 9204, section 5; RFC 9114, section 7.2.4.1; RFC 9220, section 5; RFC 9297, section 5.1).
const QPACK_MAX_TABLE_CAPACITY: u64 = 0x01;
const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
const QPACK_BLOCKED_STREAMS: u64 = 0x07;
const ENABLE_CONNECT_PROTOCOL: u64 = 0x08;
const H3_DATAGRAM: u64 = 0x33;
/// Of the draft before RFC 9297, which Chromium looks for too.
const H3_DATAGRAM_DRAFT: u64 = 0xff_d277;
/// That WebTransport is spoken, as the drafts 02 to 06, 07 to 12, and 13 and 14 say it: clients know one of them.
const ENABLE_WEBTRANSPORT: u64 = 0x2b60_3742;
const WEBTRANSPORT_MAX_SESSIONS: u64 = 0xc671_706a;
const WT_MAX_SESSIONS: u64 = 0x14e9_cd29;

/// What the gateway's control stream begins with: its type, and a `SETTINGS` frame.
pub fn settings() -> Vec<u8> {
    let mut values = Vec::new();
    for (id, value) in [
        (QPACK_MAX_TABLE_CAPACITY, 0),
        (MAX_FIELD_SECTION_SIZE, FIELDS as u64),
        (QPACK_BLOCKED_STREAMS, 0),
        (ENABLE_CONNECT_PROTOCOL, 1),
        (H3_DATAGRAM, 1),
        (H3_DATAGRAM_DRAFT, 1),
        (ENABLE_WEBTRANSPORT, 1),
        (WEBTRANSPORT_MAX_SESSIONS, 1),
        (WT_MAX_SESSIONS, 1),
    ] {
        varint::encode(id, &mut values);
        varint::encode(value, &mut values);
    }
    let mut out = Vec::new();
    varint::encode(stream::CONTROL, &mut out);
    record::encode(frame::SETTINGS, &values, &mut out);
    out
}

/// Reads a client's control stream, behind its type.
#[derive(Debug, Default)]
pub struct Control {
    frames: Records,
    settings: Settings,
}

#[derive(Debug, Default)]
enum Settings {
    #[default]
    Awaited,
    Coming(Vec<u8>),
    Known,
}

impl Control {
    /// Whether the client has said its settings. Before that no request of it may be looked at.
    pub const fn is_ready(&self) -> bool {
        matches!(self.settings, Settings::Known)
    }

    /// More of the stream.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some(part) = self.frames.next(&mut bytes) {
            match (part, &mut self.settings) {
                (Part::Begin(frame::SETTINGS, length), settings @ Settings::Awaited) => {
                    if length > SETTINGS {
                        return Err(Fault::new(code::EXCESSIVE_LOAD, "the settings are too long"));
                    }
                    *settings = Settings::Coming(Vec::new());
                }
                (Part::Begin(..), Settings::Awaited) => {
                    return Err(Fault::new(
                        code::MISSING_SETTINGS,
                        "the control stream begins with no settings",
                    ));
                }
                (Part::Begin(kind, _), _) => may_follow(kind)?,
                (Part::Value(value), Settings::Coming(known)) => known.extend_from_slice(value),
                (Part::End, Settings::Coming(known)) => {
                    check(known)?;
                    self.settings = Settings::Known;
                }
                // Nothing else that a client can say here is of use: no push, no priorities, no id to go away to.
                (Part::Value(_) | Part::End, _) => {}
            }
        }
        Ok(())
    }
}

fn may_follow(kind: u64) -> Result<(), Fault> {
    match kind {
        frame::SETTINGS | frame::DATA | frame::HEADERS | frame::PUSH_PROMISE | frame::WEBTRANSPORT_STREAM => {
            Err(Fault::new(code::FRAME_UNEXPECTED, "a frame that does not belong on a control stream"))
        }
        kind if frame::is_of_http2(kind) => Err(Fault::new(code::FRAME_UNEXPECTED, "a frame of HTTP/2")),
        _ => Ok(()),
    }
}

/// None of what a client sets is needed. It must be right all the same.
fn check(mut settings: &[u8]) -> Result<(), Fault> {
    let mut ids = Vec::new();
    while !settings.is_empty() {
        let pair = varint::decode(settings).and_then(|(id, at)| {
            let (value, length) = varint::decode(&settings[at..])?;
            Some((id, value, at + length))
        });
        let (id, value, length) = pair.ok_or(Fault::new(code::FRAME_ERROR, "the settings are cut off"))?;
        settings = &settings[length..];
        if (0x02..=0x05).contains(&id) {
            return Err(Fault::new(code::SETTINGS_ERROR, "a setting of HTTP/2"));
        }
        if matches!(id, H3_DATAGRAM | ENABLE_CONNECT_PROTOCOL) && value > 1 {
            return Err(Fault::new(code::SETTINGS_ERROR, "a setting that is neither on nor off"));
        }
        ids.push(id);
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < count {
        return Err(Fault::new(code::SETTINGS_ERROR, "a setting is there twice"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Result<bool, u64> {
        let mut control = Control::default();
        for byte in bytes {
            control.take(std::slice::from_ref(byte)).map_err(|fault| fault.code)?;
        }
        Ok(control.is_ready())
    }

    #[test]
    fn settings_come_first_and_once() {
        let own = settings();
        assert_eq!(told(&own[1..]), Ok(true), "its own");
        assert_eq!(told(&own[1..own.len() - 1]), Ok(false));
        assert_eq!(told(b"\x04\0"), Ok(true));
        assert_eq!(told(b"\x04\0\x21\x03abc\x0d\x01\0\x07\x01\0"), Ok(true), "frames of no use");
        assert_eq!(told(b"\x04\0\x04\0"), Err(code::FRAME_UNEXPECTED));
        assert_eq!(told(b"\x04\0\0\0"), Err(code::FRAME_UNEXPECTED));
        assert_eq!(told(b"\x04\0\x06\0"), Err(code::FRAME_UNEXPECTED));
        assert_eq!(told(b"\x07\x01\0"), Err(code::MISSING_SETTINGS));
        assert_eq!(told(b"\x04\x80\0\x10\x01"), Err(code::EXCESSIVE_LOAD));
        assert_eq!(told(b"\x04\x04\x06\x01\x06\x01"), Err(code::SETTINGS_ERROR));
        assert_eq!(told(b"\x04\x02\x02\x01"), Err(code::SETTINGS_ERROR));
        assert_eq!(told(b"\x04\x02\x33\x02"), Err(code::SETTINGS_ERROR));
        assert_eq!(told(b"\x04\x01\x33"), Err(code::FRAME_ERROR));
    }
}
