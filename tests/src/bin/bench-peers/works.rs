//! The kinds of work, and what the page says of each: in what it is compared, and what has to be known.

use crate::{alone, calls, echo, fanout, idle, latency, proxy, reload, scripting};

/// One kind of work, for the page.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is compared; less is better.
    pub(crate) figure: &'static str,
    /// What its chart is of.
    pub(crate) chart: &'static str,
    /// Whether bars differ so much that the chart is logarithmic.
    pub(crate) logarithmic: bool,
    /// Other columns of its tables: the figure, its heading, digits behind the point.
    pub(crate) columns: &'static [(&'static str, &'static str, usize)],
    pub(crate) about: &'static str,
}

const RATE: (&str, &str, usize) = ("rate", "messages a second", 0);
const COST: (&str, &str, usize) = ("cost", "µs a message", 2);
const BUSY: (&str, &str, usize) = ("busy", "server busy", 2);
/// Where the server is not busy and this is near to 1, the load was the limit.
const LOAD: (&str, &str, usize) = ("own", "load busy", 2);

pub(crate) const ALL: [Work; 9] = [
    Work {
        name: echo::NAME,
        title: "Echo over WebSocket",
        figure: "cost",
        chart: "CPU time of the server a message, µs",
        logarithmic: false,
        columns: &[RATE, COST, BUSY, LOAD],
        about: "64 bytes come back to who sent them; a case is connections × messages in flight on each. Weir's plugin is \
                `passthrough`, which is called twice: in and out. nats-server has no echo: each connection publishes to a subject that \
                it alone has subscribed to, which is as near as it comes. sockudo and pushpin have nothing that is near.",
    },
    Work {
        name: fanout::NAME,
        title: "Fan-out to a group",
        figure: "cost",
        chart: "CPU time of the server a delivery, µs",
        logarithmic: false,
        columns: &[("rate", "deliveries a second", 0), ("cost", "µs a delivery", 2), BUSY, LOAD],
        about: "One connection publishes, 1,000 receive, over WebSocket; a case is bytes × messages published in one write. The next is \
                published when all have the last, so the server rests meanwhile, and its CPU time is what counts. With the plugin Weir calls it for what is published and for each delivery. sockudo is published to \
                by signed HTTP requests and pushpin by ZeroMQ, as their services do; what that costs them is theirs. pushpin, which \
                takes long to let members in, has the first case only.",
    },
    Work {
        name: idle::NAME,
        title: "Idle sessions",
        figure: "bytes",
        chart: "memory of the server a session, bytes",
        logarithmic: false,
        columns: &[("bytes", "bytes a session", 0), ("mib", "MiB in the end", 1)],
        about: "Memory in user space by slope from 2,000 to 18,000 sessions, each in a fresh process: WebSocket, and MQTT over TCP for \
                mosquitto. Members of a group for nats-server, sockudo, pushpin and mosquitto, because a session without a \
                subscription is of no use there; pushpin from 200 to 2,000, because it lets people in slowly. The kernel's buffers are not in it. Each has three seconds to come to rest, after \
                which bun no longer changes; Weir, whose allocator gives back within ten seconds what it no longer needs, has eleven.",
    },
    Work {
        name: proxy::BYTES_NAME,
        title: "Proxying bytes",
        figure: "cost",
        chart: "CPU time of the proxy a message, µs",
        logarithmic: false,
        columns: &[RATE, COST, BUSY, LOAD],
        about: "TCP to a service that echoes, bytes that nobody looks into (`framing = \"raw\"` in Weir): 64 bytes there and back are a \
                message. The service shares the load's core, so throughput says less than CPU time. Debian's caddy has no proxy for bytes.",
    },
    Work {
        name: proxy::WEB_NAME,
        title: "Proxying WebSocket",
        figure: "cost",
        chart: "CPU time of the proxy a message, µs",
        logarithmic: false,
        columns: &[RATE, COST, BUSY, LOAD],
        about: "The same over WebSocket, to bun's echo. HAProxy, nginx, caddy and pingora look at the upgrade and pass on bytes from then \
                on. Weir reads every frame, checks it, counts it, and writes it anew: it pays for what it is there for.",
    },
    Work {
        name: scripting::NAME,
        title: "A script for each message",
        figure: "cost",
        chart: "CPU time of the gateway a line, µs",
        logarithmic: false,
        columns: &[("rate", "lines a second", 0), ("cost", "µs a line", 2), BUSY, LOAD],
        about: "Lines of JSON, some 150 bytes, on their way to services that echo: each is parsed, one of eight is dropped, a member is \
                taken out and one put in, and it goes to the service of its room. A case is connections × lines in one write. Weir's \
                plugin parses and writes all of the JSON too, and is stopped if it takes too long. **nginx and HAProxy do not route:** \
                there a connection has one service, so they do less.",
    },
    Work {
        name: calls::NAME,
        title: "A plugin's call alone",
        figure: "ns",
        chart: "nanoseconds a call (logarithmic)",
        logarithmic: true,
        columns: &[("ns", "ns a call", 0)],
        about: "A filter that forwards everything, called from a loop on one core. The native filter is a trait object in the same process: \
                no sandbox, no limits, nothing to swap. Weir's calls have a deadline, memory limits and a budget of host calls, and fluvio's \
                count fuel; Extism is called without limits, which is as fast as it goes, and with a deadline and a limit of memory. 64 in \
                one call is how Weir asks about the messages of one read, and how Fluvio works. Each stands on the wasmtime that its version \
                asks for, see below.",
    },
    Work {
        name: latency::NAME,
        title: "Latency at 70 % of the highest throughput",
        figure: "ratio",
        chart: "p99 divided by the median",
        logarithmic: false,
        columns: &[
            ("rate", "messages a second", 0),
            ("p50", "median, µs", 0),
            ("p99", "p99, µs", 0),
            ("p999", "p99.9, µs", 0),
            ("ratio", "p99 / median", 2),
            ("late", "sent late, p99, µs", 0),
            LOAD,
        ],
        about: "Echo of 64 bytes, 100 connections, sent at 70 % of what the same system did above with 100 × 1. `weir bench` counts from \
                when a message was due, so that a server that stalls does not hide what waited. Systems are sent different rates: each \
                70 % of its own. *Sent late* is how far the load was behind its own schedule, because its core had other things to do: that \
                is in all of these latencies, and is not the server's.",
    },
    Work {
        name: reload::NAME,
        title: "Reload under load",
        figure: "gap",
        chart: "longest silence of a connection, ms",
        logarithmic: false,
        columns: &[
            ("gap", "longest silence, ms", 1),
            ("calm", "without a reload, ms", 1),
            ("closed", "connections closed", 0),
            ("refused", "newcomers refused", 0),
            ("kept", "throughput kept", 2),
        ],
        about: "100 connections talk through the proxy (nats-server: to themselves), one message in flight, while it is told three times to \
                take another configuration; Weir also another build of its plugin. Newcomers try every 5 ms. **What it means differs:** \
                with nginx and HAProxy connections stay with the old process and its configuration until they end, which for long-lived \
                ones may be days, and each reload leaves one more process. In Weir and nats-server the connections that are there get \
                what is new.",
    },
];

/// What `ONLY` may name.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|work| work.name).chain(alone::NAMES).collect()
}
