//! Connections over TCP: one loop for all of a thread, one `recv` and one `send` for whatever is there.

mod alarm;
mod peer;
mod stream;
mod upgrade;

use crate::conn::Conn;
use crate::failure::Failure;
use crate::settings::Pace;
use crate::shard::Shard;
use crate::shared::Nanos;
use crate::tally::Tally;
use alarm::Alarm;
use bytes::BytesMut;
use mio::{Events, Interest, Poll, Token};
use peer::{Buffers, Peer};
use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;
use stream::Stream;

/// What one read takes.
const BUFFER: usize = 256 << 10;
/// Connections that are being opened at a time: more would only wait in the server's backlog, or be dropped there.
const OPENING: usize = 256;
/// How long it sleeps at most, and how often it looks for what does not come, at most.
const LOOK: Nanos = 50_000_000;
/// How long the ends of connections are waited for.
const GOODBYE: Nanos = 1_000_000_000;
const ALARM: Token = Token(usize::MAX - 1);

/// Runs the connections of these numbers from the first to the last.
pub(crate) fn run(shard: Shard, numbers: Vec<u32>) -> io::Result<Tally> {
    let mut sockets = Sockets::new(shard, numbers)?;
    sockets.open()?;
    sockets.load()?;
    sockets.close()?;
    Ok(sockets.shard.tally)
}

struct Sockets {
    shard: Shard,
    poll: Poll,
    events: Events,
    alarm: Alarm,
    buffers: Buffers,
    /// Of connections, in the order in which they are opened.
    numbers: Vec<u32>,
    /// `None`: it has failed, or ended.
    peers: Vec<Option<Peer>>,
    /// Those that are being opened.
    opening: Vec<usize>,
    /// Those that send, and whose turn it is where there is a schedule.
    senders: Vec<usize>,
    next_sender: usize,
    /// Somebody has sent when it was not its turn.
    out_of_turn: bool,
    publishers: Vec<usize>,
    looked: Nanos,
    /// Received, as it was last told to the progress bar.
    told: u64,
}

impl Sockets {
    fn new(shard: Shard, numbers: Vec<u32>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        Ok(Self {
            shard,
            poll,
            events: Events::with_capacity(1_024),
            alarm,
            buffers: Buffers { read: vec![0; BUFFER], write: BytesMut::with_capacity(BUFFER) },
            peers: Vec::with_capacity(numbers.len()),
            numbers,
            opening: Vec::new(),
            senders: Vec::new(),
            next_sender: 0,
            out_of_turn: true,
            publishers: Vec::new(),
            looked: 0,
            told: 0,
        })
    }

    /// Opens the connections, at the pace that is asked for, and waits for all.
    fn open(&mut self) -> io::Result<()> {
        let settings = self.shard.settings.clone();
        let begun = self.shard.shared.now();
        let pace = settings.ramp.map(|ramp| ramp / settings.threads as f64 / 1e9);
        while !self.shard.shared.is_stopped() {
            let now = self.shard.shared.now();
            let most = pace.map_or(self.numbers.len(), |pace| ((now - begun) as f64 * pace) as usize + 1);
            while self.peers.len() < most.min(self.numbers.len()) && self.opening.len() < OPENING {
                self.connect(now);
            }
            let patience = settings.timeout.as_nanos() as u64;
            for at in std::mem::take(&mut self.opening) {
                let Some(peer) = &self.peers[at] else { continue };
                match peer.step() {
                    Some(step) if now.saturating_sub(peer.begun) > patience => {
                        let failure = Failure::late(step, settings.target_of(peer.conn.number()).address);
                        self.end(at, failure);
                    }
                    Some(_) => self.opening.push(at),
                    None => {}
                }
            }
            if self.opening.is_empty() && self.peers.len() == self.numbers.len() {
                break;
            }
            let wait = if pace.is_some() { 1 } else { 20 };
            self.turn(Some(Duration::from_millis(wait)))?;
        }
        self.shard.shared.ready.fetch_add(1, SeqCst);
        Ok(())
    }

