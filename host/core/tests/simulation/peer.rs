//! The other ends of connections: clients and upstreams, with what is on its way between them and the gateway.

use crate::payload;
use crate::rng::Rng;
use std::collections::{HashMap, VecDeque};
use weir_codec::websocket::deflate::Inflater;
use weir_codec::websocket::{Limits, Role};
use weir_codec::{Decoder, Event, Framing, Prefix, Wire, WireError};
use weir_core::{Kind, Lane, Time};

/// Something that the gateway has not read yet.
#[derive(Debug)]
pub(crate) enum Said {
    Message(Lane, Kind, Vec<u8>),
    Ping,
    Close(Option<(u16, Box<str>)>),
    Fin,
    Broken(WireError),
}

/// How a peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Eager,
    Slow,
    Never,
}

#[derive(Debug)]
pub(crate) enum Side {
    Client {
        stage: usize,
        /// The lanes that are open.
        lanes: Vec<u64>,
        next_lane: u64,
        /// Sequences by path.
        sent: HashMap<String, u64>,
    },
    Upstream {
        cluster: usize,
        /// When the endpoint answers, and whether it does.
        dialling: Option<(Time, bool)>,
        answers: usize,
    },
}

pub(crate) struct Peer {
    /// Of a client, its number; of an upstream, its client's.
    pub(crate) origin: usize,
    pub(crate) side: Side,
    pub(crate) reading: Reading,
    pub(crate) inbox: VecDeque<Said>,
    wire: Wire,
    decoders: HashMap<Lane, Decoder>,
    inflater: Inflater,
    /// The last sequence by origin and path.
    seen: HashMap<(usize, String), u64>,
    /// What its transport has taken and not written: what is written next begins with it.
    pub(crate) in_hand: HashMap<Lane, Vec<u8>>,
    /// It has said its last.
    pub(crate) done: bool,
    /// The gateway's close frame has arrived.
    pub(crate) was_closed: bool,
    /// The gateway has ended its side of the stream.
    pub(crate) was_finished: bool,
    /// What it wants to be complete: messages of its own origin on the plain path.
    pub(crate) complete: bool,
}

impl Peer {
    pub(crate) fn new(origin: usize, side: Side, wire: Wire, reading: Reading, complete: bool) -> Self {
        Self {
            origin,
            side,
            reading,
            inbox: VecDeque::new(),
            wire,
            decoders: HashMap::new(),
            inflater: Inflater::default(),
            seen: HashMap::new(),
            in_hand: HashMap::new(),
            done: false,
            was_closed: false,
            was_finished: false,
            complete,
        }
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.wire.websocket().is_some()
    }

    /// Bytes arrived. Gives the messages in them, whose order it has watched, and how often it was pinged.
    pub(crate) fn hear(&mut self, lane: Lane, mut bytes: Vec<u8>) -> (Vec<(Kind, Vec<u8>)>, usize) {
        let decoder = self.decoders.entry(lane).or_insert_with(|| match &self.wire {
            _ if lane == Lane::DATAGRAMS => Decoder::datagrams(Kind::Binary),
            Wire::Framed(framing) => Decoder::framed(framing, Kind::Binary),
            Wire::WebSocket { role } => {
                let other = if *role == Role::Server { Role::Client } else { Role::Server };
                Decoder::websocket(other, Limits { message: 1 << 20, fragments: 1 })
            }
            Wire::DeflateWebSocket { .. } => {
                Decoder::deflate_websocket(Role::Client, Limits { message: 1 << 20, fragments: 1 })
            }
            Wire::Datagram => unreachable!("no connection is only datagrams"),
        });
        let (mut messages, mut pings) = (Vec::new(), 0);
        let mut rest = &mut bytes[..];
        loop {
            let decoded = decoder.decode(rest).expect("the gateway keeps to its protocol");
            match decoded.event {
                Some(Event::Message { kind, payload }) => {
                    assert!(!self.was_closed, "a message behind the close frame");
                    messages.push((kind, payload.to_vec()));
                }
                Some(Event::Compressed(message)) => {
                    assert!(!self.was_closed, "a message behind the close frame");
                    let payload =
                        self.inflater.inflate(&message).expect("the gateway compresses as it should");
                    messages.push((message.kind(), payload.to_vec()));
                }
                Some(Event::Ping(_)) => pings += 1,
                Some(Event::Pong(_)) => {}
                Some(Event::Close(close)) => {
                    assert!(!self.was_closed, "there is only one close frame");
                    if let Some((_, reason)) = close {
                        assert!(reason.len() <= 123);
                    }
                    self.was_closed = true;
                }
                None => break,
            }
            let consumed = decoded.consumed;
            rest = &mut rest[consumed..];
            if rest.is_empty() {
                break;
            }
        }
        for (_, payload) in &messages {
            self.watch(payload);
        }
        (messages, pings)
    }

