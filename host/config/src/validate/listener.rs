//! Listeners.

use super::framing::max_of;
use super::plugin::binding_name;
use super::{Check, Seen};
use crate::field::Chain;
use crate::source::Span;
use crate::words::{HeartbeatWord, ListenerWord, ProxyWord};
use crate::{ChainSpec, Compression, Framing, Listener, Protocol, RouteSpec, TlsFiles, raw};
use toml::Spanned;
use weir_core::Kind;

/// What a listener may name.
struct Known {
    bindings: Vec<String>,
    clusters: Vec<String>,
}

impl Check<'_> {
    pub(super) fn listeners(&mut self, file: &raw::File, addresses: &mut Seen) -> Vec<Listener> {
        // Also those that have faults of their own: one fault is one error.
        let known = Known {
            bindings: file.plugin.iter().filter_map(|plugin| binding_name(plugin.get_ref())).collect(),
            clusters: file
                .cluster
                .iter()
                .filter_map(|cluster| cluster.get_ref().name.0.as_ref()?.value.as_ref().ok().cloned())
                .collect(),
        };
        let mut names = Seen::default();
        file.listener
            .iter()
            .filter_map(|listener| {
                self.listener(&listener.span(), listener.get_ref(), &known, &mut names, addresses)
            })
            .collect()
    }

    fn listener(
        &mut self,
        place: &Span,
        raw: &raw::Listener,
        known: &Known,
        names: &mut Seen,
        addresses: &mut Seen,
    ) -> Option<Listener> {
        let name = self.read(&raw.name, "name");
        if let Some((name, span)) = name {
            self.name(name, span, "name");
            self.differ(names, name, span, format!("two listeners are called \"{name}\""));
        }
        let bind = self.bind(&raw.bind);
        let word = self.read(&raw.protocol, "protocol").map(|(word, _)| *word);
        let protocol = self.protocol(raw, word);
        let tls = raw.tls.as_ref().and_then(|tls| self.listener_tls(tls.get_ref()));
        if let (Some((address, span)), Some(word)) = (bind, word) {
            let quic = matches!(word, ListenerWord::Quic | ListenerWord::WebTransport);
            let family = if quic { "udp" } else { "tcp" };
            if address.port() != 0 {
                let message = format!("{address} over {family} is taken already");
                self.differ(addresses, &format!("{family} {address}"), span, message);
            }
            if quic && raw.tls.is_none() && !address.ip().is_loopback() {
                let here = word.as_str();
                let message = format!("a {here} listener off loopback needs `tls` with `cert` and `key`");
                self.blame_with_help(
                    place,
                    message,
                    "on loopback a self-signed certificate is made at start",
                );
            }
        }
        let chain = self.chain(raw.chain.as_ref(), known);
        let route = self.route(raw, known);
        let join = self.join(raw, route.as_ref());
        let (mut limits, accept_rate) = self.limits(&raw.limits, word);
        let conflate = self.conflate(&raw.limits, limits.slow_consumer);
        limits.heartbeat = self.heartbeat(raw, word, protocol.as_ref());
        let protocol = protocol?;
        if let Protocol::Tcp { framing, .. } = &protocol {
            limits.message = max_of(framing);
        }
        self.long_pauses(&raw.limits, limits.message);
        let (name, bind) = (name?.0.clone(), bind?.0);
        let resume = self.resume(raw.resume.as_ref(), &name, &protocol, &limits);
        Some(Listener {
            name,
            bind,
            protocol,
            tls,
            chain,
            route: route?,
            join,
            limits,
            conflate,
            accept_rate,
            resume,
        })
    }

    /// Whether heartbeat messages are told from others. They are binary, and have bytes in them that end lines.
    fn heartbeat(
        &mut self,
        raw: &raw::Listener,
        word: Option<ListenerWord>,
        protocol: Option<&Protocol>,
    ) -> bool {
        let (HeartbeatWord::Frame, Some(span)) =
            (self.read_or(&raw.heartbeat, "heartbeat", HeartbeatWord::Off), raw.heartbeat.span())
        else {
            return false;
        };
        let carries = match protocol {
            Some(Protocol::Tcp { framing: Framing::Checked { .. }, .. }) | None => true,
            Some(Protocol::Tcp { framing: Framing::Length { .. }, kind }) => *kind == Kind::Binary,
            Some(_) => false,
        };
        if !carries {
            let here = word.map_or("this listener", ListenerWord::as_str);
            let message = format!(
                "`heartbeat` = \"frame\" needs tcp with length or checked framing and kind = \"binary\", and this is {here}"
            );
            let help = "WebSocket, QUIC and WebTransport ask with frames of their own; leave it \"off\"";
            self.blame_with_help(span, message, help);
        }
        true
    }

    fn protocol(&mut self, raw: &raw::Listener, word: Option<ListenerWord>) -> Option<Protocol> {
        let framing = self.framing(raw.framing.as_ref());
        let kind = self.kind(&raw.kind);
        self.read_or(&raw.proxy_protocol, "proxy_protocol", ProxyWord::Off);
        let compression = self.read_or(&raw.compression, "compression", Compression::Off);
        let path = self.read(&raw.path, "path");
        if let Some((path, span)) = path {
            self.request_path(path, span);
        }
        let origins = self.list(raw.origins.as_ref(), "origins").unwrap_or_default();
        let origins = origins.into_iter().map(|(origin, span)| self.origin(origin, span)).collect();
        let mut seen = Seen::default();
        let mut subprotocols = Vec::new();
        for (name, span) in self.list(raw.subprotocols.as_ref(), "subprotocols").unwrap_or_default() {
            self.subprotocol(name, span);
            self.differ(&mut seen, name, span, format!("the subprotocol \"{name}\" is there twice"));
            subprotocols.push(name.clone());
        }

        let word = word?;
        let here = word.as_str();
        if word != ListenerWord::Tcp {
            let span = raw.framing.as_ref().map(Spanned::span);
            self.belongs(span.as_ref(), "framing", "tcp listeners", here);
        }
        if !matches!(word, ListenerWord::WebSocket | ListenerWord::WebTransport) {
            let to = "websocket and webtransport listeners";
            self.belongs(raw.path.span(), "path", to, here);
            let span = raw.origins.as_ref().map(Spanned::span);
            self.belongs(span.as_ref(), "origins", to, here);
        }
        if word != ListenerWord::WebSocket {
            let span = raw.subprotocols.as_ref().map(Spanned::span);
            self.belongs(span.as_ref(), "subprotocols", "websocket listeners", here);
            // "off" is true of all.
            let span = raw.compression.span().filter(|_| compression != Compression::Off);
            self.belongs(span, "compression", "websocket listeners", here);
        }
        let path = path.map_or_else(|| "/".to_owned(), |(path, _)| path.clone());
        Some(match word {
            ListenerWord::Tcp => Protocol::Tcp { framing: framing?, kind },
            ListenerWord::WebSocket => {
                let to = "tcp, quic and webtransport listeners (WebSocket frames say it themselves)";
                self.belongs(raw.kind.span(), "kind", to, here);
                Protocol::WebSocket { path, origins, subprotocols, compression }
            }
            ListenerWord::Quic => Protocol::Quic { kind },
            ListenerWord::WebTransport => Protocol::WebTransport { path, origins, kind },
        })
    }

    fn listener_tls(&mut self, raw: &raw::ListenerTls) -> Option<TlsFiles> {
        let (cert, key) = (self.path(&raw.cert, "cert"), self.path(&raw.key, "key"));
        let client_ca = self.path(&raw.client_ca, "client_ca");
        let session_tickets = self.read_or(&raw.session_tickets, "session_tickets", true);
        Some(TlsFiles { cert: cert?, key: key?, client_ca, session_tickets })
    }

    fn chain(&mut self, raw: Option<&Chain>, known: &Known) -> ChainSpec {
        let items = match raw {
            None | Some(Chain::Auto) => return ChainSpec::Auto,
            Some(Chain::Neither(written)) => {
                self.read(written, "chain");
                return ChainSpec::Auto;
            }
            Some(Chain::Named(items)) => items,
        };
        let mut seen = Seen::default();
        let mut names = Vec::new();
        for item in items {
            let Some((name, span)) = self.read(item, "chain") else { continue };
            if !known.bindings.contains(name) {
                let shown = name.escape_debug();
                let message = format!("`chain` names \"{shown}\", and no [[plugin]] is called that");
                let help =
                    format!("add [[plugin]] with module = \"{shown}.wasm\", or write chain = \"auto\"");
                self.nowhere(span, &message, name, known.bindings.iter().map(String::as_str), help);
            }
            self.differ(&mut seen, name, span, format!("`chain` names \"{name}\" twice"));
            names.push(name.clone());
        }
        ChainSpec::Named(names)
    }

    fn route(&mut self, raw: &raw::Listener, known: &Known) -> Option<RouteSpec> {
        let (route, span) = self.read(&raw.route, "route")?;
        if let Some(group) = route.strip_prefix("group:") {
            self.group_name(group, span, "route");
            return Some(RouteSpec::Group(group.to_owned()));
        }
        Some(match route.as_str() {
            "echo" => RouteSpec::Echo,
            "drop" => RouteSpec::Drop,
            cluster => {
                if !known.clusters.iter().any(|known| known == cluster) {
                    let shown = cluster.escape_debug();
                    let message = format!("`route` names \"{shown}\", and no [[cluster]] is called that");
                    let words = known.clusters.iter().map(String::as_str).chain(["echo", "drop"]);
                    let help = "a route is a cluster's name, \"group:NAME\", \"echo\" or \"drop\"".to_owned();
                    self.nowhere(span, &message, cluster, words, help);
                }
                RouteSpec::Cluster(cluster.to_owned())
            }
        })
    }

    fn join(&mut self, raw: &raw::Listener, route: Option<&RouteSpec>) -> Vec<String> {
        let Some(written) = self.list(raw.join.as_ref(), "join") else {
            return match route {
                Some(RouteSpec::Group(group)) => vec![group.clone()],
                _ => Vec::new(),
            };
        };
        let mut seen = Seen::default();
        let mut groups = Vec::new();
        for (group, span) in written {
            if group.starts_with("group:") {
                let help = "a group is named without \"group:\" here";
                self.blame_with_help(span, format!("`join` names \"{}\"", group.escape_debug()), help);
            }
            self.group_name(group, span, "join");
            self.differ(&mut seen, group, span, format!("`join` names \"{}\" twice", group.escape_debug()));
            groups.push(group.clone());
        }
        groups
    }
}
