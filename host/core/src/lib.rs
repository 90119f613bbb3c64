//! Sessions, chains, routes, queues and groups: everything between bytes and plugins, as a state machine.
//!
//! This crate does no I/O, reads no clock (time is an argument), starts no task and takes no lock on the plain way of a message (see
//! [`Directory`]); it knows neither sockets nor the plugin engine (a [`Program`] is an argument too). It builds for wasm32, and a
//! seeded test runs thousands of sessions with plugins that lie, without a socket.

mod attribute;
mod conflate;
mod conn;
mod group;
mod id;
mod lifecycle;
mod lineup;
mod mail;
mod message;
mod offload;
mod origin;
mod program;
mod pulse;
mod quarantine;
mod queue;
mod rate;
mod reason;
mod resume;
mod roster;
mod slab;
mod snapshot;
mod stats;
mod tap;
mod time;
mod together;
mod totals;
mod verdict;
mod wheel;
mod when;
mod worker;

pub use attribute::{
    Attributes, Directory, MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_VALUE, MAX_ATTRIBUTES, MAX_GROUP_NAME,
};
pub use conflate::{Key, KeyOf};
pub use conn::End;
pub use id::{BindingId, ClusterId, ConnId, GenerationId, Lane, ListenerId, SessionId, WorkerId};
pub use lifecycle::{LifeEvent, Phase};
pub use lineup::{Era, Share, Term};
pub use mail::{Mail, Post};
pub use message::{Direction, Kind, Message, Payload, Transport};
pub use offload::{Answers, Desk, Job, Offload, Reply};
pub use program::{
    Call, Directions, Failure, FailureCause, Instance, Program, Seat, SessionInfo, TlsInfo, Worn,
};
pub use pulse::{Health, LONGEST_PATIENCE, Path};
pub use quarantine::Quarantine;
pub use queue::{Queue, Tally};
pub use rate::{Rate, RatePolicy, SharedRate};
pub use reason::{CloseReason, Closer, DropReason};
pub use resume::{Hello, Resumption, Tokens};
pub use roster::Notice;
pub use snapshot::{
    Chain, ClientNetwork, ClusterPolicy, Degraded, Limits, Link, ListenerPolicy, OnFailure, Route,
    SlowConsumer, Snapshot,
};
pub use stats::{
    CallStats, ClusterStats, CompressionStats, Counter, DeliveryStats, Ends, HeartbeatStats, Histogram,
    IntakeStats, ListenerStats, OverloadStats, Reasons, ResumeStats, TargetKind, TurnStats, WaitStats,
    WorkerStats,
};
pub use tap::{Depth, Excerpt, Fate, Glimpse, MAX_OPEN, Meeting, Record, Tap};
pub use time::Time;
pub use together::Together;
pub use totals::CallTotals;
pub use verdict::{Effect, Forwarding, Rejection, Target, Verdict};
pub use when::{Question, Says, When};

/// Messages that plugins send make plugins send: after so many steps the next is dropped and counted.
pub const MAX_HOPS: u8 = 4;

pub use worker::{Connect, Farewell, Flow, Opening, Shed, Shedding, Status, Work, Worker};
