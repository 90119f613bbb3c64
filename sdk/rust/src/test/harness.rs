//! The harness: one instance of a plugin, and the calls that the gateway would make.

use super::{
    host::{Host, Open, check_reason, check_verdict},
    outcome::Outcome,
};
use crate::{
    Config as _, Direction, Kind, Message, Plugin, Registered, Rejection, Session, SessionId, Transport,
    Verdict,
};
use std::{borrow::Borrow, collections::BTreeMap, fmt::Display};

/// 2026-01-01T00:00:00Z
const BEGINNING: u64 = 1_767_225_600_000;

/// The session of [`Harness::message`] and its like.
const DEFAULT_SESSION: SessionId = 1;

/// An ordinary WebSocket session on a listener named `test`, for [`Harness::open`]. Change what the test is about:
///
/// ```
/// use weir_sdk::{Session, Transport, test::session};
/// let session = Session { transport: Transport::Tcp, request: vec![], ..session(7) };
/// ```
pub fn session(id: SessionId) -> Session {
    Session {
        id,
        listener: "test".into(),
        transport: Transport::Websocket,
        peer: "203.0.113.9:40112".into(),
        tls: None,
        request: vec![(":path".into(), "/".into())],
    }
}

/// One instance of a plugin on a mock host.
///
/// A panic of the plugin fails the test that caused it. Session 1 is opened by the first message that needs it.
pub struct Harness<P> {
    host: Host,
    plugin: P,
}

impl<P: Registered> Harness<P> {
    /// Configures an instance with a config in JSON: a string, or a `serde_json::Value`. Empty means `{}`.
    ///
    /// # Panics
    /// Where the plugin refuses the config; [`Harness::try_new`] gives the error instead.
    #[track_caller]
    pub fn new(config: impl Display) -> Self {
        match Self::try_new(config) {
            Ok(harness) => harness,
            Err(error) => panic!("{} refuses its config: {error}", P::NAME),
        }
    }

    /// Configures an instance, or gives the error that the operator would read.
    ///
    /// The config is read as the plugin's type. That it also passes the schema (a range that only the schema
    /// knows, say) is checked by the gateway alone.
    ///
    /// # Panics
    /// Where the plugin's `new` asks for an effect other than its timer, for which the gateway refuses the plugin.
    #[track_caller]
    pub fn try_new(config: impl Display) -> Result<Self, String> {
        let host = Host::default();
        host.state(|state| {
            state.now = BEGINNING;
            state.monotonic = 1;
        });
        Self::with_host(host, config)
    }

    /// Configures an instance on the host of another harness, as on a second worker: kv, groups, sessions and clock
    /// are shared.
    #[track_caller]
    pub fn with_host(host: Host, config: impl Display) -> Result<Self, String> {
        let plugin = instance(&host, config)?;
        Ok(Self { host, plugin })
    }

    /// Replaces the instance, as a reload does: sessions, attributes, groups, kv and messages that are held stay.
    #[track_caller]
    pub fn reload(&mut self, config: impl Display) -> Result<(), String> {
        self.plugin = instance(&self.host, config)?;
        Ok(())
    }

    /// The host behind this instance.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The instance.
    pub fn plugin(&mut self) -> &mut P {
        &mut self.plugin
    }

    /// Opens a session. One that the plugin rejects is gone.
    #[track_caller]
    pub fn open(&mut self, session: impl Borrow<Session>) -> Outcome<Result<(), Rejection>> {
        let session = session.borrow();
        let id = session.id;
        let attributes = own_attributes(session);
        self.host.state(|state| {
            let open = Open { attributes, sequences: [0; 2] };
            assert!(state.sessions.insert(id, open).is_none(), "session {id} is open already");
        });
        let outcome = self.host.call(Some(id), || self.plugin.on_open(session));
        if let Err(rejection) = &outcome.returned {
            check_reason(&rejection.reason);
            self.host.state(|state| state.end(id));
        }
        outcome
    }

    /// Closes a session and tells the plugin why.
    #[track_caller]
    pub fn close(&mut self, session: SessionId, code: u16, reason: &str) -> Outcome<()> {
        let open = self.host.state(|state| state.sessions.contains_key(&session));
        assert!(open, "session {session} is not open");
        let end = Rejection::new(code, reason);
        let outcome = self.host.call(Some(session), || self.plugin.on_close(session, &end));
        self.host.state(|state| state.end(session));
        outcome
    }

    /// A text message from the client of session 1.
    #[track_caller]
    pub fn message(&mut self, text: impl AsRef<str>) -> Outcome<Verdict> {
        self.deliver(DEFAULT_SESSION, Direction::Inbound, Kind::Text, text.as_ref().as_bytes())
    }

