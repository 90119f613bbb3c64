//! One connection over TCP: from the first packet to the last.

use super::stream::Stream;
use super::upgrade::{Answer, Upgrade};
use crate::conn::{Conn, MOST_WAITING};
use crate::failure::Failure;
use crate::shard::Shard;
use crate::shared::Nanos;
use bytes::{Buf as _, BytesMut};
use mio::event::Event;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// What it waits for.
#[derive(Debug)]
enum Stage {
    ExpectConnected,
    ExpectSecured,
    ExpectUpgraded(Box<Upgrade>),
    /// The connection is there; the client may still wait for a word of the server.
    Open,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) stream: Stream,
    pub(super) conn: Conn,
    address: SocketAddr,
    stage: Stage,
    /// What the socket did not take.
    waiting: BytesMut,
    /// When it began to connect.
    pub(super) begun: Nanos,
}

/// What the kernel says of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    readable: bool,
    writable: bool,
    /// Nothing comes behind what is there.
    ended: bool,
}

impl From<&Event> for Ready {
    fn from(event: &Event) -> Self {
        let ended = event.is_read_closed() || event.is_error();
        Self { readable: ended || event.is_readable(), writable: event.is_writable(), ended }
    }
}

/// Where bytes are read to and written from, for all connections of a thread.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) read: Vec<u8>,
    pub(super) write: BytesMut,
}

impl Peer {
    pub(super) fn new(stream: Stream, conn: Conn, address: SocketAddr, begun: Nanos) -> Self {
        Self { stream, conn, address, stage: Stage::ExpectConnected, waiting: BytesMut::new(), begun }
    }

    /// Something may be done: reads, answers, writes. An error is its end.
    pub(super) fn ready(
        &mut self,
        ready: Ready,
        shard: &mut Shard,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if !matches!(self.stage, Stage::Open) && !self.prepare(shard, buffers)? {
            return Ok(());
        }
        let was_full = self.is_full();
        if ready.writable && (self.stream.holds_back() || !self.waiting.is_empty()) {
            self.flush()?;
        }
        let ended = if ready.readable { self.read(ready.ended, shard, buffers) } else { Ok(()) };
        // Before a failure is told: a close frame is answered. By a schedule, everybody waits for its turn, but for who missed it.
        let written = if self.conn.next_due().is_none() || was_full {
            self.pump(shard, buffers)
        } else {
            self.write(&mut buffers.write)
        };
        ended.and(written)?;
        self.check_waiting(shard)
    }

    fn check_waiting(&self, shard: &Shard) -> Result<(), Failure> {
        if self.waiting.len() > shard.settings.most_waiting { Err(Failure::unread()) } else { Ok(()) }
    }

    /// Sends what is due, with what is to be said besides.
    pub(super) fn pump(&mut self, shard: &mut Shard, buffers: &mut Buffers) -> Result<(), Failure> {
        let now = shard.shared.now();
        let room = MOST_WAITING.saturating_sub(self.waiting.len());
        self.conn.pump(now, shard, &mut buffers.write, room);
        self.write(&mut buffers.write)
    }

