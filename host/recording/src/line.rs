//! The lines of a recording. What each field means is in `docs/recording-format.md`.

use crate::{Body, Session};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Line {
    /// The first one.
    Recording(Box<Header>),
    /// A session, before its first message.
    Open(Box<Open>),
    /// What a plugin said to a session that opened.
    Told(Box<Told>),
    /// A message with what was decided about it.
    Message(Box<Message>),
    /// A session ended.
    Close(Close),
    /// Here something is missing.
    Gap(Gap),
    /// The last one.
    End(End),
    /// Of a later gateway that writes the same version: to be passed over.
    #[serde(other)]
    Unknown,
}

/// What was recorded, and with which plugins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Of the format: [`VERSION`](crate::VERSION).
    pub version: u32,
    /// Of the gateway that wrote it.
    pub weir: String,
    /// When it began: microseconds since 1970.
    pub began: u64,
    /// What the clock that plugins see as monotonic said then, in milliseconds.
    pub monotonic: u64,
    /// The listener's name.
    pub listener: String,
    /// Groups that every session of the listener joins.
    #[serde(default)]
    pub join: Vec<String>,
    /// The chain, in the order in which inbound messages meet it.
    pub plugins: Vec<Plugin>,
    /// What is not in the file.
    pub redaction: crate::Redaction,
}

/// One plugin of the chain, when the recording began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// The binding's.
    pub name: String,
    /// Which version of it served.
    pub generation: u64,
    /// Of its file.
    pub sha256: String,
    /// For which messages it is called.
    pub directions: Vec<Direction>,
    /// `closed`, `open` or `close`.
    pub on_failure: String,
    /// As it was configured; `None`: left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
    /// What it may call.
    pub grants: Vec<String>,
    /// What it may use.
    pub limits: Limits,
}

/// What a plugin may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of a call, in microseconds.
    pub deadline_us: u64,
    /// Of its start and configuration, likewise.
    pub setup_deadline_us: u64,
    /// In bytes.
    pub memory: u64,
    /// Elements.
    pub table_elements: u64,
    /// In bytes.
    pub max_output: u64,
    /// Of one call.
    pub max_effects: u64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// Whose it is.
    pub worker: u8,
    /// Counts what happened on the worker.
    pub order: u64,
    /// Which.
    pub session: Session,
    /// It was open when the recording began, or its opening is missing in a gap: what the plugins learnt of it is not known beyond this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before: bool,
    /// `tcp`, `websocket`, `quic` or `webtransport`.
    pub transport: String,
    /// The client's address.
    pub peer: String,
    /// Where the connection is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Of the upgrade request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<(String, String)>,
    /// As they were then; of those that plugins set, what there was when it was first seen.
    pub attributes: BTreeMap<String, String>,
}

/// What a plugin said to a session that opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Whose it is.
    pub worker: u8,
    /// Which.
    pub session: Session,
    /// `forward` is a welcome, `close` a refusal.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What the TLS handshake said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the contract")]
pub struct Tls {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_subject: Option<String>,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the documentation")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the documentation")]
pub enum Kind {
    Text,
    Binary,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// When it came to its chain, in microseconds since 1970.
    pub at: u64,
    /// Whose its session is.
    pub worker: u8,
    /// Counts what happened on the worker: before the orders of its verdicts.
    pub order: u64,
    /// Whose client sent it or received it.
    pub session: Session,
    /// Which way.
    pub direction: Direction,
    /// From 1, per session and direction.
    pub sequence: u64,
    /// Of all payloads of it.
    pub kind: Kind,
    /// As it came, before any plugin.
    pub payload: Body,
    /// Of the plugins that were called, in order.
    pub verdicts: Vec<Verdict>,
    /// What became of it.
    pub fate: Fate,
}

/// What one plugin said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The binding's name.
    pub plugin: String,
    /// Which version of it.
    pub generation: u64,
    /// Counts the calls of the worker.
    pub order: u64,
    /// When, in microseconds since 1970, where that is later than the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// It held the message before, and this is what it said later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// The verdict itself.
    #[serde(flatten)]
    pub answer: Answer,
    /// What else it asked for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Attributes of the session that were other than when it opened; `None`: gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Option<String>>,
    /// How long the call took, in nanoseconds.
    pub ns: u64,
}

/// The verdict itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Answer {
    /// It goes on.
    Forward {
        /// What was put in the place of its payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Body>,
        /// Where it goes instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Target>,
    },
    /// It ends here.
    Drop {
        /// The plugin's own word.
        reason: String,
    },
    /// The session ends.
    Close {
        /// RFC 6455, section 7.4.
        code: u16,
        /// For the client.
        reason: String,
    },
    /// It waits.
    Hold {
        /// For how long at most.
        milliseconds: u32,
    },
    /// There is no verdict.
    Failed {
        /// As in the metrics: `trap`, `deadline`, `back_off`, …
        cause: String,
    },
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the documentation")]
pub enum Target {
    Cluster(String),
    Group(String),
    Session(Session),
    Echo,
}

/// What a plugin asked for beside its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "lowercase")]
#[expect(missing_docs, reason = "as in the contract")]
pub enum Effect {
    Send {
        to: Target,
        kind: Kind,
        payload: Body,
    },
    Release {
        session: Session,
        direction: Direction,
        sequence: u64,
        #[serde(flatten)]
        answer: Answer,
    },
    Join {
        session: Session,
        group: String,
    },
    Leave {
        session: Session,
        group: String,
    },
    Attribute {
        session: Session,
        name: String,
        /// `None`: removed.
        value: Option<String>,
    },
    Every {
        milliseconds: u32,
    },
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Inbound: sent on to there.
    Routed(Target),
    /// Outbound: queued for its client.
    Queued,
    /// It went no further, for a reason as in the metrics.
    Dropped(String),
}

/// A session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// Whose it was.
    pub worker: u8,
    /// Counts what happened on the worker.
    pub order: u64,
    /// Which.
    pub session: Session,
    /// RFC 6455, section 7.4.
    pub code: u16,
    /// What was said.
    pub reason: String,
}

/// Something is missing here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Noticed when, in microseconds since 1970.
    pub at: u64,
    /// How many messages, openings and ends of sessions are missing.
    pub lost: u64,
    /// `buffer`: whoever took the recording was slower than the traffic; `open`: too many messages were under way at once.
    pub why: String,
}

/// The recording ended in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// Why.
    pub why: Why,
    /// Messages in the file.
    pub messages: u64,
    /// What is missing in all gaps together.
    pub lost: u64,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The file is as long as it may be.
    Bytes,
    /// It has as many messages as it may.
    Messages,
    /// The time is over.
    Time,
    /// Whoever recorded had enough.
    Stopped,
}

impl Line {
    /// For lines that are messages.
    pub fn message(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}
