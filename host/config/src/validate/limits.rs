//! Limits of a listener.

use super::cluster::QUEUE;
use super::{Check, DAY, HOUR, MAX_MESSAGE, MINUTE};
use crate::words::{DegradedWord, ListenerWord, SlowWord};
use crate::{raw, zero};
use std::time::Duration;
use weir_core::{ClientNetwork, Degraded, LONGEST_PATIENCE, Limits, SlowConsumer};

impl Check<'_> {
    /// The limits and the accept rate.
    pub(super) fn limits(&mut self, raw: &raw::Limits, protocol: Option<ListenerWord>) -> (Limits, u32) {
        let default = Limits::default();
        let here = protocol.map_or("of another protocol", ListenerWord::as_str);
        if protocol == Some(ListenerWord::Tcp) {
            let to = "websocket, quic and webtransport listeners (over tcp it is `max` of `framing`)";
            self.belongs(raw.message.span(), "message", to, here);
        }
        if protocol.is_some_and(|protocol| protocol != ListenerWord::WebSocket) {
            self.belongs(raw.fragments.span(), "fragments", "websocket listeners", here);
        }
        let (rate, shared_rates, rate_policy) = self.rates(raw);
        let slow_consumer = match self.read_or(&raw.slow_consumer, "slow_consumer", SlowWord::Close) {
            SlowWord::Close => SlowConsumer::Close,
            SlowWord::DropOldest => SlowConsumer::DropOldest,
            SlowWord::DropNewest => SlowConsumer::DropNewest,
            SlowWord::Pause => SlowConsumer::Pause,
            SlowWord::Conflate => SlowConsumer::Conflate,
        };
        let accept_rate =
            self.count(&raw.accept_rate, "accept_rate", 1..=10_000_000, zero::ACCEPT_RATE.into()) as u32;
        let connections =
            self.count(&raw.connections, "connections", 1..=1 << 30, default.connections as u64) as usize;
        let connections_per_client =
            self.count(&raw.connections_per_client, "connections_per_client", 0..=1 << 30, 0) as usize;
        let ClientNetwork { ipv4, ipv6 } = default.client_network;
        let client_network = ClientNetwork {
            ipv4: self.count(&raw.client_network.ipv4, "ipv4", 1..=32, ipv4.into()) as u8,
            ipv6: self.count(&raw.client_network.ipv6, "ipv6", 1..=128, ipv6.into()) as u8,
        };
        let fragments =
            self.count(&raw.fragments, "fragments", 1..=1 << 20, default.fragments as u64) as usize;
        let message = self.size(&raw.message, "message", 1..=MAX_MESSAGE, default.message);
        let queue = self.size(&raw.queue, "queue", QUEUE, default.queue);
        let slow_grace =
            self.time(&raw.slow_grace, "slow_grace", Duration::from_millis(1)..=HOUR, default.slow_grace);
        let asks = |protocol| matches!(protocol, ListenerWord::WebSocket | ListenerWord::WebTransport);
        if protocol.is_some_and(|protocol| !asks(protocol)) {
            let to = "websocket and webtransport listeners";
            self.belongs(raw.upgrade_timeout.span(), "upgrade_timeout", to, here);
        }
        let mut handshake =
            |field, name, default| self.time(field, name, Duration::from_millis(100)..=10 * MINUTE, default);
        let handshake_timeout =
            handshake(&raw.handshake_timeout, "handshake_timeout", default.handshake_timeout);
        let upgrade_timeout = handshake(&raw.upgrade_timeout, "upgrade_timeout", default.upgrade_timeout);
        let idle_timeout =
            self.time(&raw.idle_timeout, "idle_timeout", Duration::ZERO..=DAY, default.idle_timeout);
        let ping_interval =
            self.time(&raw.ping_interval, "ping_interval", Duration::ZERO..=DAY, default.ping_interval);
        let pong_floor = self.time(
            &raw.pong_floor,
            "pong_floor",
            Duration::from_millis(1)..=LONGEST_PATIENCE,
            default.pong_floor,
        );
        let degraded = match self.read_or(&raw.degraded, "degraded", DegradedWord::Keep) {
            DegradedWord::Keep => Degraded::Keep,
            DegradedWord::Reconnect => Degraded::Reconnect,
        };
        let mut up_to_a_day = |field, name, default| self.time(field, name, Duration::ZERO..=DAY, default);
        let first_message_timeout =
            up_to_a_day(&raw.first_message_timeout, "first_message_timeout", default.first_message_timeout);
        let frame_timeout = up_to_a_day(&raw.frame_timeout, "frame_timeout", default.frame_timeout);
        let write_timeout = up_to_a_day(&raw.write_timeout, "write_timeout", default.write_timeout);
        let limits = Limits {
            message,
            fragments,
            queue,
            slow_consumer,
            slow_grace,
            idle_timeout,
            ping_interval,
            pong_floor,
            degraded,
            heartbeat: false,
            first_message_timeout,
            frame_timeout,
            write_timeout,
            handshake_timeout,
            upgrade_timeout,
            connections,
            connections_per_client,
            client_network,
            rate,
            shared_rates,
            rate_policy,
        };
        self.pings_before_idle(raw, protocol, &limits);
        (limits, accept_rate)
    }

    /// A client that is silent must be asked before it is given up.
    fn pings_before_idle(&mut self, raw: &raw::Limits, protocol: Option<ListenerWord>, limits: &Limits) {
        let pings = protocol != Some(ListenerWord::Tcp) && !limits.ping_interval.is_zero();
        if !pings || limits.idle_timeout.is_zero() || limits.idle_timeout > limits.ping_interval {
            return;
        }
        let (idle, ping) = [limits.idle_timeout, limits.ping_interval]
            .map(|time| humantime::format_duration(time).to_string())
            .into();
        if let Some(span) = raw.idle_timeout.span().or(raw.ping_interval.span()) {
            let message = format!("`idle_timeout` ({idle}) must be longer than `ping_interval` ({ping})");
            self.blame_with_help(
                span,
                message,
                "a silent client is pinged before it is closed; 2.5 times is usual",
            );
        }
    }
}
