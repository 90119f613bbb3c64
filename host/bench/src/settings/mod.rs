//! What is asked for, checked.

mod check;

use crate::conn::{MOST_ANSWERS, MOST_WAITING};
use crate::options::Options;
use crate::payload::Payloads;
use crate::target::{Scheme, Target};
use crate::template::{self, Template};
use crate::{Error, trust};
use check::wrong;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use weir_codec::framing::Prefix;
use weir_codec::websocket::Role;
use weir_codec::{Framing, Kind, Wire};

/// Longest message that is taken from a server: 64 MiB.
pub(crate) const LONGEST: usize = 64 << 20;

/// How a sender is held back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Messages under way on each connection.
    Closed(u32),
    /// Messages a second, all senders together.
    Rate(f64),
    /// Nothing is sent.
    Idle,
}

/// Publishers and subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    pub(crate) count: u32,
    /// In each.
    pub(crate) publishers: u32,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sends, and gets its own messages back.
    Echo,
    Publisher,
    Subscriber,
}

/// Everything about a run, the same for all threads.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) target: Target,
    pub(crate) publisher_target: Option<Target>,
    pub(crate) connections: u32,
    /// Connections a second.
    pub(crate) ramp: Option<f64>,
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) threads: usize,
    pub(crate) framing: Arc<Framing>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) pace: Pace,
    pub(crate) payloads: Payloads,
    /// Every payload has a marker.
    pub(crate) marked: bool,
    pub(crate) kind: Kind,
    pub(crate) duration: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) timeout: Duration,
    pub(crate) groups: Option<Groups>,
    pub(crate) hello: Option<Template>,
    pub(crate) hello_publishers: Option<Template>,
    pub(crate) ready: Option<Vec<u8>>,
    pub(crate) publish: Template,
    pub(crate) answers: Vec<(Vec<u8>, Vec<u8>)>,
    /// What may wait to be written on a connection, in bytes, before it is given up.
    pub(crate) most_waiting: usize,
    /// For the result.
    pub(crate) described: serde_json::Value,
}

