//! Why a message was dropped and why a connection ended: each an enum that becomes a metric label, and for ends a close code.

use weir_codec::{EncodeError, WireError};

macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The metric label.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

labelled! {
    /// Why a message that was accepted went no further.
    DropReason {
        /// A plugin's verdict; the plugin's own reason is counted beside it.
        Plugin => "plugin",
        /// A plugin failed on it and its `on_failure` is `closed`.
        PluginFailed => "plugin_failed",
        /// A plugin failed on it and its `on_failure` is `close`; or a plugin's verdict was to close the session.
        SessionRejected => "session_rejected",
        /// A plugin held it, and nobody released it in time; its `on_failure` is `closed`.
        HoldExpired => "hold_expired",
        /// The route is `drop`.
        RouteDrop => "route_drop",
        /// A plugin named a cluster that the configuration does not have.
        UnknownCluster => "unknown_cluster",
        /// Nobody is in the group.
        EmptyGroup => "empty_group",
        /// The session that a plugin named is not open.
        UnknownSession => "unknown_session",
        /// Its session ended while it waited.
        SessionEnded => "session_ended",
        /// Its client was away, and more waited for it than is kept.
        AwayFull => "away_full",
        /// It begins like the gateway's own words to clients whose sessions can be resumed.
        Reserved => "reserved",
        /// It went with its session to another listener, where it is counted from then on.
        Moved => "moved",
        /// The receiver's outbound queue was full.
        QueueFull => "queue_full",
        /// The upstream could not be reached.
        UpstreamUnreachable => "upstream_unreachable",
        /// The upstream connection ended while the message waited for it.
        UpstreamEnded => "upstream_ended",
        /// The receiver's framing cannot carry it: a newline in a line, text that is not UTF-8.
        Unframeable => "unframeable",
        /// Longer than the receiver's framing or datagrams allow.
        TooLong => "too_long",
        /// The lane that it had to go out on was closed by the client.
        LaneEnded => "lane_ended",
        /// Plugins answered plugins too many times over.
        TooManyHops => "too_many_hops",
        /// A plugin sent to `echo` where no session was in hand.
        NoSession => "no_session",
        /// A worker took no more messages from the others.
        MailboxFull => "mailbox_full",
        /// Its client sent faster than it may.
        RateLimited => "rate_limited",
        /// It waited for a client that reads slowly, and made room for a newer one.
        QueueOldest => "queue_oldest",
        /// It waited for a client that reads slowly, and a newer one about the same took its place.
        Conflated => "conflated",
    }
}

labelled! {
    /// Why a connection ended.
    CloseReason {
        /// The client closed, in order.
        Client => "client",
        /// The client's connection broke without a close.
        ClientReset => "client_reset",
        /// The client ended in the middle of a frame.
        Truncated => "truncated",
        /// The client's frames break its protocol.
        Protocol => "protocol",
        /// A message longer than the limit.
        MessageTooLong => "message_too_long",
        /// More fragments than the limit, or too many empty ones.
        Fragments => "fragments",
        /// Text that is not UTF-8.
        InvalidUtf8 => "invalid_utf8",
        /// A checked frame with the wrong magic.
        BadMagic => "bad_magic",
        /// A checked frame with a version that this gateway does not speak.
        BadVersion => "bad_version",
        /// A checked frame whose checksum is wrong.
        BadChecksum => "bad_checksum",
        /// Pings faster than 20 a second.
        PingFlood => "ping_flood",
        /// Messages faster than the rate.
        RateLimited => "rate_limited",
        /// The handshake was not finished in time.
        HandshakeTimeout => "handshake_timeout",
        /// The upgrade to WebSocket was not finished in time.
        UpgradeTimeout => "upgrade_timeout",
        /// Nothing was heard for the idle timeout.
        IdleTimeout => "idle_timeout",
        /// Three heartbeats in a row were not answered, and nothing else was heard.
        HeartbeatTimeout => "heartbeat_timeout",
        /// It was reached badly, and was told to connect again.
        Degraded => "degraded",
        /// The client sent no first message in time.
        FirstMessageTimeout => "first_message_timeout",
        /// A frame was not complete in time.
        FrameTimeout => "frame_timeout",
        /// The client took nothing of what waited for it in time.
        WriteTimeout => "write_timeout",
        /// The client did not read, and its queue stayed full for the grace.
        SlowConsumer => "slow_consumer",
        /// A plugin's verdict, or its refusal in on-open.
        Plugin => "plugin",
        /// A plugin failed and its `on_failure` is `close`; or it failed in on-open and it is `closed`.
        PluginFailed => "plugin_failed",
        /// The listener has as many connections as it may.
        TooManyConnections => "too_many_connections",
        /// The client's network has as many connections as it may.
        TooManyConnectionsPerClient => "too_many_connections_per_client",
        /// No endpoint of the cluster could be reached.
        UpstreamUnreachable => "upstream_unreachable",
        /// The upstream closed, in order.
        UpstreamClosed => "upstream_closed",
        /// The upstream connection broke, or broke its protocol.
        UpstreamFailed => "upstream_failed",
        /// The upstream took nothing of what waited for it in time.
        UpstreamTimeout => "upstream_timeout",
        /// The gateway is short of memory, descriptors or time: it was told to come back later, or was not let in.
        Overload => "overload",
        /// The gateway is stopping.
        Shutdown => "shutdown",
        /// It went with its session to another listener, where it is counted from then on.
        Moved => "moved",
        /// A second signal, or the drain's window is over.
        Killed => "killed",
        /// The session of this upstream connection ended.
        SessionEnded => "session_ended",
    }
}

