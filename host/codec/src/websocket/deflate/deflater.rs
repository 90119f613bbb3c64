//! Messages to send, compressed (RFC 7692, section 7.2.1).

use super::{FLUSHED, RETAINED, Window};
use crate::Payload;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Payloads that are shorter are sent as they are: most would not shrink, and none by much. See docs/decisions.md.
const WORTHWHILE: usize = 128;
/// Of zlib's nine. See docs/decisions.md.
const LEVEL: u32 = 2;

/// Compresses messages, each by itself: for all connections of a thread.
///
/// It owns no memory until the first message is to be compressed; then the compressor's state (some 370 KiB for the widest window)
/// for each window that was ever asked for, and at most 64 KiB of output between messages.
#[derive(Debug, Default)]
pub struct Deflater {
    contexts: [Option<Compress>; Window::COUNT],
    output: Vec<u8>,
}

impl Deflater {
    /// The payload of the compressed frame. `None`: it is not worth it, the message is to be sent as it is.
    pub fn deflate(&mut self, window: Window, payload: &[u8]) -> Option<Payload<'_>> {
        if payload.len() < WORTHWHILE {
            return None;
        }
        let context = self.contexts[window.index()].get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::new(LEVEL), false, window.bits())
        });
        // Also of what was begun and not worth it.
        context.reset();
        self.output.clear();
        // Whoever has not ended by then has not made it shorter.
        let most = payload.len() - 1 + FLUSHED.len();
        let ended = compress(context, payload, &mut self.output, most);
        let kept = self.output.capacity() <= RETAINED;
        let mut large = if kept { Vec::new() } else { std::mem::take(&mut self.output) };
        let output = if kept { &mut self.output } else { &mut large };
        if !ended || output.len() > most || !output.ends_with(&FLUSHED) {
            return None;
        }
        output.truncate(output.len() - FLUSHED.len());
        if kept {
            return Some(Payload::Borrowed(&self.output));
        }
        large.shrink_to_fit();
        Some(Payload::Owned(large.into()))
    }
}

/// Appends the whole message and what a sync flush ends with. False: that is more than `most` bytes.
fn compress(context: &mut Compress, payload: &[u8], output: &mut Vec<u8>, most: usize) -> bool {
    loop {
        if output.len() == output.capacity() {
            if output.len() >= most {
                return false;
            }
            let more = output.capacity().min(most - output.len());
            output.reserve_exact(if output.capacity() < RETAINED { RETAINED } else { more });
        }
        let rest = &payload[context.total_in() as usize..];
        match context.compress_vec(rest, output, FlushCompress::Sync) {
            // It is flushed when it needed less room than there was (zlib's manual), or had nothing left to do.
            Ok(Status::Ok) if output.len() < output.capacity() => return true,
            Ok(Status::Ok) => {}
            Ok(Status::BufError) => return context.total_in() as usize == payload.len(),
            Ok(Status::StreamEnd) | Err(_) => return false,
        }
    }
}
