//! Does what clients say: a message is a command, and its answer goes on in its place. What others send to its clients it does not see.
//!
//! It tells of the ends of sessions in the log and in a metric, and refuses sessions whose path is `/forbidden`.

use guests::weir::plugin::log::Level;
use guests::*;

struct Remote;

impl Program for Remote {
    const NAME: &'static str = "remote";

    fn describe() -> Manifest {
        Manifest {
            name: Self::NAME.into(),
            version: "1.0.0".into(),
            description: "does what clients say".into(),
            directions: vec![Direction::Inbound],
            config_schema: String::new(),
        }
    }

    fn open(session: SessionInfo) -> Result<(), Rejection> {
        attributes::set(session.id, "opened", &format!("{} {}", session.listener, session.peer));
        match attributes::get(session.id, "weir.path").as_deref() {
            Some("/forbidden") => Err(Rejection { code: 4003, reason: "forbidden".into() }),
            Some("/panic") => panic!("no such path"),
            _ => Ok(()),
        }
    }

    fn message(message: Message) -> Verdict {
        let text = String::from_utf8(message.payload.clone()).expect("commands are text");
        let words: Vec<_> = text.split(' ').collect();
        match obey(&message, &words) {
            Ok(answer) => reply(answer),
            Err(verdict) => verdict,
        }
    }

    fn close(session: u64, end: Rejection) {
        log::log(Level::Info, &format!("session {session} ended with {} {}", end.code, end.reason));
        metrics::count(&format!("ended_{}", end.code), 1);
    }

    fn timer() {
        metrics::count("ticks", 1);
        log::log(Level::Info, "tick");
    }
}

/// `cluster:NAME`, `group:NAME`, `session:ID`, else back to the sender.
fn target(text: &str) -> Target {
    match text.split_once(':') {
        Some(("cluster", name)) => Target::Cluster(name.into()),
        Some(("group", name)) => Target::Group(name.into()),
        Some(("session", id)) => Target::Session(number(id)),
        _ => Target::Echo,
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

fn done(_: ()) -> String {
    "ok".into()
}

/// An answer, or a verdict in its place.
fn obey(message: &Message, words: &[&str]) -> Result<String, Verdict> {
    let session = message.session;
    let route = |to: &str, payload: Option<Vec<u8>>| {
        Verdict::Forward(Forwarding { payload, route: Some(target(to)) })
    };
    let verdict = |words: &[&str]| match *words {
        ["drop", reason] => Verdict::Drop(reason.into()),
        ["close", code, reason] => Verdict::Close(Rejection { code: number(code), reason: reason.into() }),
        ["say", text] => reply(text),
        ["hold", milliseconds] => Verdict::Hold(number(milliseconds)),
        ["route", to, text] => route(to, Some(text.into())),
        _ => pass(),
    };
    Ok(match *words {
        ["id"] => session.to_string(),
        ["sequence"] => message.sequence.to_string(),
        ["attr.get", name] => attributes::get(session, name).unwrap_or_else(|| "-".into()),
        ["attr.of", id, name] => attributes::get(number(id), name).unwrap_or_else(|| "-".into()),
        ["attr.set", name, value] => done(attributes::set(session, name, value)),
        ["attr.remove", name] => done(attributes::remove(session, name)),
        ["send", to, text] => done(messaging::send(&target(to), Kind::Text, text.as_bytes())),
        ["release", id, sequence, ref rest @ ..] => {
            done(messaging::release(number(id), Direction::Inbound, number(sequence), &verdict(rest)))
        }
        ["join", group] => done(groups::join(session, group)),
        ["leave", group] => done(groups::leave(session, group)),
        ["members", group] => groups::members(group).to_string(),
        ["kv.get", key] => {
            kv::get(key).map_or_else(|| "-".into(), |value| String::from_utf8_lossy(&value).into_owned())
        }
        ["kv.set", key, value] => done(kv::set(key, value.as_bytes(), None)),
        ["kv.set", key, value, ttl] => done(kv::set(key, value.as_bytes(), Some(number(ttl)))),
        ["kv.delete", key] => kv::delete(key).to_string(),
        ["kv.add", key, by] => kv::increment(key, number(by), None).to_string(),
        ["kv.cas", key, expected, value] => {
            let expected = (expected != "-").then_some(expected.as_bytes());
            kv::compare_and_set(key, expected, value.as_bytes(), None).to_string()
        }
        ["count", name, by] => done(metrics::count(name, number(by))),
        ["gauge", name, value] => done(metrics::gauge(name, number(value))),
        ["observe", name, value] => done(metrics::observe(name, number(value))),
        ["every", milliseconds] => done(timers::every(number(milliseconds))),
        ["log", text] => done(log::log(Level::Info, text)),
        ["random.hex", count] => {
            random::bytes(number(count)).iter().map(|byte| format!("{byte:02x}")).collect()
        }
        ["now"] => clock::now().to_string(),
        ["random", count] => random::bytes(number(count)).len().to_string(),
        ["panic", text] => {
            // What was asked for before is not done, what was done stays done.
            attributes::set(session, "panicked", text);
            kv::increment("panics", 1, None);
            panic!("{text}")
        }
        _ => return Err(verdict(words)),
    })
}

program!(Remote);