impl Settings {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let source = options.source.first().copied();
        if options.source.iter().any(|other| source.is_some_and(|first| first.is_ipv4() != other.is_ipv4())) {
            return Err(wrong("source", "give addresses of one family, IPv4 or IPv6"));
        }
        let target = |url: &String| {
            let target = Target::parse(url, source)?;
            let tls = trust::config(options.ca.as_deref(), options.insecure, &target)?;
            Ok::<_, Error>(Target { tls, ..target })
        };
        let publisher_target = options.publisher_url.as_ref().map(target).transpose()?;
        let target = target(&options.url)?;
        if publisher_target.as_ref().is_some_and(|other| other.scheme.is_quic() != target.scheme.is_quic()) {
            return Err(wrong(
                "publisher-url",
                "goes over UDP and the other over TCP, or the other way round",
            ));
        }
        check::numbers(options)?;
        let groups = check::groups(options)?;
        let framing = Framing::parse(&options.framing, LONGEST).ok_or_else(|| {
            wrong("framing", format!("{:?} is no framing; use {}", options.framing, Framing::WORDS))
        })?;
        let framing = if target.scheme.is_quic() {
            Framing::Length { prefix: Prefix::U32Be, max: LONGEST }
        } else {
            framing
        };
        let payloads = match &options.payload {
            Some(path) => Payloads::of_file(path)?,
            None => Payloads::of_sizes(&options.size),
        };
        let marked = payloads.are_marked();
        let publish = Template::option("publish", &options.publish)?;
        if !publish.has_payload() {
            return Err(wrong("publish", "has no {payload}, so that no message could be known again"));
        }
        if !marked && groups.is_some() {
            return Err(Error::NeedsMarker { why: "--groups" });
        }
        if !marked && matches!(framing, Framing::Raw { .. }) && !target.scheme.is_websocket() {
            return Err(Error::NeedsMarker {
                why: "--framing raw, which does not say where a message ends,",
            });
        }
        let text = |option: &'static str, text: &Option<String>| {
            text.as_ref().map(|text| Template::option(option, text)).transpose()
        };
        let answer = |text: &String| {
            let (when, what) = text
                .split_once('=')
                .filter(|(when, _)| !when.is_empty())
                .ok_or_else(|| wrong("answer", format!("{text:?} is no TEXT=ANSWER")))?;
            Ok::<_, Error>((template::unescape("answer", when)?, template::unescape("answer", what)?))
        };
        let mut settings = Self {
            connections: options.connections,
            ramp: options.ramp,
            sources: options.source.clone(),
            threads: options.threads.min(options.connections as usize),
            framing: Arc::new(framing),
            headers: options.header.iter().map(|header| check::header(header)).collect::<Result<_, _>>()?,
            pace: match (options.rate, options.in_flight) {
                (Some(rate), _) => Pace::Rate(rate),
                (None, 0) => Pace::Idle,
                (None, depth) => Pace::Closed(depth),
            },
            marked,
            kind: if options.text { Kind::Text } else { Kind::Binary },
            duration: options.duration,
            warm_up: options.warm_up,
            timeout: options.timeout,
            groups,
            hello: text("hello", &options.hello)?,
            hello_publishers: text("hello-publishers", &options.hello_publishers)?,
            ready: options.ready.as_ref().map(|text| template::unescape("ready", text)).transpose()?,
            answers: options.answer.iter().map(answer).collect::<Result<_, _>>()?,
            described: describe(options, &target, &payloads),
            publish,
            payloads,
            most_waiting: MOST_WAITING + MOST_ANSWERS,
            target,
            publisher_target,
        };
        settings.most_waiting += settings.longest_frame()?;
        Ok(settings)
    }

    /// How messages to a target are framed.
    pub(crate) fn wire(&self, target: &Target) -> Wire {
        if target.scheme.is_websocket() {
            Wire::WebSocket { role: Role::Client }
        } else {
            Wire::Framed(Arc::clone(&self.framing))
        }
    }

    /// What the connection of this number does.
    pub(crate) fn part(&self, number: u32) -> Part {
        match self.groups {
            None => Part::Echo,
            Some(groups) if number / groups.count < groups.publishers => Part::Publisher,
            Some(_) => Part::Subscriber,
        }
    }

    /// The group of a connection.
    pub(crate) fn group(&self, number: u32) -> u32 {
        self.groups.map_or(0, |groups| number % groups.count)
    }

    /// Where a connection goes.
    pub(crate) fn target_of(&self, number: u32) -> &Target {
        match (&self.publisher_target, self.part(number)) {
            (Some(target), Part::Publisher) => target,
            _ => &self.target,
        }
    }

    /// What a connection says first.
    pub(crate) fn hello_of(&self, number: u32) -> Option<&Template> {
        match (&self.hello_publishers, self.part(number)) {
            (Some(hello), Part::Publisher) => Some(hello),
            _ => self.hello.as_ref(),
        }
    }

    /// Connections that send.
    pub(crate) fn senders(&self) -> u32 {
        self.groups.map_or(self.connections, |groups| groups.count * groups.publishers)
    }

    /// Where a connection comes from.
    pub(crate) fn source_of(&self, number: u32) -> Option<IpAddr> {
        let count = self.sources.len();
        (count > 0).then(|| self.sources[number as usize % count])
    }

    /// Any port of any address, for UDP.
    pub(crate) fn any_source(&self) -> IpAddr {
        if self.target.address.is_ipv6() {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        }
    }
}

/// What two results must have in common to be compared.
fn describe(options: &Options, target: &Target, payloads: &Payloads) -> serde_json::Value {
    let mut described = json!({
        "scheme": target.url.split(':').next(),
        "connections": options.connections,
        "threads": options.threads,
        "kind": if options.text { "text" } else { "binary" },
        "duration_s": options.duration.as_secs_f64(),
        "warm_up_s": options.warm_up.as_secs_f64(),
        "correlation": if payloads.are_marked() { "marker" } else { "order" },
    });
    let mut set = |key: &str, value: serde_json::Value| described[key] = value;
    if matches!(target.scheme, Scheme::Tcp | Scheme::Tls) {
        set("framing", options.framing.clone().into());
    }
    match options.rate {
        Some(rate) => set("rate", rate.into()),
        None => set("in_flight", options.in_flight.into()),
    }
    match &options.payload {
        Some(path) => set("payload", path.display().to_string().into()),
        None => set("size", options.size.to_string().into()),
    }
    if let Some(groups) = options.groups {
        set("groups", groups.into());
        set("publishers", options.publishers.into());
    }
    if let Some(ramp) = options.ramp {
        set("ramp", ramp.into());
    }
    if options.publish != "{payload}" {
        set("publish", options.publish.clone().into());
    }
    described
}
