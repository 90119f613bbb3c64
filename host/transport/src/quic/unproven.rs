//! Addresses that have not shown that they are a client's: they get three times what they sent, and not a byte more (RFC 9000, section
//! 8.1).
//!
//! quinn keeps to that by whole packets: while anything of the three times is left, it sends one more. So what would be beyond waits here
//! until its client has sent more. quinn has counted it as sent and waits too: it is at most a packet or two of each handshake.

use quinn::ConnectionId;
use quinn::udp::{EcnCodepoint, Transmit};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many times what came may go back.
const TIMES: usize = 3;
/// Bytes that the first datagram of a client has at least (RFC 9000, section 14.1): quinn drops shorter ones.
const FIRST: usize = 1200;
/// First datagrams that are remembered until their connection is accepted. Of one that is forgotten before, [`FIRST`] bytes count.
const EARLY: usize = 128;
/// Bytes of one handshake that wait. What is beyond is lost, as on any line, and quinn sends it again.
const WAITING: usize = 8 * 1024;

/// How long quinn may still answer a client, that has not shown that it is there, after its handshake has failed: three times the time
/// after which it would send again (RFC 9000, section 10.2), which is a second as long as nothing was measured.
const AFTERMATH: Duration = Duration::from_secs(4);

/// The handshakes of an endpoint with clients that may not be who they say.
#[derive(Debug, Default)]
pub(crate) struct Unproven {
    /// How many there are: established connections pay for looking at this.
    count: AtomicUsize,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    entries: Vec<Entry>,
    /// Where a datagram came from, whom it was for, its bytes.
    early: VecDeque<(SocketAddr, ConnectionId, usize)>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    peer: SocketAddr,
    /// The connection's name until the client knows ours.
    original: ConnectionId,
    /// The names that we and the client gave it, from our first packet on.
    names: Option<(ConnectionId, ConnectionId)>,
    received: usize,
    sent: usize,
    waiting: Vec<Waiting>,
}

/// A datagram, or several of the same length, that would be too much now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    peer: SocketAddr,
    contents: Vec<u8>,
    segment: Option<usize>,
    ecn: Option<EcnCodepoint>,
    source: Option<IpAddr>,
}

/// What may be sent of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    /// All: it goes to nobody who is in doubt.
    Any,
    /// So many of its first bytes.
    First(u64, usize),
}

/// A handshake, for as long as it is one. Dropped, nothing is bounded any more.
#[derive(Debug)]
pub(crate) struct Doubt {
    unproven: Arc<Unproven>,
    number: u64,
}

/// The parts of a packet with a long header that all versions share (RFC 8999, section 5.1).
struct Long<'a> {
    destination: &'a [u8],
    source: &'a [u8],
}

impl Unproven {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came before a connection attempt was looked at, in bytes. It is asked once, whatever becomes of the attempt.
    pub(crate) fn came(&self, peer: SocketAddr, original: &ConnectionId) -> usize {
        let mut bytes = 0;
        self.book().early.retain(|(from, name, length)| {
            let same = *from == peer && name == original;
            bytes += if same { *length } else { 0 };
            !same
        });
        bytes.max(FIRST)
    }

    /// From now on what goes there in this connection is counted. `came` is what [came](Self::came).
    pub(crate) fn doubt(self: &Arc<Self>, peer: SocketAddr, original: ConnectionId, came: usize) -> Doubt {
        let mut book = self.book();
        let number = book.next;
        book.next += 1;
        let entry =
            Entry { number, peer, original, names: None, received: came, sent: 0, waiting: Vec::new() };
        book.entries.push(entry);
        self.count.store(book.entries.len(), Ordering::Release);
        Doubt { unproven: Arc::clone(self), number }
    }

