//! permessage-deflate (RFC 7692), the server's end, without context takeover in either direction.
//!
//! So each message is compressed by itself: one [`Deflater`] and one [`Inflater`] serve all connections of a thread, an idle
//! connection owns neither, and the compressed frame of a message is the same for all receivers of one [`Window`].

mod deflater;
mod inflater;
mod offer;
#[cfg(test)]
mod tests;

pub use deflater::Deflater;
pub use inflater::{Compressed, Inflater};
pub use offer::{Agreement, accept};

/// What a sync flush ends with; it is not sent (section 7.2.1).
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

/// A buffer with more capacity than this is not kept for the next message.
const RETAINED: usize = 64 * 1024;

/// How far back a match may reach in what is sent: 2 to the power of 9 to 15 bytes.
///
/// The RFC (section 7.1.2.1) also has 8, which no zlib can promise: an offer that asks for it is declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window(u8);

impl Window {
    /// The widest, which holds where nothing else is agreed.
    pub const WIDEST: Self = Self(15);
    const NARROWEST: u8 = 9;
    const COUNT: usize = (Self::WIDEST.0 - Self::NARROWEST) as usize + 1;

    /// `None`: not from 9 to 15.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits >= Self::NARROWEST && bits <= Self::WIDEST.0 { Some(Self(bits)) } else { None }
    }

    /// The power of two.
    pub const fn bits(self) -> u8 {
        self.0
    }

    const fn index(self) -> usize {
        (self.0 - Self::NARROWEST) as usize
    }
}

/// The most bytes of a compressed message of which `limit` is the limit, before anything of it is inflated. Data that does not
/// shrink grows a little, the more the less memory its sender spends.
pub(crate) const fn longest(limit: usize) -> usize {
    limit.saturating_add(limit / 64 + 64)
}
