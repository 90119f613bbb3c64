//! Plugins, honest and lying.

use crate::payload;
use crate::rng::Rng;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use weir_core::{
    BindingId, Call, Direction, Effect, Failure, FailureCause, Forwarding, Instance, Kind, Message, Program,
    Rejection, Seat, SessionId, SessionInfo, Target, Verdict, Worn,
};

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Forward,
    /// Appends to what passes.
    Rewrite,
    /// Sends messages where their path says.
    Route,
    /// Holds some, and releases them later, on whatever worker.
    Hold,
    /// Greets, joins, sets attributes.
    Host,
    /// Everything that is wrong.
    Lie,
}

/// All parts, in the order of their bindings; liars come several times.
pub(crate) const PARTS: [Part; 8] =
    [Part::Forward, Part::Rewrite, Part::Route, Part::Hold, Part::Host, Part::Lie, Part::Lie, Part::Lie];

/// What all instances know: more than any real plugin would, so that they can lie well.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    /// Sessions that some plugin has heard of.
    sessions: Vec<SessionId>,
    held: Vec<(BindingId, SessionId, Direction, u64)>,
    opened: HashSet<(BindingId, SessionId)>,
    ended: HashSet<(BindingId, SessionId)>,
    groups: bool,
}

impl Gossip {
    pub(crate) fn new(groups: bool) -> Self {
        Self { groups, ..Self::default() }
    }

    /// Of the sessions that a binding was told of, those whose end it was not told.
    pub(crate) fn left_open(&self, binding: BindingId) -> usize {
        self.opened.iter().filter(|(by, _)| *by == binding).count()
    }

    fn session(&self, rng: &mut Rng) -> SessionId {
        match rng.below(10) {
            0 => SessionId::from_raw(rng.next()),
            1 => SessionId::from_raw(rng.next() & 0x0000_0003_03ff_ffff),
            _ if self.sessions.is_empty() => SessionId::from_raw(0),
            _ => rng.pick(&self.sessions[self.sessions.len().saturating_sub(300)..]),
        }
    }
}

/// One generation of one binding.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) part: Part,
    pub(crate) binding: BindingId,
    pub(crate) seed: u64,
    pub(crate) gossip: Arc<Mutex<Gossip>>,
}

struct Actor {
    part: Part,
    binding: BindingId,
    rng: Rng,
    gossip: Arc<Mutex<Gossip>>,
    calls_left: usize,
}

impl Program for Play {
    fn instantiate(&self, seat: &Seat, effects: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
        let mut rng = Rng(self.seed ^ (u64::from(seat.worker.0) << 40));
        if self.part == Part::Lie && rng.chance(100) {
            return Err(failure(&mut rng));
        }
        if matches!(self.part, Part::Hold | Part::Lie) {
            effects.push(Effect::Every { milliseconds: 30 });
        }
        let calls_left = if rng.chance(500) { rng.below(500) } else { usize::MAX };
        let (part, binding, gossip) = (self.part, self.binding, self.gossip.clone());
        Ok(Box::new(Actor { part, binding, rng, gossip, calls_left }))
    }

    /// Liars too, though they ask for effects, and hold.
    fn takes_several(&self) -> bool {
        matches!(self.part, Part::Forward | Part::Rewrite | Part::Lie)
    }
}

fn failure(rng: &mut Rng) -> Failure {
    Failure { cause: rng.pick(&FailureCause::ALL), detail: "on purpose".into() }
}

fn forward() -> Verdict {
    Verdict::Forward(Forwarding::default())
}

fn to(route: Target) -> Verdict {
    Verdict::Forward(Forwarding { payload: None, route: Some(route) })
}

fn with(payload: impl Into<Bytes>) -> Verdict {
    Verdict::Forward(Forwarding { payload: Some(payload.into()), route: None })
}