    /// Takes note of a datagram that came. Gives what may go out now.
    pub(super) fn received(&self, peer: SocketAddr, datagram: &[u8]) -> Vec<Waiting> {
        let Some(long) = Long::of(datagram) else { return Vec::new() };
        let mut book = self.book();
        let ours = |entry: &Entry| {
            entry.peer == peer && entry.names.is_some_and(|(ours, _)| *ours == *long.destination)
        };
        if let Some(at) = book.entries.iter().position(ours) {
            // It knows the name that we sent there.
            let entry = book.entries.swap_remove(at);
            self.count.store(book.entries.len(), Ordering::Release);
            return entry.waiting;
        }
        let known = |entry: &&mut Entry| entry.peer == peer && *entry.original == *long.destination;
        if let Some(entry) = book.entries.iter_mut().find(known) {
            entry.received += datagram.len();
            return entry.released();
        }
        if book.early.len() == EARLY {
            book.early.pop_front();
        }
        book.early.push_back((peer, ConnectionId::new(long.destination), datagram.len()));
        Vec::new()
    }

    /// How much of it may be sent now. What was is to be [counted](Self::sent).
    pub(super) fn allowance(&self, transmit: &Transmit<'_>) -> Allowance {
        if self.count.load(Ordering::Acquire) == 0 {
            return Allowance::Any;
        }
        let mut book = self.book();
        let Some(entry) = book.entry_of(transmit) else { return Allowance::Any };
        let left = if entry.waiting.is_empty() { entry.left() } else { 0 };
        let length = transmit.contents.len();
        let segment = transmit.segment_size.unwrap_or(length).max(1);
        Allowance::First(entry.number, if left >= length { length } else { left / segment * segment })
    }

    /// So many bytes of it were sent; the others wait.
    pub(super) fn sent(&self, number: u64, bytes: usize, transmit: &Transmit<'_>) {
        let mut book = self.book();
        let Some(entry) = book.entries.iter_mut().find(|entry| entry.number == number) else { return };
        entry.sent += bytes;
        let rest = transmit.contents.get(bytes..).unwrap_or_default();
        let waiting: usize = entry.waiting.iter().map(|waiting| waiting.contents.len()).sum();
        if !rest.is_empty() && waiting + rest.len() <= WAITING {
            entry.waiting.push(Waiting {
                peer: transmit.destination,
                contents: rest.to_vec(),
                segment: transmit.segment_size.filter(|segment| rest.len() > *segment),
                ecn: transmit.ecn,
                source: transmit.src_ip,
            });
        }
    }
}

impl Book {
    fn entry_of(&mut self, transmit: &Transmit<'_>) -> Option<&mut Entry> {
        let peer = transmit.destination;
        let Some(long) = Long::of(transmit.contents) else {
            let name = transmit.contents.get(1..).unwrap_or_default();
            return self.entries.iter_mut().find(|entry| {
                entry.peer == peer && entry.names.is_some_and(|(_, theirs)| name.starts_with(&theirs))
            });
        };
        let named =
            |entry: &Entry| entry.peer == peer && entry.names.is_some_and(|(ours, _)| *ours == *long.source);
        if let Some(at) = self.entries.iter().position(named) {
            return self.entries.get_mut(at);
        }
        // The first packet of a connection says how it is called.
        let entry = self.entries.iter_mut().find(|entry| entry.peer == peer && entry.names.is_none())?;
        entry.names = Some((ConnectionId::new(long.source), ConnectionId::new(long.destination)));
        Some(entry)
    }
}

impl Entry {
    fn left(&self) -> usize {
        (self.received * TIMES).saturating_sub(self.sent)
    }

    /// What waits and is not too much any more, in order.
    fn released(&mut self) -> Vec<Waiting> {
        let mut left = self.left();
        let fits = |waiting: &&Waiting| {
            let fits = waiting.contents.len() <= left;
            left -= if fits { waiting.contents.len() } else { left };
            fits
        };
        let count = self.waiting.iter().take_while(fits).count();
        let released: Vec<_> = self.waiting.drain(..count).collect();
        self.sent += released.iter().map(|waiting| waiting.contents.len()).sum::<usize>();
        released
    }
}

