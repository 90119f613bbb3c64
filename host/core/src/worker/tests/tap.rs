//! Who looks on sees what came, what each plugin decided, and what became of it.

use super::*;
use std::fmt::Write as _;

use crate::{Depth, Fate, Glimpse, Record, Rejection, Tap, Target};

/// Keeps all that it is shown, each in a line.
#[derive(Debug, Default)]
struct Onlooker {
    depth: Depth,
    only: Option<&'static str>,
    lines: Journal,
}

impl Tap for Onlooker {
    fn wants(&mut self, glimpse: &Glimpse<'_>) -> Option<Depth> {
        self.only.is_none_or(|group| glimpse.is_in(group)).then_some(self.depth)
    }

    fn take(&mut self, record: Record) {
        let way = if record.direction == Direction::Inbound { "in" } else { "out" };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut line = format!("{way} {} {}", record.sequence, text(&record.payload.bytes));
        for meeting in &record.meetings {
            let said = match &meeting.answer {
                Ok(Verdict::Forward(Forwarding { route, .. })) => match (&meeting.changed, route) {
                    (Some(changed), _) => format!("{}/{}", text(&changed.bytes), changed.size),
                    (None, Some(to)) => format!("{to:?}"),
                    (None, None) => "pass".into(),
                },
                Ok(Verdict::Drop(reason)) => format!("drop {reason}"),
                Ok(Verdict::Close(said)) => format!("close {}", said.code),
                Ok(Verdict::Hold(milliseconds)) => format!("hold {milliseconds}"),
                Err(cause) => cause.label().into(),
            };
            let later = if meeting.released { " later" } else { "" };
            let effects = if meeting.effects.is_empty() { "" } else { " with effects" };
            let _ = write!(line, " | {}{later}: {said}{effects}", meeting.name);
        }
        self.lines.lock().unwrap().push(
            line + &match record.fate {
                Fate::Routed(to) => format!(" > {to:?}"),
                Fate::Queued => " > queue".into(),
                Fate::Dropped(reason) => format!(" > {}", reason.label()),
            },
        );
    }

    fn missed(&mut self) {
        self.lines.lock().unwrap().push("missed".into());
    }

    fn opened(&mut self, _: Time, _: u64, _: ListenerId, session: &SessionInfo) {
        self.lines.lock().unwrap().push(format!("opened {}", session.listener));
    }

    fn ended(&mut self, _: Time, _: u64, _: ListenerId, _: SessionId, said: &Rejection) {
        self.lines.lock().unwrap().push(format!("ended {}", said.code));
    }
}

/// What is seen of a bench from now on, whole and with effects.
fn look_on(bench: &mut Bench) -> Journal {
    let lines = Journal::default();
    let depth = Depth { payload: usize::MAX, effects: true, mark: 0 };
    bench.worker.tap(Some(Box::new(Onlooker { depth, only: None, lines: lines.clone() })));
    lines
}

fn seen(lines: &Journal) -> Vec<String> {
    std::mem::take(&mut *lines.lock().unwrap())
}

/// Echoes through a plugin that does as it is told.
fn orders() -> Plugin {
    Plugin::new("orders", |message, call| {
        let session = message.session;
        Ok(match &*message.payload {
            b"drop" => Verdict::Drop("spam".into()),
            b"close" => Verdict::Close(Rejection::new(4000, "enough")),
            b"hold" => Verdict::Hold(1000),
            b"fail" => {
                return Err(Failure { cause: FailureCause::Trap, detail: "".into() });
            }
            b"nowhere" => {
                Verdict::Forward(Forwarding { payload: None, route: Some(Target::Cluster("no such".into())) })
            }
            b"join" => {
                call.effects.push(Effect::Join { session, group: "room".into() });
                pass()
            }
            _ => pass(),
        })
    })
}

#[test]
fn every_verdict_and_every_fate_is_seen() {
    let mut bench = echo(vec![orders().link(0), Plugin::mark("!").both().link(1)]);
    let lines = look_on(&mut bench);
    let id = bench.open(0);
    for word in ["a", "drop", "fail", "nowhere", "join", "close"] {
        bench.say(id, word);
    }
    assert_eq!(
        seen(&lines),
        [
            "opened test",
            "out 1 a! | !: a!!/3 > queue",
            "in 1 a | orders: pass | !: a!/2 > Echo",
            "in 2 drop | orders: drop spam > plugin",
            "in 3 fail | orders: trap > plugin_failed",
            "in 4 nowhere | orders: Cluster(\"no such\") | !: nowhere!/8 > unknown_cluster",
            "out 2 join! | !: join!!/6 > queue",
            "in 5 join | orders: pass with effects | !: join!/5 > Echo",
            "in 6 close | orders: close 4000 > session_rejected",
            "ended 4000"
        ]
    );
}

#[test]
fn nothing_is_kept_of_what_is_not_wanted() {
    let mut bench = echo(vec![orders().link(0)]);
    let lines = Journal::default();
    let onlooker = Onlooker {
        only: Some("room"),
        lines: lines.clone(),
        depth: Depth { payload: 2, effects: false, mark: 0 },
    };
    let id = bench.open(0);
    bench.worker.tap(Some(Box::new(onlooker)));
    bench.say(id, "first");
    assert_eq!(seen(&lines), [""; 0], "it is in no group");
    bench.say(id, "join");
    bench.say(id, "second");
    bench.worker.tap(None);
    bench.say(id, "third");
    assert_eq!(seen(&lines), ["out 2 jo > queue", "out 3 se > queue", "in 3 se | orders: pass > Echo"]);
}