impl CloseReason {
    /// The close code (RFC 6455, section 7.4, and its registry) where the reason does not bring one of its own, and the sentence for
    /// the peer.
    pub const fn close(self) -> (u16, &'static str) {
        match self {
            Self::Client | Self::SessionEnded | Self::Moved => (1000, ""),
            // Codes that are never sent (RFC 6455, section 7.4.1): the peer is gone.
            Self::ClientReset | Self::Truncated => (1006, "connection lost"),
            Self::Protocol => (1002, "protocol error"),
            Self::MessageTooLong => (1009, "message longer than the limit"),
            Self::Fragments => (1009, "too many fragments"),
            Self::InvalidUtf8 => (1007, "text is not UTF-8"),
            Self::BadMagic => (1002, "frame begins with the wrong magic"),
            Self::BadVersion => (1002, "frame version is not supported"),
            Self::BadChecksum => (1002, "frame checksum is wrong"),
            Self::PingFlood => (1008, "too many pings"),
            Self::RateLimited => (1008, "sending too fast"),
            Self::HandshakeTimeout => (1008, "handshake took too long"),
            Self::UpgradeTimeout => (1008, "upgrade took too long"),
            Self::IdleTimeout => (1001, "nothing heard for the idle timeout"),
            Self::HeartbeatTimeout => (1001, "heartbeats were not answered"),
            Self::Degraded => (1012, "connection is bad, connect again"),
            Self::FirstMessageTimeout => (1008, "no first message in time"),
            Self::FrameTimeout => (1008, "frame took too long"),
            Self::WriteTimeout => (1008, "took nothing for too long"),
            Self::SlowConsumer => (1008, "reading too slowly"),
            Self::Plugin => (1008, "refused"),
            Self::PluginFailed => (1011, "plugin failed"),
            Self::TooManyConnections | Self::TooManyConnectionsPerClient => {
                (1013, "too many connections, try again later")
            }
            Self::Overload => (1013, "gateway is overloaded, try again later"),
            Self::UpstreamUnreachable => (1013, "upstream is unreachable, try again later"),
            Self::UpstreamClosed => (1000, "upstream closed"),
            Self::UpstreamFailed => (1014, "upstream failed"),
            Self::UpstreamTimeout => (1014, "upstream took nothing for too long"),
            Self::Shutdown | Self::Killed => (1001, "gateway is going away"),
        }
    }
}

/// Who closed a connection: the first to do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closer {
    /// The client ended it, in order or not.
    Client,
    /// The gateway, because a limit, a time or a rule said so, or something failed.
    Gateway,
    /// The service behind it.
    Upstream,
    /// A plugin wanted it.
    Plugin,
    /// Whoever runs the gateway stopped it.
    Operator,
}

impl Closer {
    /// For the access record.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
            Self::Plugin => "plugin",
            Self::Operator => "operator",
        }
    }
}

impl CloseReason {
    /// Who closed. A client that gave cause for it, by what it sent or by its silence, was closed by the gateway: the reason says why.
    pub const fn by(self) -> Closer {
        match self {
            Self::Client | Self::ClientReset | Self::Truncated => Closer::Client,
            Self::Protocol
            | Self::MessageTooLong
            | Self::Fragments
            | Self::InvalidUtf8
            | Self::BadMagic
            | Self::BadVersion
            | Self::BadChecksum
            | Self::PingFlood
            | Self::RateLimited
            | Self::HandshakeTimeout
            | Self::UpgradeTimeout
            | Self::IdleTimeout
            | Self::HeartbeatTimeout
            | Self::Degraded
            | Self::FirstMessageTimeout
            | Self::FrameTimeout
            | Self::WriteTimeout
            | Self::SlowConsumer
            | Self::PluginFailed
            | Self::TooManyConnections
            | Self::TooManyConnectionsPerClient
            | Self::UpstreamUnreachable
            | Self::UpstreamTimeout
            | Self::Overload
            | Self::Moved
            | Self::SessionEnded => Closer::Gateway,
            Self::Plugin => Closer::Plugin,
            Self::UpstreamClosed | Self::UpstreamFailed => Closer::Upstream,
            Self::Shutdown | Self::Killed => Closer::Operator,
        }
    }
}