    /// A binary message from the client of session 1.
    #[track_caller]
    pub fn binary(&mut self, payload: impl AsRef<[u8]>) -> Outcome<Verdict> {
        self.deliver(DEFAULT_SESSION, Direction::Inbound, Kind::Binary, payload.as_ref())
    }

    /// A text message from the client of a session.
    #[track_caller]
    pub fn message_from(&mut self, session: SessionId, text: impl AsRef<str>) -> Outcome<Verdict> {
        self.deliver(session, Direction::Inbound, Kind::Text, text.as_ref().as_bytes())
    }

    /// A text message to the client of session 1.
    #[track_caller]
    pub fn outbound(&mut self, text: impl AsRef<str>) -> Outcome<Verdict> {
        self.deliver(DEFAULT_SESSION, Direction::Outbound, Kind::Text, text.as_ref().as_bytes())
    }

    /// Any message. A session that is not open is opened first.
    ///
    /// # Panics
    /// Where the plugin does not list the direction: the gateway would not call it.
    #[track_caller]
    pub fn deliver(
        &mut self,
        session: SessionId,
        direction: Direction,
        kind: Kind,
        payload: &[u8],
    ) -> Outcome<Verdict> {
        assert!(
            P::DIRECTIONS.contains(&direction),
            "{} does not list {direction:?} in its directions, so the gateway would not call it",
            P::NAME
        );
        self.ensure_open(session);
        let sequence = self.host.state(|state| {
            let open = state.sessions.get_mut(&session).expect("the session was opened above");
            let sequence = &mut open.sequences[usize::from(direction == Direction::Outbound)];
            *sequence += 1;
            *sequence
        });
        let message = Message { session, sequence, direction, kind, payload: payload.to_vec() };
        let outcome = self.host.call(Some(session), || self.plugin.on_message(&message));
        check_verdict(outcome.verdict());
        match outcome.verdict() {
            Verdict::Hold(milliseconds) => self.host.state(|state| {
                state.held.insert(message.id(), state.held_until(*milliseconds));
            }),
            Verdict::Close(_) => self.host.state(|state| state.end(session)),
            Verdict::Forward(_) | Verdict::Drop(_) => {}
        }
        outcome
    }

    /// Lets time pass: moves both clocks, lets what is due expire, and calls `on_timer` as often as it is due.
    pub fn advance(&mut self, milliseconds: u64) -> Vec<Outcome<()>> {
        let end = self.host.state(|state| state.monotonic + milliseconds);
        let mut calls = Vec::new();
        while let Some(due) = self.host.state(|state| state.timer.as_ref().map(|timer| timer.due)) {
            if due > end {
                break;
            }
            self.pass_until(due);
            self.host.state(|state| {
                if let Some(timer) = &mut state.timer {
                    timer.due += timer.period;
                }
            });
            calls.push(self.host.call(None, || self.plugin.on_timer()));
        }
        self.pass_until(end);
        calls
    }

    fn pass_until(&self, moment: u64) {
        self.host.state(|state| {
            state.now += moment - state.monotonic;
            state.monotonic = moment;
            state.held.retain(|_, deadline| *deadline > moment);
        });
    }

    #[track_caller]
    fn ensure_open(&mut self, id: SessionId) {
        if self.host.state(|state| state.sessions.contains_key(&id)) {
            return;
        }
        if let Err(rejection) = self.open(session(id)).returned {
            panic!("{} rejects session {id}: {} {}", P::NAME, rejection.code, rejection.reason);
        }
    }
}

#[track_caller]
fn instance<P: Plugin>(host: &Host, config: impl Display) -> Result<P, String> {
    let config = P::Config::parse(&config.to_string())?;
    let outcome = host.call(None, || P::new(config).map_err(|error| error.to_string()));
    assert!(
        outcome.effects.is_empty(),
        "`new` asked for {:?}: while a plugin is configured, timers::every is the only effect that the gateway allows",
        outcome.effects
    );
    outcome.returned
}

/// What the gateway itself says about a session.
fn own_attributes(session: &Session) -> BTreeMap<String, String> {
    let transport = match session.transport {
        Transport::Tcp => "tcp",
        Transport::Websocket => "websocket",
        Transport::Quic => "quic",
        Transport::Webtransport => "webtransport",
    };
    let tls = session.tls.as_ref();
    let own = [
        ("weir.listener", Some(session.listener.as_str())),
        ("weir.transport", Some(transport)),
        ("weir.peer", Some(session.peer.as_str())),
        ("weir.path", session.path()),
        ("weir.tls.sni", tls.and_then(|tls| tls.sni.as_deref())),
        ("weir.tls.alpn", tls.and_then(|tls| tls.alpn.as_deref())),
    ];
    own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}