    /// Whether messages wait that its socket did not take.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    /// What it would be waiting for, in words, where it is not open yet.
    pub(super) fn step(&self) -> Option<&'static str> {
        Some(match self.stage {
            Stage::ExpectConnected => "connecting",
            Stage::ExpectSecured => "the TLS handshake",
            Stage::ExpectUpgraded(_) => "the WebSocket handshake",
            Stage::Open if !self.conn.is_open() => "the message that --ready waits for",
            Stage::Open => return None,
        })
    }

    /// Goes on with the handshakes. Gives whether the connection is there.
    fn prepare(&mut self, shard: &mut Shard, buffers: &mut Buffers) -> Result<bool, Failure> {
        let failed = |error: io::Error| Failure::to_connect(&error, self.address);
        let settings = shard.settings.clone();
        let target = settings.target_of(self.conn.number());
        if matches!(self.stage, Stage::ExpectConnected) {
            if !self.stream.is_connected().map_err(failed)? {
                return Ok(false);
            }
            if let Some(tls) = &target.tls {
                self.stream.secure(tls, &target.host).map_err(failed)?;
            }
            self.stage = Stage::ExpectSecured;
        }
        if matches!(self.stage, Stage::ExpectSecured) {
            if self.stream.is_handshaking().map_err(failed)? {
                return Ok(false);
            }
            if target.scheme.is_websocket() {
                let number = self.conn.number();
                let path = target.path(settings.group(number), number);
                let (upgrade, request) = Upgrade::new(&target.authority, &path, &settings.headers);
                buffers.write.extend_from_slice(request.as_bytes());
                self.write(&mut buffers.write)?;
                self.stage = Stage::ExpectUpgraded(Box::new(upgrade));
            } else {
                self.opened(shard, buffers)?;
            }
        }
        let Stage::ExpectUpgraded(upgrade) = &mut self.stage else { return Ok(true) };
        loop {
            let length = match self.stream.read(&mut buffers.read) {
                Ok(0) => return Err(Failure::to_connect(&ErrorKind::UnexpectedEof.into(), self.address)),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(Failure::to_connect(&error, self.address)),
            };
            match upgrade.received(&buffers.read[..length]) {
                Answer::Partial => {}
                Answer::Upgraded(mut first) => {
                    self.opened(shard, buffers)?;
                    let now = shard.shared.now();
                    let ended = self.conn.received(&mut first, now, shard, &mut buffers.write);
                    // The buffer is everybody's: what this one says must not be left in it for the next.
                    self.write(&mut buffers.write)?;
                    ended?;
                    return Ok(true);
                }
                Answer::Refused(status, said) => {
                    let about =
                        format!("{} refused the WebSocket with status {status}: {said}", self.address);
                    return Err(Failure::new(format!("upgrade_{status}"), about));
                }
                Answer::Broken(why) => {
                    return Err(Failure::new("upgrade_failed", format!("{}: {why}", self.address)));
                }
            }
        }
    }

    fn opened(&mut self, shard: &mut Shard, buffers: &mut Buffers) -> Result<(), Failure> {
        self.stage = Stage::Open;
        self.conn.hello(shard, &mut buffers.write);
        self.write(&mut buffers.write)
    }

    fn read(&mut self, ended: bool, shard: &mut Shard, buffers: &mut Buffers) -> Result<(), Failure> {
        loop {
            let length = match self.stream.read(&mut buffers.read) {
                Ok(0) => return Err(Failure::ended()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::to_go_on(&error)),
            };
            let now = shard.shared.now();
            self.conn.received(&mut buffers.read[..length], now, shard, &mut buffers.write)?;
            if buffers.write.len() > MOST_WAITING {
                // It may go on and on: it is answered meanwhile.
                self.flush()?;
                self.write(&mut buffers.write)?;
                self.check_waiting(shard)?;
            }
            // The kernel tells of an end once: where it did, that is behind the last bytes.
            if !ended && length < buffers.read.len() && self.stream.short_is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes all of `out`, or keeps what is left of it.
    fn write(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        if self.waiting.is_empty() {
            while !out.is_empty() {
                match self.stream.write(out) {
                    Ok(length) => out.advance(length),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        out.clear();
                        return Err(Failure::to_go_on(&error));
                    }
                }
            }
        }
        self.waiting.extend_from_slice(out);
        out.clear();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.stream.flush().map_err(|error| Failure::to_go_on(&error))?;
        self.write(&mut waiting)
    }

    /// Says goodbye, and that nothing more comes.
    pub(super) fn goodbye(&mut self, shard: &mut Shard, buffers: &mut Buffers) {
        self.conn.goodbye(shard, &mut buffers.write);
        let _ = self.write(&mut buffers.write);
        if self.conn_closes_first() {
            self.stream.shut_down();
        }
    }

    /// A WebSocket's server closes first (RFC 6455, section 7.1.1).
    fn conn_closes_first(&self) -> bool {
        !matches!(self.stage, Stage::Open) || !self.conn.is_websocket()
    }

    /// Whether the other end has ended; what it still says is of no interest.
    pub(super) fn has_ended(&mut self, buffers: &mut Buffers) -> bool {
        loop {
            match self.stream.read(&mut buffers.read) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}