impl From<&WireError> for CloseReason {
    fn from(error: &WireError) -> Self {
        match error {
            WireError::TooLong { .. } => Self::MessageTooLong,
            WireError::TooManyFragments { .. } => Self::Fragments,
            WireError::InvalidUtf8 => Self::InvalidUtf8,
            WireError::BadMagic { .. } => Self::BadMagic,
            WireError::BadVersion { .. } => Self::BadVersion,
            WireError::BadChecksum { .. } => Self::BadChecksum,
            WireError::Truncated => Self::Truncated,
            _ => Self::Protocol,
        }
    }
}

impl From<&EncodeError> for DropReason {
    fn from(error: &EncodeError) -> Self {
        match error {
            EncodeError::TooLong { .. } => Self::TooLong,
            _ => Self::Unframeable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureCause, TargetKind};
    use std::collections::HashSet;

    fn are_unique(labels: &[&str]) {
        let shape =
            |label: &&str| label.bytes().all(|byte| byte.is_ascii_lowercase() || b"_8".contains(&byte));
        assert!(labels.iter().all(shape), "{labels:?}");
        assert_eq!(labels.iter().collect::<HashSet<_>>().len(), labels.len(), "{labels:?}");
    }

    #[test]
    fn labels_are_unique_and_counters_have_their_own_places() {
        are_unique(&DropReason::ALL.iter().map(|reason| reason.label()).collect::<Vec<_>>());
        are_unique(&CloseReason::ALL.iter().map(|reason| reason.label()).collect::<Vec<_>>());
        are_unique(&FailureCause::ALL.iter().map(|cause| cause.label()).collect::<Vec<_>>());
        are_unique(&TargetKind::ALL.iter().map(|kind| kind.label()).collect::<Vec<_>>());
        assert!(DropReason::ALL.iter().enumerate().all(|(at, reason)| *reason as usize == at));
        assert!(CloseReason::ALL.iter().enumerate().all(|(at, reason)| *reason as usize == at));
        assert!(FailureCause::ALL.iter().enumerate().all(|(at, cause)| *cause as usize == at));
        assert!(TargetKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
    }

    #[test]
    fn codes_can_be_said_where_somebody_is_there_to_hear_them() {
        for reason in CloseReason::ALL {
            let (code, sentence) = reason.close();
            let gone = matches!(reason, CloseReason::ClientReset | CloseReason::Truncated);
            assert_eq!(weir_codec::websocket::may_be_sent(code), !gone, "{reason:?}");
            assert!(sentence.len() <= crate::Rejection::MAX_REASON);
        }
    }

    /// Each reason stands under who closed: with one that is new, this says that somebody has to think of it.
    #[test]
    fn who_closed_is_known_of_every_reason() {
        let closed = |by: Closer| -> Vec<_> {
            let all = CloseReason::ALL.iter().filter(|reason| reason.by() == by);
            all.map(|reason| reason.label()).collect()
        };
        assert_eq!(closed(Closer::Client), ["client", "client_reset", "truncated"]);
        assert_eq!(closed(Closer::Upstream), ["upstream_closed", "upstream_failed"]);
        assert_eq!(closed(Closer::Plugin), ["plugin"]);
        assert_eq!(closed(Closer::Operator), ["shutdown", "killed"]);
        let gateway = [
            "protocol",
            "message_too_long",
            "fragments",
            "invalid_utf8",
            "bad_magic",
            "bad_version",
            "bad_checksum",
            "ping_flood",
            "rate_limited",
            "handshake_timeout",
            "upgrade_timeout",
            "idle_timeout",
            "heartbeat_timeout",
            "degraded",
            "first_message_timeout",
            "frame_timeout",
            "write_timeout",
            "slow_consumer",
            "plugin_failed",
            "too_many_connections",
            "too_many_connections_per_client",
            "upstream_unreachable",
            "upstream_timeout",
            "overload",
            "moved",
            "session_ended",
        ];
        assert_eq!(closed(Closer::Gateway), gateway);
        let closers = [Closer::Client, Closer::Gateway, Closer::Upstream, Closer::Plugin, Closer::Operator];
        are_unique(&closers.map(Closer::label));
    }

    #[test]
    fn a_broken_frame_closes_with_the_code_that_the_codec_names() {
        use WireError::{
            BadChecksum, BadKind, BadLength, BadMagic, BadVersion, InvalidUtf8, TooLong, TooManyFragments,
            WebSocket,
        };
        for error in [
            TooLong { claimed: 2, limit: 1 },
            TooManyFragments { limit: 1 },
            InvalidUtf8,
            BadMagic { found: 0 },
            BadVersion { found: 0 },
            BadKind { found: 0 },
            BadChecksum { found: 0, computed: 1 },
            BadLength,
            WebSocket("rule"),
        ] {
            assert_eq!(CloseReason::from(&error).close().0, error.close_code(), "{error:?}");
        }
    }
}