    fn watch(&mut self, payload: &[u8]) {
        let Some((origin, path, sequence)) = payload::read(payload) else { return };
        let complete = self.complete && origin == self.origin && path == "-";
        let last = self.seen.entry((origin, path)).or_insert(0);
        assert!(
            sequence > *last,
            "client {}: {sequence} came after {last}: {}",
            self.origin,
            payload.escape_ascii()
        );
        if complete {
            assert_eq!(sequence, *last + 1, "client {}: nothing is missing", self.origin);
        }
        *last = sequence;
    }

    /// What the client does next, by chance.
    pub(crate) fn act(&mut self, rng: &mut Rng, others: &[u64]) {
        if self.done || self.inbox.len() > 30 {
            return;
        }
        let websocket = self.is_websocket();
        let Side::Client { stage, .. } = self.side else { return };
        match rng.below(1000) {
            0..=7 => self.inbox.push_back(if websocket {
                let code = rng.pick(&[1000, 1001, 3000, 4999]);
                Said::Close(rng.chance(700).then(|| (code, "bye".into())))
            } else {
                Said::Fin
            }),
            8..=10 => self.inbox.push_back(Said::Broken(rng.pick(&[
                WireError::TooLong { claimed: 1 << 40, limit: 1 },
                WireError::InvalidUtf8,
                WireError::Truncated,
                WireError::BadLength,
            ]))),
            11..=30 if websocket => {
                let many = if rng.chance(50) { 40 } else { 2 };
                self.inbox.extend((0..many).map(|_| Said::Ping));
            }
            31..=400 => {
                for _ in 0..=rng.below(6) {
                    self.say(rng, stage, others);
                }
            }
            _ => {}
        }
        self.done = matches!(self.inbox.back(), Some(Said::Close(_) | Said::Fin | Said::Broken(_)));
    }

    fn say(&mut self, rng: &mut Rng, stage: usize, others: &[u64]) {
        let line = crate::scene::STAGES[stage].name.contains("line");
        let Side::Client { lanes, sent, .. } = &mut self.side else { return };
        let mut lane = match &self.wire {
            Wire::Framed(_) if !lanes.is_empty() => Lane(rng.pick(lanes)),
            _ => Lane::ONLY,
        };
        let has_lanes = crate::world::has_lanes(stage);
        if has_lanes && (lanes.is_empty() || rng.chance(200)) {
            lane = Lane::DATAGRAMS;
        }
        let mut path = match rng.below(20) {
            0 => "e".to_owned(),
            1 => "g".to_owned(),
            2 => "n".to_owned(),
            3 => "c".to_owned(),
            4 if rng.chance(300) => "b".to_owned(),
            5 | 6 if !others.is_empty() => format!("s{}", rng.pick(others)),
            _ => "-".to_owned(),
        };
        if has_lanes {
            // Order is kept in a lane, not between lanes.
            path = format!("-{}", lane.0);
        }
        let sequence = sent.entry(path.clone()).or_insert(0);
        *sequence += 1;
        let long = if rng.chance(20) { 3000 } else { 100 };
        let mut payload = payload::write(self.origin, &path, *sequence, rng.below(long));
        if !line && rng.chance(10) && path != "-" {
            payload.push(b'\n');
        }
        if lane == Lane::DATAGRAMS && rng.chance(100) {
            payload.clear();
        }
        let kind = rng.pick(&[Kind::Text, Kind::Binary]);
        self.inbox.push_back(Said::Message(lane, kind, payload));
    }
}

/// The wire of a cluster's endpoint, as the gateway knows it.
pub(crate) fn upstream_wire(cluster: usize) -> Wire {
    match cluster {
        0 => Wire::Framed(std::sync::Arc::new(Framing::Length {
            prefix: Prefix::U32Be,
            max: crate::scene::MESSAGE,
        })),
        _ => Wire::WebSocket { role: Role::Client },
    }
}
