//! What the core needs of a plugin. The wasm runtime implements it; so does the simulation, with plugins that lie.

use crate::attribute::{Attributes, Directory};
use crate::id::{SessionId, WorkerId};
use crate::message::{Direction, Message, Transport};
use crate::verdict::{Effect, Rejection, Verdict};
use crate::when::When;
use std::fmt;
use std::sync::Arc;

/// One generation of a binding: a verified module with its config, ready to be instantiated on any worker.
pub trait Program: Send + Sync + fmt::Debug {
    /// Makes the worker's instance and configures it. `effects` receives what it asked for while it was configured
    /// ([`Effect::Every`]; anything else is refused by the runtime).
    fn instantiate(&self, seat: &Seat, effects: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure>;

    /// Whether [`Instance::messages`] may be called. Only for a plugin that asks for no effects, and of which nothing stays that it did
    /// in a call that fails.
    fn takes_several(&self) -> bool {
        false
    }

    /// Which messages it is called for; `None`: for all of its directions. The same for as long as there is the program.
    fn when(&self) -> Option<&When> {
        None
    }
}

/// What an instance is given of its worker.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Whose instance it is.
    pub worker: WorkerId,
    /// What all workers share: attributes of other workers' sessions, sizes of groups.
    pub directory: Arc<Directory>,
}

/// A plugin instance of one worker. After a [`Failure`] it is thrown away.
pub trait Instance {
    /// A session opened.
    fn open(&mut self, session: &SessionInfo, call: &mut Call) -> Result<Result<(), Rejection>, Failure>;
    /// A message passes.
    fn message(&mut self, message: &Message<'_>, call: &mut Call) -> Result<Verdict, Failure>;
    /// Several messages pass, one after the other: the same as [`Instance::message`] for each, in one call. Adds a verdict for each,
    /// none of which holds. What is dropped is not counted by the plugin's reason before [`Instance::dropped`] says so, for a verdict
    /// may turn out not to be needed. After a failure nothing of it was done.
    fn messages(
        &mut self,
        messages: &[Message<'_>],
        call: &mut Call,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Failure> {
        let _ = (messages, call, verdicts);
        Err(Failure { cause: FailureCause::Answer, detail: "it takes one message at a time".into() })
    }
    /// A verdict of [`Instance::messages`] has dropped its message, with this reason.
    fn dropped(&mut self, reason: &str) {
        let _ = reason;
    }
    /// A session ended.
    fn close(&mut self, session: SessionId, end: &Rejection, call: &mut Call) -> Result<(), Failure>;
    /// The interval that the plugin asked for has passed.
    fn timer(&mut self, call: &mut Call) -> Result<(), Failure>;
    /// Why a fresh instance should take over, if it should. Asked between calls.
    fn worn(&self) -> Option<Worn>;
}

/// Why an instance that has not failed is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worn {
    /// It uses so much memory.
    Memory,
    /// It has served so many calls.
    Calls,
}

impl Worn {
    /// In the order of their counters.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Calls];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Calls => "calls",
        }
    }
}

/// What goes into a call beside its arguments, and what comes out beside its result.
#[derive(Debug, Default)]
pub struct Call {
    /// The session in hand and its attributes; none in `timer`.
    pub session: Option<(SessionId, Attributes)>,
    /// What the plugin asked for, in order. Empty when the call begins; meaningless when it failed.
    pub effects: Vec<Effect>,
    /// How long the call took, in nanoseconds; set by the instance.
    pub nanoseconds: u64,
    /// What the call used of its fuel, where fuel is counted: about one unit an instruction. Set by the instance.
    pub fuel: u64,
}

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind, for the counters.
    pub cause: FailureCause,
    /// For people: what happened, with frames where there are any.
    pub detail: Box<str>,
}

/// The metric label of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// The plugin panicked or executed an illegal instruction.
    Trap,
    /// It ran past its deadline.
    Deadline,
    /// It wanted more memory or table than its limit.
    Memory,
    /// It recursed too deeply.
    Stack,
    /// It gave more output or effects than its limit.
    Output,
    /// Its answer breaks the contract: bad UTF-8 in text, a reason too long.
    Answer,
    /// `configure` returned an error, or the instance could not be made.
    Configure,
    /// No instance: the last one failed and the next is not yet due.
    BackOff,
    /// It called the host more often than its limit.
    HostCalls,
    /// It wanted to keep more in its key-value store than its limit.
    Kv,
    /// It wanted to hold more than its limit.
    Held,
    /// No instance, until there is another generation: see [`Quarantine`](crate::Quarantine).
    Quarantined,
    /// It is called on threads of its own, and as much waits for them as may.
    QueueFull,
    /// The same, and they did not come to it in time.
    QueueWait,
}

impl FailureCause {
    /// All causes, in the order of their counters.
    pub const ALL: [Self; 14] = [
        Self::Trap,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::Output,
        Self::Answer,
        Self::Configure,
        Self::BackOff,
        Self::HostCalls,
        Self::Kv,
        Self::Held,
        Self::Quarantined,
        Self::QueueFull,
        Self::QueueWait,
    ];

    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Output => "output",
            Self::Answer => "answer",
            Self::Configure => "configure",
            Self::BackOff => "back_off",
            Self::HostCalls => "host_calls",
            Self::Kv => "kv",
            Self::Held => "held",
            Self::Quarantined => "quarantined",
            Self::QueueFull => "queue_full",
            Self::QueueWait => "queue_wait",
        }
    }
}

/// What a plugin and the logs learn of a session when it opens.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// The listener's name.
    pub listener: Arc<str>,
    /// How it is connected.
    pub transport: Transport,
    /// The client's address, e.g. `203.0.113.9:40112`.
    pub peer: Arc<str>,
    /// Present where the connection is encrypted.
    pub tls: Option<TlsInfo>,
    /// Of the upgrade request: `:path`, then headers in order; empty elsewhere. At most 16 KiB.
    pub request: Vec<(Box<str>, Box<str>)>,
}

/// What the TLS handshake said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// Server name indication (RFC 6066, section 3).
    pub sni: Option<Box<str>>,
    /// Application protocol (RFC 7301).
    pub alpn: Option<Box<str>>,
    /// Subject of the client's certificate.
    pub client_subject: Option<Box<str>>,
}

/// Which directions a plugin wants to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// Client to gateway.
    pub inbound: bool,
    /// Gateway to client.
    pub outbound: bool,
}

impl Directions {
    /// Whether `direction` is among them.
    pub const fn contains(self, direction: Direction) -> bool {
        match direction {
            Direction::Inbound => self.inbound,
            Direction::Outbound => self.outbound,
        }
    }
}