impl Waiting {
    pub(super) fn transmit(&self) -> Transmit<'_> {
        Transmit {
            destination: self.peer,
            ecn: self.ecn,
            contents: &self.contents,
            segment_size: self.segment,
            src_ip: self.source,
        }
    }
}

impl Doubt {
    /// Whether the client has not shown yet that it is there.
    pub(crate) fn remains(&self) -> bool {
        self.unproven.book().entries.iter().any(|entry| entry.number == self.number)
    }

    /// Goes on counting while quinn may still answer a handshake that has failed.
    pub(crate) async fn outlast(self) {
        if self.remains() {
            tokio::time::sleep(AFTERMATH).await;
        }
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        let mut book = self.unproven.book();
        book.entries.retain(|entry| entry.number != self.number);
        self.unproven.count.store(book.entries.len(), Ordering::Release);
    }
}

impl<'a> Long<'a> {
    fn of(packet: &'a [u8]) -> Option<Self> {
        let (first, rest) = packet.split_first()?;
        if first & 0x80 == 0 {
            return None;
        }
        let (version, rest) = rest.split_at_checked(4)?;
        // Zero: it tells which versions there are.
        let rest = (version != [0; 4]).then_some(rest)?;
        let name = |bytes: &'a [u8]| {
            let (length, rest) = bytes.split_first()?;
            (*length <= 20).then(|| rest.split_at_checked(usize::from(*length)))?
        };
        let (destination, rest) = name(rest)?;
        let (source, _) = name(rest)?;
        Some(Self { destination, source })
    }
}