impl Instance for Actor {
    fn open(&mut self, session: &SessionInfo, call: &mut Call) -> Result<Result<(), Rejection>, Failure> {
        self.begin(call);
        let id = session.id;
        {
            let mut gossip = self.gossip();
            assert!(gossip.opened.insert((self.binding, id)), "told twice that {id} opened");
            gossip.sessions.push(id);
        }
        match self.part {
            Part::Host => {
                call.effects.push(Effect::Send {
                    to: Target::Echo,
                    kind: Kind::Text,
                    payload: "p:hello".into(),
                });
                let value = Some("somebody".into());
                call.effects.push(Effect::SetAttribute { session: id, name: "user".into(), value });
                if self.gossip().groups && self.rng.chance(300) {
                    let group = if self.rng.chance(200) { "room".into() } else { self.group() };
                    call.effects.push(Effect::Join { session: id, group });
                }
            }
            Part::Lie => {
                self.lie(call, 200);
                if self.rng.chance(30) {
                    return Err(failure(&mut self.rng));
                }
                if self.rng.chance(30) {
                    return Ok(Err(self.rejection()));
                }
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    fn message(&mut self, message: &Message<'_>, call: &mut Call) -> Result<Verdict, Failure> {
        self.begin(call);
        call.nanoseconds = self.rng.next() % 100_000;
        let ended = self.gossip().ended.contains(&(self.binding, message.session));
        assert!(!ended, "a message of {} after its end", message.session);
        if message.kind == Kind::Text {
            assert!(std::str::from_utf8(&message.payload).is_ok(), "text is UTF-8");
        }
        Ok(match self.part {
            Part::Rewrite if message.payload.starts_with(b"m:") && message.payload.len() < 3500 => {
                with([&message.payload, &b"~"[..]].concat())
            }
            Part::Forward | Part::Rewrite => forward(),
            Part::Route => Self::route(message),
            Part::Hold => {
                self.release(call);
                if self.rng.chance(60) {
                    let held = (self.binding, message.session, message.direction, message.sequence);
                    if self.rng.chance(800) {
                        self.gossip().held.push(held);
                    }
                    Verdict::Hold(50 + self.rng.below(300) as u32)
                } else {
                    forward()
                }
            }
            Part::Host => {
                if self.rng.chance(50) {
                    let name = format!("key{}", self.rng.below(80)).into();
                    let value = self.rng.chance(700).then(|| "value".into());
                    call.effects.push(Effect::SetAttribute { session: message.session, name, value });
                }
                if self.gossip().groups && self.rng.chance(50) {
                    let (session, group) = (message.session, self.group());
                    call.effects.push(if self.rng.chance(600) {
                        Effect::Join { session, group }
                    } else {
                        Effect::Leave { session, group }
                    });
                }
                forward()
            }
            Part::Lie => return self.misjudge(message, call),
        })
    }

    fn messages(
        &mut self,
        messages: &[Message<'_>],
        call: &mut Call,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Failure> {
        let lies = self.part == Part::Lie;
        for message in messages {
            let verdict = self.message(message, call)?;
            // One that always asked for something would never be asked for several.
            if lies && self.rng.chance(900) {
                call.effects.clear();
            }
            verdicts.push(match verdict {
                Verdict::Hold(_) if self.rng.chance(900) => forward(),
                verdict => verdict,
            });
            if !call.effects.is_empty() {
                return Ok(());
            }
        }
        call.nanoseconds = self.rng.next() % 1_000;
        if lies && self.rng.chance(50) {
            verdicts.pop();
        }
        Ok(())
    }

    fn close(&mut self, session: SessionId, _end: &Rejection, call: &mut Call) -> Result<(), Failure> {
        self.begin(call);
        {
            let mut gossip = self.gossip();
            let opened = gossip.opened.remove(&(self.binding, session));
            assert!(opened || self.part == Part::Lie, "told of the end of {session}, not of its beginning");
            assert!(gossip.ended.insert((self.binding, session)), "told twice that {session} ended");
        }
        match self.part {
            Part::Host if self.gossip().groups && self.rng.chance(200) => {
                call.effects.push(Effect::Send {
                    to: Target::Group(self.group()),
                    kind: Kind::Text,
                    payload: "p:bye".into(),
                });
            }
            Part::Lie => {
                self.lie(call, 300);
                if self.rng.chance(50) {
                    return Err(failure(&mut self.rng));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn timer(&mut self, call: &mut Call) -> Result<(), Failure> {
        self.begin(call);
        assert!(call.session.is_none(), "no session is in hand");
        match self.part {
            Part::Hold => (0..20).for_each(|_| self.release(call)),
            Part::Lie => {
                self.lie(call, 300);
                if self.rng.chance(20) {
                    return Err(failure(&mut self.rng));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn worn(&self) -> Option<Worn> {
        (self.calls_left == 0).then_some(Worn::Calls)
    }
}

impl Actor {
    fn gossip(&self) -> MutexGuard<'_, Gossip> {
        self.gossip.lock().expect("one thread")
    }

    fn begin(&mut self, call: &Call) {
        assert!(call.effects.is_empty(), "effects of another call");
        if let Some((_, attributes)) = &call.session {
            assert!(attributes.contains_key("weir.peer"), "what the gateway knows is there");
        }
        self.calls_left = self.calls_left.saturating_sub(1);
    }

    fn group(&mut self) -> Arc<str> {
        match self.rng.below(20) {
            0 => "x".repeat(300).into(),
            1 => "".into(),
            at => format!("g{}", at % 6).into(),
        }
    }

    fn route(message: &Message<'_>) -> Verdict {
        if message.direction == Direction::Outbound {
            return forward();
        }
        let Some((_, path, _)) = payload::read(&message.payload) else { return forward() };
        match path.as_bytes() {
            b"e" => to(Target::Echo),
            b"g" => to(Target::Group("room".into())),
            b"n" => to(Target::Group("nobody".into())),
            b"c" => to(Target::Cluster("alpha".into())),
            b"b" => to(Target::Cluster("beta".into())),
            [b's', id @ ..] => {
                let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).unwrap_or(0);
                to(Target::Session(SessionId::from_raw(id)))
            }
            _ => forward(),
        }
    }

    /// One of those that are held, perhaps on another worker; sometimes one more that is not, or the same twice.
    fn release(&mut self, call: &mut Call) {
        let mut gossip = self.gossip.lock().expect("one thread");
        let own: Vec<usize> =
            (0..gossip.held.len()).filter(|at| gossip.held[*at].0 == self.binding).take(8).collect();
        if own.is_empty() || self.rng.chance(400) {
            return;
        }
        let (_, session, direction, sequence) = gossip.held.swap_remove(self.rng.pick(&own));
        let verdict = if self.rng.chance(100) {
            gossip.held.push((self.binding, session, direction, sequence));
            Verdict::Hold(100)
        } else {
            forward()
        };
        call.effects.push(Effect::Release { session, direction, sequence, verdict });
        if self.rng.chance(100) {
            let sequence = sequence + 1_000_000;
            call.effects.push(Effect::Release { session, direction, sequence, verdict: forward() });
        }
        if self.rng.chance(100) {
            call.effects.push(Effect::Release { session, direction, sequence, verdict: forward() });
        }
    }

    fn rejection(&mut self) -> Rejection {
        Rejection {
            code: self.rng.pick(&[0, 999, 1000, 1005, 1006, 1015, 3000, 4999, 5000, 65535]),
            reason: "ü".repeat(self.rng.below(150)).into(),
        }
    }

    fn target(&mut self) -> Target {
        let groups = self.gossip().groups;
        match self.rng.below(8) {
            0 => Target::Cluster("alpha".into()),
            1 => Target::Cluster("beta".into()),
            2 => Target::Cluster("gamma".into()),
            3 if groups => Target::Group(self.group()),
            3 => Target::Group("nobody".into()),
            4 | 5 => Target::Session(self.gossip.lock().expect("one thread").session(&mut self.rng)),
            _ => Target::Echo,
        }
    }

    fn misjudge(&mut self, message: &Message<'_>, call: &mut Call) -> Result<Verdict, Failure> {
        let outbound = message.direction == Direction::Outbound;
        self.lie(call, if outbound { 40 } else { 200 });
        let lied = match self.rng.below(40) {
            0 => return Err(failure(&mut self.rng)),
            1 if self.rng.chance(300) => Verdict::Close(self.rejection()),
            2 => Verdict::Drop("because".into()),
            3 | 4 => {
                let held = (self.binding, message.session, message.direction, message.sequence);
                self.gossip().held.push(held);
                let short = self.rng.below(100) as u32;
                Verdict::Hold(self.rng.pick(&[0, short, 700]))
            }
            5 | 6 => to(self.target()),
            7 => with(vec![0xff, 0xfe, b'x']),
            8 => with(vec![b'y'; 5000]),
            9 => with(Bytes::new()),
            10 => with("a\nb"),
            _ => forward(),
        };
        // What liars pass on is not watched for its order.
        Ok(match lied {
            Verdict::Forward(Forwarding { payload: None, route }) if message.payload.starts_with(b"m:") => {
                Verdict::Forward(Forwarding { payload: Some("p:lied".into()), route })
            }
            verdict => verdict,
        })
    }

    fn lie(&mut self, call: &mut Call, permille: usize) {
        while self.rng.chance(permille) {
            let session = self.gossip.lock().expect("one thread").session(&mut self.rng);
            let effect = match self.rng.below(12) {
                0..=4 => {
                    let words = self.rng.pick(&["p:lie", "", "p:\n", "p:longer than most"]);
                    let kind = self.rng.pick(&[Kind::Text, Kind::Binary]);
                    let payload =
                        if self.rng.chance(50) { Bytes::from_static(b"\xff") } else { words.into() };
                    Effect::Send { to: self.target(), kind, payload }
                }
                5 if self.gossip().groups => Effect::Join { session, group: self.group() },
                6 => Effect::Leave { session, group: self.group() },
                7 => {
                    let name = self.rng.pick(&["k", "weir.peer", "", "name"]);
                    let name = if self.rng.chance(100) { "n".repeat(100) } else { name.into() };
                    let length = if self.rng.chance(100) { 2000 } else { 10 };
                    let value = self.rng.chance(700).then(|| "v".repeat(length).into());
                    Effect::SetAttribute { session, name: name.into(), value }
                }
                8 => Effect::Every { milliseconds: self.rng.pick(&[0, 1, 20, 500, u32::MAX]) },
                9 => {
                    let direction = self.rng.pick(&[Direction::Inbound, Direction::Outbound]);
                    let sequence = self.rng.below(50) as u64;
                    let verdict = self.verdict();
                    Effect::Release { session, direction, sequence, verdict }
                }
                _ => {
                    let mut gossip = self.gossip.lock().expect("one thread");
                    if gossip.held.is_empty() {
                        continue;
                    }
                    let at = self.rng.below(gossip.held.len());
                    let (binding, session, direction, sequence) = gossip.held[at];
                    if binding == self.binding {
                        gossip.held.swap_remove(at);
                    }
                    drop(gossip);
                    let verdict = self.verdict();
                    Effect::Release { session, direction, sequence, verdict }
                }
            };
            call.effects.push(effect);
        }
    }

    fn verdict(&mut self) -> Verdict {
        match self.rng.below(6) {
            0 => Verdict::Drop("late".into()),
            1 if self.rng.chance(200) => Verdict::Close(self.rejection()),
            2 => Verdict::Hold(self.rng.below(200) as u32),
            3 => with(vec![0xff]),
            4 => to(self.target()),
            _ => forward(),
        }
    }
}
