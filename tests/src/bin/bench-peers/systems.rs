//! What the page says of each system: how it was set, and what it does that Weir does not.

/// One that takes part.
pub(crate) struct System {
    /// As in the versions.
    pub(crate) name: &'static str,
    pub(crate) settings: &'static str,
    pub(crate) difference: &'static str,
}

pub(crate) const ALL: [System; 13] = [
    System {
        name: crate::WEIR,
        settings: "`workers = 1`; pings, the access log and `[overload]` off, `accept_rate` so high that all may come at once; all other limits \
                   as they are by default",
        difference: "",
    },
    System {
        name: "bun",
        settings: "`perMessageDeflate: false`, `sendPings: false`, `idleTimeout: 0`, `backpressureLimit` of 16 MiB",
        difference: "Gathers what is published and writes it once a turn. A receiver whose buffer is full misses messages without a count. \
                     No limits are set on frames a second, fragments or silent sessions.",
    },
    System {
        name: "Node ws",
        settings: "`perMessageDeflate: false`, with `bufferutil`",
        difference: "Has no limit on what waits for a slow receiver: memory grows instead.",
    },
    System {
        name: "nats-server",
        settings: "`GOMAXPROCS=1`, `compression: false`, `ping_interval: 10m`, no accounts, nothing kept",
        difference: "Puts several messages into one WebSocket frame, where Weir keeps each message its own frame. Subjects and \
                     subscriptions, no order between publishers.",
    },
    System {
        name: "sockudo",
        settings: "all in memory of one process; metrics, rate limits, pings, compression, deltas and tags off",
        difference: "Wraps each message into JSON of Pusher's protocol, and is published to over HTTP, a connection for each request: it ends \
                     them itself.",
    },
    System {
        name: crate::servers::PUSHPIN,
        settings: "`message_rate` and `message_hwm` of a million, `log_level=1`",
        difference: "Leads everything through four processes; what is published is limited to 2,500 messages a second unless configured, \
                     and it was.",
    },
    System {
        name: "mosquitto",
        settings: "`set_tcp_nodelay true`, `persistence false`, everybody is let in",
        difference: "MQTT, one thread. Keeps topics, not groups.",
    },
    System {
        name: "HAProxy",
        settings: "`nbthread 1`, `option splice-auto`, no logs; for scripts Lua with cjson, which is C, and buffers of 64 KiB",
        difference: "Passes bytes on without looking into them; may let the kernel move them (`splice`).",
    },
    System {
        name: "nginx",
        settings: "`worker_processes 1`, `multi_accept on`, `tcp_nodelay on`, `access_log off`",
        difference: "Passes bytes on without looking into them.",
    },
    System {
        name: "caddy",
        settings: "`GOMAXPROCS=1`, `flush_interval -1`, `admin off`, errors alone are logged",
        difference: "A goroutine for each direction of a connection. Passes bytes on without looking into them.",
    },
    System {
        name: "pingora",
        settings: "a proxy as small as Pingora’s own examples; `threads: 1`, `work_stealing: false`, reads of 64 KiB",
        difference: "Passes bytes on without looking into them.",
    },
    System {
        name: "Extism",
        settings: "without WASI, HTTP and files; a limit of time and memory where it is said",
        difference: "Copies what goes in and out, resets the memory for it before each call, and tells a thread that keeps the time of \
                     each call’s beginning and end.",
    },
    System {
        name: "fluvio-smartengine",
        settings: "a chain of one filter, made with Fluvio’s own macro",
        difference: "Made for batches of records; encodes and decodes each record.",
    },
];

/// The one of this name.
pub(crate) fn of(name: &str) -> Option<&'static System> {
    ALL.iter().find(|system| system.name == name)
}