    fn connect(&mut self, now: Nanos) {
        let at = self.peers.len();
        let number = self.numbers[at];
        let settings = self.shard.settings.clone();
        let target = settings.target_of(number);
        let stream = Stream::connect(target.address, settings.source_of(number)).and_then(|mut stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream.tcp, Token(at), interest)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => {
                let conn = Conn::new(number, target, &settings);
                self.peers.push(Some(Peer::new(stream, conn, target.address, now)));
                self.opening.push(at);
            }
            Err(error) => {
                self.peers.push(None);
                self.fail(Failure::to_connect(&error, target.address));
            }
        }
    }

    /// The load, from when all threads are ready until everything has come.
    fn load(&mut self) -> io::Result<()> {
        let open = |peer: &Option<Peer>| peer.as_ref().is_some_and(|peer| peer.conn.sends());
        self.senders = (0..self.peers.len()).filter(|at| open(&self.peers[*at])).collect();
        let publishes = |at: &usize| self.peers[*at].as_ref().is_some_and(|peer| peer.conn.publishes());
        self.publishers = self.senders.iter().copied().filter(publishes).collect();
        let settings = self.shard.settings.clone();
        let (mut begun, mut silent) = (false, false);
        while !self.shard.shared.is_stopped() {
            self.shard.look();
            let now = self.shard.shared.now();
            if !begun && self.shard.window.is_some_and(|window| window.start <= now) {
                begun = true;
                (0..self.peers.len()).for_each(|at| self.pump(at));
            }
            if let Pace::Rate(_) = settings.pace {
                self.keep_schedule(now);
            } else if begun {
                // What subscribers have received may let them go on.
                for place in 0..self.publishers.len() {
                    self.pump(self.publishers[place]);
                }
            }
            if now - self.looked > LOOK.max(settings.timeout.as_nanos() as u64 / 20) {
                self.look_around(now);
            }
            if self.shard.is_over(now) {
                // What was due before is sent all the same, and counts from when it was due.
                for place in 0..self.senders.len() {
                    self.pump(self.senders[place]);
                }
                let to = self.shard.window.map_or(now, |window| window.to);
                let late = now.saturating_sub(to) > settings.timeout.as_nanos() as u64;
                if late || self.is_settled(now, &mut silent) {
                    break;
                }
            }
            self.turn(Some(self.patience(now, begun)))?;
        }
        for at in 0..self.peers.len() {
            if let Some(peer) = &mut self.peers[at] {
                peer.conn.finish(&mut self.shard);
            }
        }
        if !silent {
            self.shard.shared.silent.fetch_add(1, SeqCst);
        }
        Ok(())
    }

    /// How long nothing need be done unless something comes.
    fn patience(&self, now: Nanos, begun: bool) -> Duration {
        let Some(window) = self.shard.window else { return Duration::from_millis(1) };
        if !begun || self.shard.is_over(now) {
            return Duration::from_millis(1);
        }
        let other_threads = !self.publishers.is_empty() && self.shard.settings.threads > 1;
        let longest = if other_threads { 1_000_000 } else { LOOK };
        Duration::from_nanos(longest.min(window.to.saturating_sub(now)).max(1))
    }

    /// Waits for events, and does what they ask for.
    fn turn(&mut self, patience: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, patience) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        self.shard.look();
        for event in &self.events {
            let Token(at) = event.token();
            let Some(peer) = self.peers.get_mut(at).and_then(Option::as_mut) else { continue };
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            self.out_of_turn |= peer.is_full();
            if let Err(failure) =
                peer.ready(readable, event.is_writable(), &mut self.shard, &mut self.buffers)
            {
                end(&mut self.peers[at], failure, &mut self.shard);
            }
        }
        let received = self.shard.tally.received;
        self.shard.shared.live.received.fetch_add(received - self.told, Relaxed);
        self.told = received;
        Ok(())
    }

    fn pump(&mut self, at: usize) {
        let Some(peer) = &mut self.peers[at] else { return };
        if let Err(failure) = peer.pump(&mut self.shard, &mut self.buffers) {
            self.end(at, failure);
        }
    }

    /// Sends what is due. Senders take turns, so the next is always the one behind the last.
    fn keep_schedule(&mut self, now: Nanos) {
        let Some(window) = self.shard.window.filter(|window| window.start <= now) else {
            if let Some(window) = self.shard.window {
                self.alarm.set(Duration::from_nanos(window.start - now));
            }
            return;
        };
        // At most one turn for each: what comes has to be read, too.
        let (mut turns, mut writable) = (0, false);
        while turns < self.senders.len() && now < window.to {
            let at = self.senders[self.next_sender % self.senders.len()];
            let Some(peer) = &self.peers[at] else {
                self.next_sender += 1;
                turns += 1;
                continue;
            };
            // Those that have never been pumped have no schedule yet.
            let (due, sequence) = (peer.conn.next_due(), peer.conn.sequence());
            let now = self.shard.shared.now();
            if let Some(due) = due.filter(|due| *due > now) {
                if std::mem::take(&mut self.out_of_turn) {
                    // Some have sent more or less than one: who is next has to be looked for.
                    self.next_sender = self.most_urgent();
                    continue;
                }
                self.alarm.set(Duration::from_nanos(due - now));
                return;
            }
            self.pump(at);
            self.next_sender += 1;
            turns += 1;
            let Some(peer) = &self.peers[at] else { continue };
            // One whose socket is full is served again when it can be written to.
            self.out_of_turn |= !peer.is_full() && peer.conn.sequence() != sequence + 1;
            writable |= !peer.is_full();
        }
        if writable {
            // More is due already, perhaps.
            self.alarm.set(Duration::from_micros(1));
        }
    }

    /// Among the senders whose sockets take more, the one whose next message is due first.
    fn most_urgent(&self) -> usize {
        let due = |place: &usize| {
            let peer = self.peers[self.senders[*place]].as_ref().filter(|peer| !peer.is_full());
            peer.and_then(|peer| peer.conn.next_due()).unwrap_or(Nanos::MAX)
        };
        (0..self.senders.len()).min_by_key(due).unwrap_or(0)
    }

    /// What is done now and then: what does not come any more is given up.
    fn look_around(&mut self, now: Nanos) {
        self.looked = now;
        for at in 0..self.peers.len() {
            let Some(peer) = &mut self.peers[at] else { continue };
            if peer.conn.look_for_losses(now, &mut self.shard) {
                self.pump(at);
            }
        }
    }

    fn is_settled(&mut self, now: Nanos, silent: &mut bool) -> bool {
        let settled = self.peers.iter().flatten().all(|peer| peer.conn.is_settled(now, &self.shard));
        if settled && !*silent {
            *silent = true;
            self.shard.shared.silent.fetch_add(1, SeqCst);
        }
        settled && self.shard.shared.all_delivered(self.shard.settings.threads)
    }

    /// Ends all connections in order; what takes too long is cut.
    fn close(&mut self) -> io::Result<()> {
        for peer in self.peers.iter_mut().flatten() {
            peer.goodbye(&mut self.shard, &mut self.buffers);
        }
        let until = self.shard.shared.now() + GOODBYE;
        while self.shard.shared.now() < until && self.peers.iter().any(Option::is_some) {
            match self.poll.poll(&mut self.events, Some(Duration::from_millis(20))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &self.events {
                let Token(at) = event.token();
                let Some(slot) = self.peers.get_mut(at) else { continue };
                if slot.as_mut().is_some_and(|peer| peer.has_ended(&mut self.buffers)) {
                    *slot = None;
                }
            }
        }
        for peer in self.peers.drain(..).flatten() {
            peer.stream.abort();
        }
        Ok(())
    }

    fn end(&mut self, at: usize, failure: Failure) {
        end(&mut self.peers[at], failure, &mut self.shard);
    }

    fn fail(&mut self, failure: Failure) {
        count_failed(&mut self.shard, failure);
    }
}

fn end(slot: &mut Option<Peer>, failure: Failure, shard: &mut Shard) {
    let Some(mut peer) = slot.take() else { return };
    // Whether it was counted as open: so it is from when the server was ready for it.
    if peer.step().is_some() {
        count_failed(shard, failure);
    } else {
        peer.conn.finish(shard);
        shard.tally.closed += 1;
        shard.tally.error(&failure.reason, || failure.about);
    }
}

fn count_failed(shard: &mut Shard, failure: Failure) {
    shard.tally.failed += 1;
    shard.shared.live.failed.fetch_add(1, Relaxed);
    shard.tally.error(&failure.reason, || failure.about);
}
