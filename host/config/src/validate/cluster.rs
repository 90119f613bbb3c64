//! Clusters.

use super::address::is_dns_name;
use super::{Check, DAY, MAX_MESSAGE, MINUTE, Seen};
use crate::words::{Balance, ClusterWord, KindWord, SessionsWord};
use crate::{Cluster, ClusterProtocol, ClusterTls, Endpoint, raw};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use weir_core::{Kind, Limits};

/// Bounds of what may wait for one connection.
pub(super) const QUEUE: RangeInclusive<usize> = 4 << 10..=1 << 30;

impl Check<'_> {
    pub(super) fn clusters(&mut self, raw: &[Spanned<raw::Cluster>]) -> Vec<Cluster> {
        let mut names = Seen::default();
        raw.iter().filter_map(|cluster| self.cluster(cluster.get_ref(), &mut names)).collect()
    }

    fn cluster(&mut self, raw: &raw::Cluster, names: &mut Seen) -> Option<Cluster> {
        let name = self.read(&raw.name, "name");
        if let Some((name, span)) = name {
            self.cluster_name(name, span);
            self.differ(names, name, span, format!("two clusters are called \"{name}\""));
        }
        let protocol = self.cluster_protocol(raw);
        let tls = raw.tls.as_ref().map(|tls| self.cluster_tls(tls.get_ref()));
        let endpoints = self.endpoints(raw);
        let balance = self.read_or(&raw.balance, "balance", Balance::P2c);
        self.read_or(&raw.sessions, "sessions", SessionsWord::Dedicated);
        let connect_timeout = self.time(
            &raw.connect_timeout,
            "connect_timeout",
            Duration::from_millis(1)..=10 * MINUTE,
            Duration::from_secs(3),
        );
        let queue = self.size(&raw.queue, "queue", QUEUE, Limits::default().queue);
        let default = Limits::default().write_timeout;
        let write_timeout = self.time(&raw.write_timeout, "write_timeout", Duration::ZERO..=DAY, default);
        let (name, protocol) = (name?.0.clone(), protocol?);
        Some(Cluster { name, protocol, tls, endpoints, balance, connect_timeout, queue, write_timeout })
    }

    fn cluster_protocol(&mut self, raw: &raw::Cluster) -> Option<ClusterProtocol> {
        let word = self.read(&raw.protocol, "protocol").map(|(word, _)| *word);
        let framing = self.framing(raw.framing.as_ref());
        let kind = self.kind(&raw.kind);
        let path = self.read(&raw.path, "path");
        if let Some((path, span)) = path {
            self.request_path(path, span);
        }
        let host = self.read(&raw.host, "host");
        if let Some((host, span)) = host {
            let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
            if !is_dns_name(name) && host.parse::<SocketAddr>().is_err() && host.parse::<IpAddr>().is_err() {
                let shown = host.escape_debug();
                self.blame(
                    span,
                    format!(
                        "`host` must be like \"backend.example\" or \"backend.example:8080\", not \"{shown}\""
                    ),
                );
            }
        }
        let message = self.size(&raw.message, "message", 1..=MAX_MESSAGE, Limits::default().message);
        match word? {
            ClusterWord::Tcp => {
                self.belongs(raw.path.span(), "path", "websocket clusters", "tcp");
                self.belongs(raw.host.span(), "host", "websocket clusters", "tcp");
                self.belongs(
                    raw.message.span(),
                    "message",
                    "websocket clusters (over tcp it is `max` of `framing`)",
                    "tcp",
                );
                Some(ClusterProtocol::Tcp { framing: framing?, kind })
            }
            ClusterWord::WebSocket => {
                let framing = raw.framing.as_ref().map(Spanned::span);
                self.belongs(framing.as_ref(), "framing", "tcp clusters", "websocket");
                self.belongs(
                    raw.kind.span(),
                    "kind",
                    "tcp clusters (WebSocket frames say it themselves)",
                    "websocket",
                );
                Some(ClusterProtocol::WebSocket {
                    path: path.map_or_else(|| "/".to_owned(), |(path, _)| path.clone()),
                    host: host.map(|(host, _)| host.clone()),
                    message,
                })
            }
        }
    }

    fn cluster_tls(&mut self, raw: &raw::ClusterTls) -> ClusterTls {
        let server_name = self.read(&raw.server_name, "server_name");
        if let Some((name, span)) = server_name
            && !is_dns_name(name)
            && name.parse::<IpAddr>().is_err()
        {
            let shown = name.escape_debug();
            self.blame(span, format!("`server_name` must be a DNS name or an IP address, not \"{shown}\""));
        }
        ClusterTls { ca: self.path(&raw.ca, "ca"), server_name: server_name.map(|(name, _)| name.clone()) }
    }

    fn endpoints(&mut self, raw: &raw::Cluster) -> Vec<Endpoint> {
        let Some(written) = self.list(raw.endpoints.as_ref(), "endpoints") else { return Vec::new() };
        if let Some(list) = raw.endpoints.as_ref().filter(|list| list.get_ref().is_empty()) {
            self.blame(&list.span(), "`endpoints` is empty: a cluster needs at least one");
        }
        let mut seen = Seen::default();
        let mut endpoints = Vec::new();
        for (text, span) in written {
            let Some(endpoint) = self.endpoint(text, span) else { continue };
            self.differ(
                &mut seen,
                &endpoint.to_string(),
                span,
                format!("the endpoint \"{endpoint}\" is there twice"),
            );
            endpoints.push(endpoint);
        }
        endpoints
    }

    pub(super) fn kind(&mut self, field: &crate::field::Field<KindWord>) -> Kind {
        match self.read_or(field, "kind", KindWord::Binary) {
            KindWord::Text => Kind::Text,
            KindWord::Binary => Kind::Binary,
        }
    }
}
