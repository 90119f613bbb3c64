//! The control messages of the protocol `weir.v1` (docs/sessions.md): text behind four bytes that no message of the
//! application begins with.

use std::collections::HashMap;
use std::time::Duration;

/// The subprotocol that stands for sessions that resume.
pub(crate) const PROTOCOL: &str = "weir.v1";
const MARK: &[u8; 4] = b"\0WSN";

/// Whether a payload begins as control messages do.
pub(crate) fn is_control(payload: &[u8]) -> bool {
    payload.starts_with(MARK)
}

pub(crate) fn hello(resume: Option<(&str, u64)>) -> String {
    match resume {
        Some((token, received)) => format!("\0WSN hello 1 token={token} received={received}"),
        None => "\0WSN hello 1".to_owned(),
    }
}

pub(crate) fn ack(number: u64) -> String {
    format!("\0WSN ack {number}")
}

pub(crate) fn ping(echo: u64) -> String {
    format!("\0WSN ping {echo}")
}

pub(crate) fn bye() -> String {
    "\0WSN bye".to_owned()
}

/// What the gateway says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Welcome(Welcome),
    Pong(String),
    /// Of a later protocol: passed over.
    Unknown,
}

/// The answer to a hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) session: Option<String>,
    pub(crate) token: String,
    pub(crate) window: Duration,
    /// Zero: the gateway does not give silent clients up.
    pub(crate) idle: Duration,
    /// Messages that the gateway has had in this session.
    pub(crate) received: u64,
    /// The next message to the client is number `sent` + 1.
    pub(crate) sent: u64,
    /// Bytes that the gateway keeps for this session; zero: it does not say.
    pub(crate) buffer: u64,
    pub(crate) resumed: bool,
    pub(crate) reason: Option<String>,
    pub(crate) missed: u64,
}

impl Welcome {
    /// Whether the session is the former one, with or without all of its messages.
    pub(crate) fn kept(&self) -> bool {
        self.resumed || self.reason.as_deref() == Some("missed")
    }
}

/// Reads a control message of the gateway; an error says what is not to be understood.
pub(crate) fn parse(payload: &[u8]) -> Result<Control, String> {
    let text = std::str::from_utf8(payload).map_err(|_| "a control message that is no text".to_owned())?;
    let mut words = text.get(MARK.len()..).unwrap_or_default().split(' ').skip(1);
    match words.next() {
        Some("pong") => Ok(Control::Pong(words.next().unwrap_or_default().to_owned())),
        Some("welcome") => match words.next() {
            Some("1") => welcome(words).map(Control::Welcome),
            version => Err(format!("a welcome of version {}, not 1", version.unwrap_or_default())),
        },
        _ => Ok(Control::Unknown),
    }
}

fn welcome<'a>(words: impl Iterator<Item = &'a str>) -> Result<Welcome, String> {
    let fields: HashMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    let number = |name: &str| match fields.get(name) {
        Some(value) => value.parse::<u64>().map_err(|_| format!("a welcome with {name}={value}, no number")),
        None => Ok(0),
    };
    let mandatory = |name: &str| match fields.get(name) {
        Some(_) => number(name),
        None => Err(format!("a welcome without {name}")),
    };
    let Some(token) = fields.get("token") else {
        return Err("a welcome without token".to_owned());
    };
    Ok(Welcome {
        session: fields.get("session").map(|&id| id.to_owned()),
        token: (*token).to_owned(),
        window: Duration::from_secs(number("window")?),
        idle: Duration::from_secs(number("idle")?),
        received: mandatory("received")?,
        sent: mandatory("sent")?,
        buffer: number("buffer")?,
        resumed: fields.get("resumed") == Some(&"true"),
        reason: fields.get("reason").map(|&reason| reason.to_owned()),
        missed: number("missed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_client() {
        assert_eq!(hello(None), "\0WSN hello 1");
        assert_eq!(hello(Some(("T", 7))), "\0WSN hello 1 token=T received=7");
        assert_eq!(
            (ack(3), ping(4), bye()),
            ("\0WSN ack 3".into(), "\0WSN ping 4".into(), "\0WSN bye".into())
        );
        assert!(is_control(b"\0WSN") && !is_control(b"\0WS") && !is_control(b"WSN"));
    }

    #[test]
    fn words_of_the_gateway() {
        let text = b"\0WSN welcome 1 session=s token=a=b window=60 idle=9 received=3 sent=4 resumed=false reason=missed missed=2 x=y z";
        let Ok(Control::Welcome(welcome)) = parse(text) else { panic!("a welcome") };
        assert_eq!(
            (welcome.token.as_str(), welcome.received, welcome.sent, welcome.missed),
            ("a=b", 3, 4, 2)
        );
        assert!(welcome.kept() && !welcome.resumed);
        assert_eq!(parse(b"\0WSN pong 17 later"), Ok(Control::Pong("17".into())));
        assert_eq!(parse(b"\0WSN goodnight"), Ok(Control::Unknown));
    }

    #[test]
    fn what_cannot_be_understood() {
        for rest in [
            "2 token=T received=0 sent=0",
            "1 received=0 sent=0",
            "1 token=T received=x sent=0",
            "1 token=T sent=0",
            "1 token=T received=-1 sent=0",
            "",
        ] {
            assert!(parse(format!("\0WSN welcome {rest}").as_bytes()).is_err(), "{rest}");
        }
        assert!(parse(b"\0WSN \xff").is_err());
    }
}
