//! Names for things inside one running gateway.

use std::fmt;

/// A worker's number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u8);

/// A connection, downstream or upstream: unique within a running gateway and never reused.
///
/// Laid out as `generation << 32 | worker << 24 | slot`, so that any worker can tell whose connection it is and the owner finds it
/// without a map. A worker holds at most 2²⁴ connections at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

/// A session is named by its downstream connection.
pub type SessionId = ConnId;

impl ConnId {
    /// The most connections that one worker can hold at once.
    pub const MAX_SLOTS: usize = 1 << 24;

    pub(crate) fn new(worker: WorkerId, slot: usize, generation: u32) -> Self {
        debug_assert!(slot < Self::MAX_SLOTS, "slot {slot} does not fit an id");
        Self(u64::from(generation) << 32 | u64::from(worker.0) << 24 | slot as u64)
    }

    /// The id that a plugin named. It may belong to no connection, now or ever.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number that plugins, logs and metrics see.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The worker that owns the connection.
    pub const fn worker(self) -> WorkerId {
        WorkerId((self.0 >> 24) as u8)
    }

    /// Its place in the owner's table: below [`MAX_SLOTS`](Self::MAX_SLOTS), and used again under another generation.
    pub const fn slot(self) -> usize {
        (self.0 & 0x00ff_ffff) as usize
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {:x}", self.0)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// The index into the snapshot's list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// A listener: its place in [`Snapshot::listeners`](crate::Snapshot::listeners), fixed for the process.
    ListenerId
}
index! {
    /// A cluster: its place in [`Snapshot::clusters`](crate::Snapshot::clusters), fixed for the process.
    ClusterId
}
index! {
    /// A binding: fixed for as long as the process knows a binding of that name.
    BindingId
}

/// One generation of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationId {
    /// Which binding.
    pub binding: BindingId,
    /// Which version of it.
    pub generation: u64,
}

/// One of the ordered ways inside a connection: a QUIC stream or its datagrams; TCP and WebSocket have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u64);

impl Lane {
    /// The only lane of a TCP or WebSocket connection.
    pub const ONLY: Self = Self(0);
    /// QUIC datagrams (RFC 9221): unordered, unreliable, one message each. No stream has this id (RFC 9000, section 2.1: 62 bits).
    pub const DATAGRAMS: Self = Self(u64::MAX);
}
