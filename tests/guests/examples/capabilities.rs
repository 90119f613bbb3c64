//! Uses every capability: each line of a payload is a command, and the answers are the lines of the reply. A command that is a verdict
//! ends the payload.

use guests::weir::plugin::log::Level;
use guests::*;

struct Capabilities;

impl Program for Capabilities {
    const NAME: &'static str = "capabilities";

    fn open(session: SessionInfo) -> Result<(), Rejection> {
        let tls = session.tls.and_then(|tls| tls.sni).unwrap_or_default();
        attributes::set(
            session.id,
            "seen",
            &format!("{} {} {tls} {:?}", session.listener, session.peer, session.request),
        );
        match session.request.first() {
            Some((_, path)) if path == "/forbidden" => {
                Err(Rejection { code: 4003, reason: "forbidden".into() })
            }
            _ => Ok(()),
        }
    }

    fn message(message: Message) -> Verdict {
        let text = String::from_utf8(message.payload.clone()).expect("commands are text");
        let mut answers = Vec::new();
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            match run(&message, &words) {
                Ok(answer) => answers.push(answer),
                Err(verdict) => return verdict,
            }
        }
        reply(answers.join("\n"))
    }

    fn close(session: u64, end: Rejection) {
        attributes::set(session, "ended", &format!("{} {}", end.code, end.reason));
    }

    fn timer() {
        metrics::count("ticks", 1);
    }
}

fn target(text: &str) -> Target {
    match text.split_once(':') {
        Some(("cluster", name)) => Target::Cluster(name.into()),
        Some(("group", name)) => Target::Group(name.into()),
        Some(("session", id)) => Target::Session(id.parse().expect("a number")),
        _ => Target::Echo,
    }
}

fn show(value: Option<Vec<u8>>) -> String {
    value.map_or_else(|| "-".into(), |value| String::from_utf8_lossy(&value).into_owned())
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn run(message: &Message, words: &[&str]) -> Result<String, Verdict> {
    let session = message.session;
    let ttl = |at: usize| words.get(at).map(|text| number(text));
    Ok(match *words {
        ["attr.get", name] => attributes::get(session, name).unwrap_or_else(|| "-".into()),
        ["attr.of", id, name] => attributes::get(number(id), name).unwrap_or_else(|| "-".into()),
        ["attr.set", name, value] => {
            attributes::set(session, name, value);
            "ok".into()
        }
        ["attr.remove", name] => {
            attributes::remove(session, name);
            "ok".into()
        }
        ["send", to, text] => {
            messaging::send(&target(to), Kind::Text, text.as_bytes());
            "ok".into()
        }
        ["release", id, sequence] => {
            messaging::release(number(id), Direction::Inbound, number(sequence), &pass());
            "ok".into()
        }
        ["join", group] => {
            groups::join(session, group);
            "ok".into()
        }
        ["leave", group] => {
            groups::leave(session, group);
            "ok".into()
        }
        ["members", group] => groups::members(group).to_string(),
        ["kv.get", key] => show(kv::get(key)),
        ["kv.set", key, value, ..] => {
            kv::set(key, value.as_bytes(), ttl(3));
            "ok".into()
        }
        ["kv.delete", key] => kv::delete(key).to_string(),
        ["kv.add", key, by, ..] => kv::increment(key, number(by), ttl(3)).to_string(),
        ["kv.cas", key, expected, value] => {
            let expected = (expected != "-").then_some(expected.as_bytes());
            kv::compare_and_set(key, expected, value.as_bytes(), None).to_string()
        }
        ["count", name, by] => {
            metrics::count(name, number(by));
            "ok".into()
        }
        ["gauge", name, value] => {
            metrics::gauge(name, number(value));
            "ok".into()
        }
        ["observe", name, value] => {
            metrics::observe(name, number(value));
            "ok".into()
        }
        ["every", milliseconds] => {
            timers::every(number(milliseconds));
            "ok".into()
        }
        ["random", count] => random::bytes(number(count)).len().to_string(),
        ["random.hex", count] => {
            random::bytes(number(count)).iter().map(|byte| format!("{byte:02x}")).collect()
        }
        ["now"] => clock::now().to_string(),
        ["monotonic"] => clock::monotonic().to_string(),
        ["log", text] => {
            log::log(Level::Info, text);
            "ok".into()
        }
        ["panic", text] => panic!("{text}"),
        ["drop", reason] => return Err(Verdict::Drop(reason.into())),
        ["close", code, reason] => {
            return Err(Verdict::Close(Rejection { code: number(code), reason: reason.into() }));
        }
        ["hold", milliseconds] => return Err(Verdict::Hold(number(milliseconds))),
        ["route", to] => return Err(Verdict::Forward(Forwarding { payload: None, route: Some(target(to)) })),
        _ => format!("unknown command {words:?}"),
    })
}

program!(Capabilities);