#[test]
fn a_held_message_keeps_its_record() {
    let mut bench = echo(vec![
        Plugin::new("later", |message, call| {
            let session = SessionId::from_raw(message.session.raw() - 1);
            let release =
                |verdict| Effect::Release { session, direction: Direction::Inbound, sequence: 1, verdict };
            match &*message.payload {
                b"hold" => return Ok(Verdict::Hold(1000)),
                b"release" => call.effects.push(release(change(b"now"))),
                _ => {}
            }
            Ok(pass())
        })
        .link(0),
    ]);
    let lines = look_on(&mut bench);
    let [held, other] = [bench.open(0), bench.open(0)];
    bench.say(held, "hold");
    assert_eq!(seen(&lines).len(), 2, "it has no fate yet");
    bench.say(other, "release");
    assert_eq!(
        seen(&lines),
        [
            "out 1 now > queue",
            "in 1 hold | later: hold 1000 | later later: now/3 > Echo",
            "out 1 release > queue",
            "in 1 release | later: pass with effects > Echo"
        ]
    );
}

#[test]
fn what_a_group_shares_is_seen_at_each_receiver() {
    let mut policy = listener(Transport::Tcp, Route::Group("room".into()), Vec::new());
    policy.join.push("room".into());
    policy.limits.queue = 8;
    let mut bench = Bench::new(vec![policy]);
    let [one, _other] = [bench.open(0), bench.open(0)];
    let lines = look_on(&mut bench);
    bench.say(one, "12345");
    bench.say(one, "12345");
    let mut seen = seen(&lines);
    seen.sort();
    assert_eq!(
        seen,
        [
            "in 1 12345 > Group(\"room\")",
            "in 2 12345 > Group(\"room\")",
            "out 1 12345 > queue",
            "out 1 12345 > queue",
            "out 2 12345 > queue_full",
            "out 2 12345 > queue_full"
        ]
    );
}

#[test]
fn held_messages_are_as_many_as_there_is_room_for() {
    let mut bench = echo(vec![Plugin::new("holder", |_, _| Ok(Verdict::Hold(1000))).link(0)]);
    let lines = look_on(&mut bench);
    let ids: Vec<_> = (0..=crate::MAX_OPEN).map(|_| bench.open_one_of_many(0)).collect();
    seen(&lines);
    for id in &ids {
        bench.worker.received(*id, Lane::ONLY, Kind::Text, Payload::Borrowed(b"x"));
    }
    assert_eq!(seen(&lines), ["missed"]);
}

/// Keeps what happened with its place in the order.
#[derive(Debug)]
struct Order(Arc<Mutex<Vec<(u64, String)>>>);

impl Order {
    fn push(&self, order: u64, what: String) {
        self.0.lock().unwrap().push((order, what));
    }
}

impl Tap for Order {
    fn wants(&mut self, _: &Glimpse<'_>) -> Option<Depth> {
        Some(Depth { payload: usize::MAX, effects: true, mark: 0 })
    }

    fn take(&mut self, record: Record) {
        let way = if record.direction == Direction::Inbound { "in" } else { "out" };
        self.push(record.order, format!("{way} {}", record.sequence));
        for meeting in record.meetings {
            self.push(meeting.order, format!("{way} {} {}", record.sequence, meeting.name));
        }
    }

    fn opened(&mut self, _: Time, order: u64, _: ListenerId, _: &SessionInfo) {
        self.push(order, "opened".into());
    }

    fn told(&mut self, _: ListenerId, _: SessionId, meeting: crate::Meeting) {
        assert!(meeting.attributes.is_some(), "what it saw of the session");
        self.push(meeting.order, format!("told {} {:?}", meeting.name, meeting.answer.map(|_| ())));
    }

    fn ended(&mut self, _: Time, order: u64, _: ListenerId, _: SessionId, _: &Rejection) {
        self.push(order, "ended".into());
    }
}

#[test]
fn calls_can_be_put_into_their_order() {
    let mut bench = echo(vec![orders().link(0), Plugin::mark("!").both().link(1)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    bench.worker.tap(Some(Box::new(Order(seen.clone()))));
    let id = bench.open(0);
    bench.say(id, "a");
    bench.say(id, "close");
    let mut seen = seen.lock().unwrap().clone();
    // The record of an echo comes before that of the message that it is an echo of.
    assert!(
        seen.iter().position(|(_, what)| what == "out 1") < seen.iter().position(|(_, what)| what == "in 1")
    );
    seen.sort();
    let order: Vec<_> = seen.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(
        order,
        [
            "opened",
            "told orders Ok(())",
            "told ! Ok(())",
            "in 1",
            "in 1 orders",
            "in 1 !",
            "out 1",
            "out 1 !",
            "in 2",
            "in 2 orders",
            "ended"
        ]
    );
}

#[test]
fn verdicts_on_messages_that_came_together_are_seen_where_each_is_used() {
    let mut said = Vec::new();
    for several in [None, Some(Several::Each)] {
        let link = orders().several(several).link(0);
        let stats = link.stats.clone();
        let mut bench = echo(vec![link]);
        let (id, other) = (bench.open(0), bench.open(0));
        bench.say(id, "first");
        let lines = look_on(&mut bench);
        bench.say(other, "of another session");
        bench.say_together(id, &["a", "drop", "nowhere", "b"], &[id]);
        assert_eq!(stats[0].batches.value(), u64::from(several.is_some()));
        said.push(seen(&lines));
    }
    assert_eq!(said[0], said[1]);
    assert!(said[1].iter().any(|line| line == "in 3 drop | orders: drop spam > plugin"), "{:?}", said[1]);
}
