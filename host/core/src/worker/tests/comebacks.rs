//! Clients that lose their connections at any moment, at random: each has every message once and in order, or is told what it has not.

use super::{Bench, listener};
use crate::worker::tests::resume::{opening, resumable};
use crate::{ConnId, Lane, Route, Status, Transport};
use std::io::IoSlice;

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[derive(Default)]
struct Client {
    id: Option<ConnId>,
    /// Written by the gateway, and not there yet: lost with the connection.
    pipe: Vec<u8>,
    /// The beginning of a line.
    line: Vec<u8>,
    /// Of the next message, as the client counts.
    next: u64,
    /// The number of the first message after it opened, as the publisher counts.
    first: u64,
    told_missed: u64,
    times: u64,
}

impl Client {
    /// Bytes arrive.
    fn hear(&mut self, count: usize) {
        for byte in self.pipe.drain(..count.min(self.pipe.len())).collect::<Vec<_>>() {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
            if let Some(fields) = line.strip_prefix("\0WSN welcome 1 ") {
                self.welcomed(fields);
            } else {
                assert_eq!(line.parse(), Ok(self.first + self.next), "in order, once");
                self.next += 1;
            }
        }
    }

    fn welcomed(&mut self, fields: &str) {
        let field =
            |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| field(name).map_or(0, |value| value.parse::<u64>().unwrap());
        assert_eq!(number("sent"), self.next + number("missed"));
        assert_eq!(field("resumed") == Some("true"), self.times > 0 && number("missed") == 0);
        self.next = number("sent");
        self.told_missed += number("missed");
    }

    fn cut(&mut self) {
        self.pipe.clear();
        self.line.clear();
    }
}

#[test]
fn nothing_is_lost_or_doubled_without_a_word() {
    let (mut parted, mut returned, mut missed) = (0, 0, 0);
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut policy = resumable(listener(Transport::Tcp, Route::Group("room".into()), Vec::new()), "s");
        policy.join = vec!["room".into()];
        policy.limits.queue = 1 << 20;
        let mut bench = Bench::new(vec![policy]);
        let speaker = bench.open(0);
        let mut clients: Vec<_> = (0..3).map(|_| Client::default()).collect();
        let mut spoken = 0;
        for _ in 0..600 {
            let client = &mut clients[dice.below(3) as usize];
            let Some(id) = client.id else {
                let id = bench.worker.open(opening(0, super::line())).unwrap();
                *client = Client { id: Some(id), first: spoken, ..Client::default() };
                continue;
            };
            match dice.below(16) {
                0..=4 => {
                    bench.say(speaker, &spoken.to_string());
                    bench.take(speaker);
                    spoken += 1;
                }
                5..=8 => write(&mut bench, id, client, dice.below(40) as usize),
                9..=11 => client.hear(dice.below(30) as usize),
                12 if matches!(bench.worker.status(id), Status::Active { .. }) => {
                    bench.say(id, &format!("\0WSN ack {}", client.next));
                }
                13 => {
                    bench.worker.lost(id);
                    client.cut();
                }
                14 => {
                    // Sometimes before anybody has noticed the loss.
                    client.cut();
                    client.times += 1;
                    if bench.worker.resume(id, client.next, opening(0, super::line())).is_err() {
                        missed += client.told_missed;
                        client.id = None;
                    }
                }
                15 => bench.wait(dice.below(12_000)),
                _ => {}
            }
            bench.worker.check_invariants();
            for id in bench.worker.take_lapsed() {
                bench.worker.release(id);
                clients.iter_mut().filter(|client| client.id == Some(id)).for_each(|client| client.id = None);
            }
        }
        // Whoever is still there hears the rest.
        for client in clients.iter_mut().filter(|client| client.id.is_some()) {
            client.cut();
            client.times += 1;
            let id = client.id.unwrap();
            if bench.worker.resume(id, client.next, opening(0, super::line())).is_ok() {
                write(&mut bench, id, client, usize::MAX);
                client.hear(usize::MAX);
                assert_eq!(client.first + client.next, spoken, "seed {seed}");
            }
            missed += client.told_missed;
        }
        let stats = &bench.stats.listeners[0];
        parted += stats.resume.parted.value();
        returned += stats.resume.resumed.value();
    }
    println!("{parted} parted, {returned} resumed, {missed} messages told as missed");
    assert!(parted > 200 && returned > 200 && missed > 10, "{parted} {returned} {missed}");
}

fn write(bench: &mut Bench, id: ConnId, client: &mut Client, most: usize) {
    let mut left = most;
    while let Some(queue) = bench.worker.queue(id).filter(|_| left > 0) {
        let mut slices = [IoSlice::new(&[]); 1];
        if queue.slices(Lane::ONLY, &mut slices) == 0 {
            break;
        }
        let part = slices[0][..slices[0].len().min(left)].to_vec();
        bench.worker.written(id, Lane::ONLY, part.len());
        left -= part.len();
        client.pipe.extend_from_slice(&part);
    }
}