/// For a fuzzer: a datagram that comes before its connection is accepted, and again when that is in doubt.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn received(datagram: &[u8]) {
    let peer = ([192, 0, 2, 1], 9).into();
    let unproven = Arc::new(Unproven::default());
    assert!(unproven.received(peer, datagram).is_empty(), "nothing waits");
    let original = Long::of(datagram).map_or(&[][..], |long| long.destination);
    let original = ConnectionId::new(&original[..original.len().min(20)]);
    let came = unproven.came(peer, &original);
    assert!(came >= FIRST && came <= FIRST.max(datagram.len()), "{came} of {} bytes", datagram.len());
    let _doubt = unproven.doubt(peer, original, came);
    assert!(unproven.received(peer, datagram).is_empty(), "nothing waits");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7);
    const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8);

    fn long(destination: &[u8], source: &[u8], length: usize) -> Vec<u8> {
        let mut packet = vec![0xc0, 0, 0, 0, 1, destination.len() as u8];
        packet.extend_from_slice(destination);
        packet.push(source.len() as u8);
        packet.extend_from_slice(source);
        packet.resize(length, 0);
        packet
    }

    /// Gives how many bytes were sent.
    fn send(unproven: &Unproven, destination: SocketAddr, contents: &[u8], segment: Option<usize>) -> usize {
        let transmit = Transmit { destination, ecn: None, contents, segment_size: segment, src_ip: None };
        match unproven.allowance(&transmit) {
            Allowance::Any => contents.len(),
            Allowance::First(number, bytes) => {
                unproven.sent(number, bytes, &transmit);
                bytes
            }
        }
    }

    fn lengths(waiting: &[Waiting]) -> Vec<usize> {
        waiting.iter().map(|waiting| waiting.contents.len()).collect()
    }

    fn one() -> (Arc<Unproven>, Doubt) {
        let unproven = Arc::new(Unproven::default());
        assert!(unproven.received(PEER, &long(b"original", b"theirs", 1200)).is_empty());
        let original = ConnectionId::new(b"original");
        let came = unproven.came(PEER, &original);
        assert_eq!(came, 1200);
        let doubt = unproven.doubt(PEER, original, came);
        (unproven, doubt)
    }

    #[test]
    fn what_is_beyond_three_times_waits_for_more_to_come() {
        let (unproven, doubt) = one();
        for _ in 0..2 {
            assert_eq!(send(&unproven, PEER, &long(b"theirs", b"ours", 1200), None), 1200);
        }
        assert_eq!(send(&unproven, PEER, &long(b"theirs", b"ours", 800), None), 800);
        assert_eq!(send(&unproven, PEER, &long(b"theirs", b"ours", 600), None), 0);
        // Nothing overtakes it, and short headers count too.
        assert_eq!(send(&unproven, PEER, b"\x40theirs and more", None), 0);
        // What others get is not counted, nor other connections of the same address.
        assert_eq!(send(&unproven, OTHER, &long(b"theirs", b"ours", 1200), None), 1200);
        assert_eq!(send(&unproven, PEER, b"\x40another", None), 8);
        assert!(unproven.received(PEER, &long(b"another", b"theirs", 1200)).is_empty());
        assert!(unproven.received(OTHER, &long(b"original", b"theirs", 1200)).is_empty());
        assert_eq!(lengths(&unproven.received(PEER, &long(b"original", b"theirs", 30))), [] as [usize; 0]);
        assert_eq!(lengths(&unproven.received(PEER, &long(b"original", b"theirs", 105))), [600, 16]);
        assert!(doubt.remains());
    }

    #[test]
    fn whole_datagrams_of_several_are_sent() {
        let (unproven, _doubt) = one();
        let mut several = long(b"theirs", b"ours", 1100);
        several.resize(4000, 0);
        assert_eq!(send(&unproven, PEER, &several, Some(1100)), 3300);
        assert_eq!(lengths(&unproven.received(PEER, &long(b"original", b"theirs", 1200))), [700]);
    }

    #[test]
    fn who_knows_our_name_has_seen_it() {
        let (unproven, doubt) = one();
        assert_eq!(send(&unproven, PEER, &long(b"theirs", b"ours", 3600), None), 3600);
        assert_eq!(send(&unproven, PEER, &long(b"theirs", b"ours", 1200), None), 0);
        assert!(unproven.received(OTHER, &long(b"ours", b"theirs", 40)).is_empty());
        assert!(doubt.remains());
        assert_eq!(lengths(&unproven.received(PEER, &long(b"ours", b"theirs", 40))), [1200]);
        assert!(!doubt.remains());
        assert_eq!(send(&unproven, PEER, &long(b"theirs", b"ours", 9000), None), 9000);
        assert_eq!(unproven.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (unproven, doubt) = one();
        for _ in 0..100 {
            send(&unproven, PEER, &long(b"theirs", b"ours", 1200), None);
        }
        for at in 0..10_u32 * EARLY as u32 {
            unproven.received(OTHER, &long(&at.to_be_bytes(), b"theirs", 1200));
        }
        {
            let book = unproven.book();
            assert_eq!(book.early.len(), EARLY);
            assert_eq!(lengths(&book.entries[0].waiting), [1200; WAITING / 1200]);
        }
        // The first is forgotten, and counts as much as it must have been.
        assert_eq!(unproven.came(OTHER, &ConnectionId::new(&0_u32.to_be_bytes())), FIRST);
        drop(doubt);
        assert_eq!(unproven.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn packets_that_are_none_are_nothing() {
        let unproven = Unproven::default();
        let all = long(&[1; 20], &[2; 20], 46);
        for length in 0..all.len() {
            unproven.received(PEER, &all[..length]);
        }
        unproven.received(PEER, &long(&[1; 21], b"", 60));
        unproven.received(PEER, &[0x80, 0, 0, 0, 0, 0, 0]);
        assert!(unproven.book().early.is_empty());
        unproven.received(PEER, &long(&[1; 20], &[2; 20], 47));
        assert_eq!(unproven.book().early.len(), 1);
    }
}
