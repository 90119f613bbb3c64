//! Broken files, and what is said of them.

use crate::{CLUSTER, LISTENER, TCP, errors, load_files};
use std::fmt::Write as _;

/// Each file, and all its errors.
#[test]
fn each_is_told_where_and_what() {
    let cases: &[(String, &[&str])] = &[
        // Keys.
        (
            "adress = 1".to_owned(),
            &[
                "1:1: unknown key `adress` (the file knows `admin`, `cluster`, `listener`, `log`, `overload`, `plugin`, `plugins`, `runtime`, `tap`)",
            ],
        ),
        ("[admin]\nbnd = \"127.0.0.1:1\"".to_owned(), &["2:1: unknown key `bnd`: did you mean `bind`?"]),
        (
            format!("{LISTENER}adress = \"x\""),
            &[
                "6:1: unknown key `adress` (this listener knows `bind`, `chain`, `compression`, `framing`, `heartbeat`, `join`, `kind`, `limits`, `name`, `origins`, `path`, `protocol`, `proxy_protocol`, `resume`, `route`, `subprotocols`, `tls`)",
            ],
        ),
        (
            format!("{LISTENER}limits.slow_consummer = \"close\""),
            &["6:8: unknown key `slow_consummer`: did you mean `slow_consumer`?"],
        ),
        ("[runtime]\ndrain = 5".to_owned(), &["2:9: `drain` must be a table, not an integer"]),
        (
            "[listener]\nname = \"a\"".to_owned(),
            &["1:1: `listener` must be a list of tables, not a table (write `[[listener]]` above its keys)"],
        ),
        ("[[log]]\nlevel = \"info\"".to_owned(), &["1:1: `log` must be a table, not a list"]),
        (
            "[[listener]]".to_owned(),
            &[
                "1:1: this listener needs `name` (By which plugins, metrics and logs know it: 1 to 64 of `A-Z a-z 0-9 . _ -`.)",
                r#"1:1: this listener needs `bind` (An address with a port, such as "0.0.0.0:7000" or "[::]:7000".)"#,
                "1:1: this listener needs `protocol` (What is spoken there.)",
                r#"1:1: this listener needs `route` (Where a message goes that no plugin sent elsewhere: a cluster's name, "group:NAME", "echo" or "drop".)"#,
            ],
        ),
        (
            "[[plugin]]\nname = \"a\"".to_owned(),
            &["1:1: this plugin needs `module` (The plugin's file, from `[plugins] dir`.)"],
        ),
        // Values.
        (
            "[runtime]\nworkers = 0".to_owned(),
            &[r#"2:11: `workers` must be "auto" or a number from 1 to 256, not 0"#],
        ),
        (
            "[runtime.drain]\nready_delay = 2\nwindow = \"2h\"".to_owned(),
            &[
                r#"2:15: `ready_delay` must be a duration such as "250ms", "10s" or "1m30s", not 2"#,
                "3:10: `window` must be from 0s to 1h, not 2h",
            ],
        ),
        (
            "[overload]\nenabled = 1\nmemory = \"1MiB\"\ndelay = \"5ms\"\nshare = 0\nsteps = { idle = 0.9, drain = 0.8 }"
                .to_owned(),
            &[
                "2:11: `enabled` must be true or false, not 1",
                "3:10: `memory` must be from 16MiB to 16384GiB, not 1MiB",
                "4:9: `delay` must be \"0s\" or at least 10ms, not 5ms",
                "5:9: `share` must be a number above 0 and at most 1, such as 0.85, not 0",
                "6:31: the steps must follow each other: `idle` is 0.9, `drain` is 0.8, `refuse` is 0.95 (none may be lower than the one before it)",
            ],
        ),
        (
            "[overload]\nmemory = \"half\"\nleave = 0.9".to_owned(),
            &[
                r#"2:10: `memory` must be "auto" or a size such as "2GiB", not "half""#,
                "3:9: `leave` (0.9) must be less than `idle` (0.85)",
            ],
        ),
        (
            "[log]\nlevel = \"inf\"\nformat = \"xml\"".to_owned(),
            &[
                r#"2:9: `level` cannot be "inf": did you mean "info"?"#,
                r#"3:10: `format` cannot be "xml" (it is "auto", "human" or "json")"#,
            ],
        ),
        (
            "[plugins.defaults]\nmemory = \"16 Mib\"\ndeadline = \"0s\"\nmax_effects = -1".to_owned(),
            &[
                r#"2:10: `memory` must be a size such as "256KiB", "16 MiB" or a number of bytes, not "16 Mib""#,
                "3:12: `deadline` must be from 1ms to 10s, not 0s",
                "4:15: `max_effects` must be 0 or more, not -1",
            ],
        ),
        (
            "[plugins.defaults]\nstack = \"2MiB\"\nmax_table = 10000001\nmax_host_calls = 0\nkv_bytes = \"65GiB\"\n\
             kv_keys = 1000000001\nmax_held = \"5GiB\"\nrenew_memory = \"1KiB\"\nrenew_calls = 0\nquarantine = 1001"
                .to_owned(),
            &[
                "2:9: `stack` must be from 64KiB to 1MiB, not 2MiB",
                "3:13: `max_table` must be from 0 to 10000000, not 10000001",
                "4:18: `max_host_calls` must be from 1 to 100000000, not 0",
                "5:12: `kv_bytes` must be from 0 bytes to 64GiB, not 65GiB",
                "6:11: `kv_keys` must be from 0 to 1000000000, not 1000000001",
                "7:12: `max_held` must be from 0 bytes to 4GiB, not 5GiB",
                "8:16: `renew_memory` must be from 64KiB to 4GiB, not 1KiB",
                "9:15: `renew_calls` must be from 1 to 9223372036854775807, not 0",
                "10:14: `quarantine` must be from 0 to 1000, not 1001",
            ],
        ),
        (
            "[plugins]\nmax_module = \"2GiB\"\ncompile_time = \"50ms\"\ncompile_memory = \"1MiB\"\nforget_after = \"0s\"".to_owned(),
            &[
                "2:14: `max_module` must be from 1KiB to 1GiB, not 2GiB",
                "3:16: `compile_time` must be from 100ms to 1h, not 50ms",
                "4:18: `compile_memory` must be from 64MiB to 64GiB, not 1MiB",
                "5:16: `forget_after` must be from 1s to 30days, not 0s",
            ],
        ),
        (
            "[plugins.defaults]\nmemory = 1.5\ngrants = [\"kw\", 5]\non_failure = true".to_owned(),
            &[
                r#"2:10: `memory` must be a size such as "256KiB", "16 MiB" or a number of bytes, not 1.5"#,
                r#"3:11: `grants` cannot be "kw": did you mean "kv"?"#,
                r#"3:17: `grants` cannot be 5 (it is "kv", "messaging", "groups", "timers" or "random")"#,
                r#"4:14: `on_failure` cannot be true (it is "closed", "open" or "close")"#,
            ],
        ),
        ("[plugins.defaults]\ngrants = \"kv\"".to_owned(), &["2:10: `grants` must be a list, not a string"]),
        (
            format!("{LISTENER}limits.message = \"257MiB\""),
            &["6:18: `message` must be from 1 byte to 256MiB, not 257MiB"],
        ),
        (
            format!("{LISTENER}limits.queue = 100\nlimits.fragments = 0\nlimits.accept_rate = 0"),
            &[
                "6:16: `queue` must be from 4KiB to 1GiB, not 100 bytes",
                "7:20: `fragments` must be from 1 to 1048576, not 0",
                "8:22: `accept_rate` must be from 1 to 10000000, not 0",
            ],
        ),
        (
            format!(
                "{LISTENER}heartbeat = \"frame\"\nlimits.pong_floor = \"9s\"\nlimits.degraded = \"drop\""
            ),
            &[
                "6:13: `heartbeat` = \"frame\" needs tcp with length or checked framing and kind = \"binary\", and this is websocket (WebSocket, QUIC and WebTransport ask with frames of their own; leave it \"off\")",
                "7:21: `pong_floor` must be from 1ms to 8s, not 9s",
                "8:19: `degraded` cannot be \"drop\" (it is \"keep\" or \"reconnect\")",
            ],
        ),
        (
            format!("{LISTENER}limits.idle_timeout = \"20s\""),
            &[
                "6:23: `idle_timeout` (20s) must be longer than `ping_interval` (30s) (a silent client is pinged before it is closed; 2.5 times is usual)",
            ],
        ),
        (
            format!("{LISTENER}limits.ping_interval = \"2m\""),
            &[
                "6:24: `idle_timeout` (1m 15s) must be longer than `ping_interval` (2m) (a silent client is pinged before it is closed; 2.5 times is usual)",
            ],
        ),
        (
            format!("{LISTENER}limits.messages_per_second = -1\nlimits.bytes_per_second = \"1 KB/s\""),
            &[
                "6:30: `messages_per_second` must be 0 or more, not -1",
                r#"7:27: `bytes_per_second` must be a size such as "256KiB", "16 MiB" or a number of bytes, not "1 KB/s""#,
            ],
        ),
        (
            format!("{LISTENER}limits.bytes_per_second = 1_000\nlimits.rate_policy = \"wait\""),
            &[
                "6:27: `bytes_per_second` is too little: a message of 1MiB would take 17m 28s (raise it, or lower the longest message (`max` of `framing`, or `message`))",
                r#"7:22: `rate_policy` cannot be "wait" (it is "pause", "drop" or "close")"#,
            ],
        ),
        (
            format!(
                "{LISTENER}[[listener.limits.shared]]\nattribute = \"tenant\"\n[[listener.limits.shared]]\nattribute = \"tenant\"\nmessages_per_second = 1\n[[listener.limits.shared]]\nmessages_per_second = 1"
            ),
            &[
                "6:1: a shared rate needs `messages_per_second` or `bytes_per_second`",
                r#"9:13: two shared rates are of "tenant" (the first is at 7:13)"#,
                "11:1: this shared needs `attribute` (An attribute that a plugin sets, such as \"tenant\", or one of the gateway's, such as \"weir.listener\".)",
            ],
        ),
        (
            format!("{LISTENER}limits.client_network = {{ ipv4 = 33, ipv6 = 0, ip = 1 }}"),
            &[
                "6:34: `ipv4` must be from 1 to 32, not 33",
                "6:45: `ipv6` must be from 1 to 128, not 0",
                "6:48: unknown key `ip`: did you mean `ipv4`?",
            ],
        ),
        (
            format!("{LISTENER}limits.slow_consumer = \"conflate\""),
            &[
                r#"6:24: `slow_consumer = "conflate"` needs `conflate` (such as `conflate = { pointer = "/symbol" }`)"#,
            ],
        ),
        (
            format!("{LISTENER}limits.conflate = {{ pointer = \"symbol\" }}"),
            &[
                r#"6:19: `conflate` means nothing without `slow_consumer = "conflate"`"#,
                r#"6:31: `pointer` must be like "/symbol" or "/quote/id", not "symbol" (RFC 6901: names with "/" before each, at most 16; "~1" is a "/" in a name, "~0" a "~")"#,
            ],
        ),
        (format!("{LISTENER}path = \"ws\""), &[r#"6:8: `path` must begin with "/", not "ws" (write "/ws")"#]),
        (
            format!("{LISTENER}path = \"/a?b\""),
            &[r##"6:8: `path` must be printable ASCII without spaces, "?" and "#", not "/a?b""##],
        ),
        (
            format!(
                "{LISTENER}origins = [\"chat.example\", \"*\", \"https://chat.example/\", \"https://a:443\"]"
            ),
            &[
                r#"6:12: `origins` must be like "https://chat.example" or "http://localhost:8080", not "chat.example""#,
                r#"6:28: `origins` cannot be "*": any page could then use its visitors' cookies (list the origins)"#,
                r#"6:33: `origins` must be like "https://chat.example" or "http://localhost:8080", not "https://chat.example/" (an origin has no path, no user and no wildcard)"#,
                r#"6:58: `origins` must be like "https://chat.example" or "http://localhost:8080", not "https://a:443" (browsers leave out the scheme's own port)"#,
            ],
        ),
        (
            format!("{LISTENER}subprotocols = [\"a b\", \"mqtt\", \"mqtt\"]"),
            &[
                r#"6:17: `subprotocols` must be tokens such as "mqtt" or "v1.chat", not "a b""#,
                r#"6:32: the subprotocol "mqtt" is there twice (the first is at 6:24)"#,
            ],
        ),
        (
            format!("{LISTENER}join = [\"group:a\", \"\"]"),
            &[
                r#"6:9: `join` names "group:a" (a group is named without "group:" here)"#,
                "6:20: `join`: a group's name has 1 to 256 bytes, not 0",
            ],
        ),
        (
            LISTENER.replace("\"l\"", "\"a b\""),
            &[r#"2:8: `name` must be 1 to 64 of A-Z a-z 0-9 . _ -, not "a b""#],
        ),
        (
            LISTENER.replace("127.0.0.1:1", "localhost:1"),
            &[
                r#"3:8: `bind` must be an address with a port such as "127.0.0.1:7000", not "localhost:1" (write "127.0.0.1:1" or "[::1]:1")"#,
            ],
        ),
        (
            LISTENER.replace("127.0.0.1:1", ":7000"),
            &[
                r#"3:8: `bind` must be an address with a port such as "127.0.0.1:7000", not ":7000" (an empty host is not all addresses: write "0.0.0.0:7000" or "[::]:7000")"#,
            ],
        ),
        (
            LISTENER.replace("127.0.0.1:1", "127.0.0.1"),
            &[
                r#"3:8: `bind` must be an address with a port such as "127.0.0.1:7000", not "127.0.0.1" (the port is missing)"#,
            ],
        ),
        (
            LISTENER.replace("127.0.0.1:1", "127.0.0.1:70000"),
            &[
                r#"3:8: `bind` must be an address with a port such as "127.0.0.1:7000", not "127.0.0.1:70000""#,
            ],
        ),
        (
            LISTENER.replace("websocket", "websockets"),
            &[r#"4:12: `protocol` cannot be "websockets": did you mean "websocket"?"#],
        ),
        (LISTENER.replace("echo", "group:"), &["5:9: `route`: a group's name has 1 to 256 bytes, not 0"]),
        // Addresses and TLS.
        (
            "[admin]\nbind = \"0.0.0.0:7900\"".to_owned(),
            &[
                r#"2:8: `bind = "0.0.0.0:7900"` is off loopback: the admin API then needs `token_file` (it shows what runs here to whoever asks; or bind it to 127.0.0.1)"#,
            ],
        ),
        (
            "[admin]\nbind = \"unix:\"".to_owned(),
            &[r#"2:8: `bind` needs a path after "unix:", such as "unix:/run/weir/admin.sock""#],
        ),
        (format!("{LISTENER}tls = {{ cert = \"c.pem\" }}"), &["6:7: `tls` needs `key` (The private key.)"]),
        (
            LISTENER.replace("websocket", "quic").replace("127.0.0.1", "0.0.0.0"),
            &[
                "1:1: a quic listener off loopback needs `tls` with `cert` and `key` (on loopback a self-signed certificate is made at start)",
            ],
        ),
        (
            LISTENER.replace("websocket", "webtransport").replace("127.0.0.1", "0.0.0.0"),
            &[
                "1:1: a webtransport listener off loopback needs `tls` with `cert` and `key` (on loopback a self-signed certificate is made at start)",
            ],
        ),
        (
            format!("{LISTENER}{}", LISTENER.replace("\"l\"", "\"m\"")).replace("websocket", "webtransport"),
            &["8:8: 127.0.0.1:1 over udp is taken already (the first is at 3:8)"],
        ),
        (
            LISTENER.replace("websocket", "webtransport")
                + "subprotocols = [\"v1\"]\ncompression = \"permessage-deflate\"\nframing = { type = \"line\", max = 1 }\npath = \"wt\"\nlimits.fragments = 1",
            &[
                "6:16: `subprotocols` belongs to websocket listeners; this one is webtransport",
                "7:15: `compression` belongs to websocket listeners; this one is webtransport",
                "8:11: `framing` belongs to tcp listeners; this one is webtransport",
                "9:8: `path` must begin with \"/\", not \"wt\" (write \"/wt\")",
                "10:20: `fragments` belongs to websocket listeners; this one is webtransport",
            ],
        ),
        (
            LISTENER.replace("127.0.0.1:1", "127.0.0.1:7900") + "[admin]\nbind = \"127.0.0.1:7900\"",
            &["3:8: 127.0.0.1:7900 over tcp is taken already (the first is at 7:8)"],
        ),
        // Framings.
        (
            format!("{TCP}framing = {{ type = \"length\", max = 1 }}"),
            &[r#"6:11: framing of type "length" needs `prefix`, such as "u32be""#],
        ),
        (
            format!("{TCP}framing = {{ type = \"length\", prefix = \"u32\", max = 1 }}"),
            &[r#"6:39: `prefix` cannot be "u32": did you mean "u32be"?"#],
        ),
        (
            format!("{TCP}framing = {{ type = \"length\", prefix = \"u8\", max = \"1KiB\" }}"),
            &["6:51: `max` must be 255 at most with a u8 prefix, not 1KiB"],
        ),
        (
            format!("{TCP}framing = {{ type = \"line\" }}"),
            &[
                "6:11: `framing` needs `max` (The most bytes of a message, at most 256 MiB; more closes the session with 1009.)",
            ],
        ),
        (
            format!("{TCP}framing = {{ type = \"line\", prefix = \"u8\", max = \"512MiB\" }}"),
            &[
                r#"6:37: `prefix` belongs to framing of type "length"; this one is "line""#,
                "6:49: `max` must be from 1 byte to 256MiB, not 512MiB",
            ],
        ),
        (
            format!("{TCP}framing = {{ type = \"delimiter\", max = 1 }}"),
            &[r#"6:11: framing of type "delimiter" needs `delimiter`, such as "\r\n""#],
        ),
        (
            format!("{TCP}framing = {{ type = \"delimiter\", delimiter = \"\", max = 1 }}"),
            &["6:45: `delimiter` must be 1 to 64 bytes, not 0"],
        ),
        (
            format!("{TCP}framing = {{ type = \"raw\", max = 1 }}"),
            &["6:33: `max` must be 4 bytes at least with raw framing, not 1 byte"],
        ),
        (format!("{TCP}framing = \"line\""), &["6:11: `framing` must be a table, not a string"]),
        // What belongs elsewhere.
        (
            format!("{TCP}compression = \"permessage-deflate\""),
            &["6:15: `compression` belongs to websocket listeners; this one is tcp"],
        ),
        (
            format!("{TCP}path = \"/\"\norigins = []\nlimits.message = 5\nlimits.fragments = 5"),
            &[
                "6:8: `path` belongs to websocket and webtransport listeners; this one is tcp",
                "7:11: `origins` belongs to websocket and webtransport listeners; this one is tcp",
                "8:18: `message` belongs to websocket, quic and webtransport listeners (over tcp it is `max` of `framing`); this one is tcp",
                "9:20: `fragments` belongs to websocket listeners; this one is tcp",
            ],
        ),
        (
            format!("{LISTENER}framing = {{ type = \"line\", max = 1 }}\nkind = \"text\""),
            &[
                "6:11: `framing` belongs to tcp listeners; this one is websocket",
                "7:8: `kind` belongs to tcp, quic and webtransport listeners (WebSocket frames say it themselves); this one is websocket",
            ],
        ),
        (
            format!("{CLUSTER}path = \"/\"\nhost = \"a\"\nmessage = 5"),
            &[
                "5:8: `path` belongs to websocket clusters; this one is tcp",
                "6:8: `host` belongs to websocket clusters; this one is tcp",
                "7:11: `message` belongs to websocket clusters (over tcp it is `max` of `framing`); this one is tcp",
            ],
        ),
        // What names something else.
        (
            format!("{LISTENER}chain = [\"wordfiltr\"]\n[[plugin]]\nmodule = \"wordfilter.wasm\""),
            &[
                r#"6:10: `chain` names "wordfiltr", and no [[plugin]] is called that: did you mean "wordfilter"?"#,
            ],
        ),
        (
            format!("{LISTENER}chain = [\"x\"]"),
            &[
                r#"6:10: `chain` names "x", and no [[plugin]] is called that (add [[plugin]] with module = "x.wasm", or write chain = "auto")"#,
            ],
        ),
        (
            format!("{LISTENER}chain = [\"a\", \"a\"]\n[[plugin]]\nmodule = \"a.wasm\""),
            &[r#"6:15: `chain` names "a" twice (the first is at 6:10)"#],
        ),
        (
            format!("{LISTENER}chain = \"all\""),
            &[r#"6:9: `chain` must be "auto" or a list of bindings, not "all""#],
        ),
        (format!("{LISTENER}chain = 5"), &[r#"6:9: `chain` must be "auto" or a list of bindings, not 5"#]),
        (
            LISTENER.replace("echo", "bakend") + &CLUSTER.replace("\"c\"", "\"backend\""),
            &[r#"5:9: `route` names "bakend", and no [[cluster]] is called that: did you mean "backend"?"#],
        ),
        (
            LISTENER.replace("echo", "zzz"),
            &[
                r#"5:9: `route` names "zzz", and no [[cluster]] is called that (a route is a cluster's name, "group:NAME", "echo" or "drop")"#,
            ],
        ),
        // What must differ.
        (
            format!("{LISTENER}{}", LISTENER.replace("127.0.0.1:1", "127.0.0.1:2")),
            &[r#"7:8: two listeners are called "l" (the first is at 2:8)"#],
        ),
        (
            format!("{LISTENER}{}", TCP.replace("\"l\"", "\"m\"")),
            &["8:8: 127.0.0.1:1 over tcp is taken already (the first is at 3:8)"],
        ),
        (format!("{CLUSTER}{CLUSTER}"), &[r#"6:8: two clusters are called "c" (the first is at 2:8)"#]),
        (
            "[[plugin]]\nmodule = \"a.wasm\"\n[[plugin]]\nname = \"a\"\nmodule = \"b.wasm\"".to_owned(),
            &[r#"4:8: two plugins are called "a" (the first is at 2:10)"#],
        ),
        (
            "[[plugin]]\nmodule = \"a.wasm\"\nwhen = { min_size = 10, max_size = 5, listener = [], prefix = \"\" }".to_owned(),
            &[
                "3:21: `min_size` is 10 bytes and `max_size` 5 bytes: no message is like that",
                "3:50: `listener` is empty: no message is of such a session; leave it out",
                "3:63: `prefix` has 1 to 1024 bytes, not 0",
            ],
        ),
        (
            "[[plugin]]\nmodule = \"a.wasm\"\nwhen = { kind = \"txt\", attribute = { tier = 1 }, json = { type = \"a\", \"/b\" = [1] }, siz = 1 }".to_owned(),
            &[
                r#"3:17: `kind` cannot be "txt": did you mean "text"?"#,
                r#"3:36: the attribute "tier" must be compared with a text, not 1 (such as `attribute = { "weir.path" = "/chat" }`)"#,
                r#"3:57: what `json` has at "/b" must be a text, a number or a truth (such as `json = { "/type" = "chat" }`)"#,
                r#"3:57: a pointer of `json` must be like "/symbol" or "/quote/id", not "type" (RFC 6901: names with "/" before each, at most 16; "~1" is a "/" in a name, "~0" a "~")"#,
                "3:85: unknown key `siz` (`when` knows `attribute`, `direction`, `json`, `kind`, `listener`, `max_size`, `min_size`, `prefix`)",
            ],
        ),
        (
            format!("{LISTENER}[[plugin]]\nmodule = \"a.wasm\"\nwhen.listener = [\"ab\", \"chat\"]"),
            &[r#"8:18: `when` names a listener "ab", and there is none (name one of the listeners of the file, or leave `listener` out)"#,
              r#"8:24: `when` names a listener "chat", and there is none (name one of the listeners of the file, or leave `listener` out)"#],
        ),
        // Plugins and clusters.
        (
            "[[plugin]]\nmodule = \"a b.wasm\"\nconfig = [1]".to_owned(),
            &[
                r#"2:10: `name` must be 1 to 64 of A-Z a-z 0-9 . _ -, not "a b""#,
                "3:10: `config` must be a table, not a list",
            ],
        ),
        (
            "[[plugin]]\nmodule = \"a.wat\"\nconfig = { x = nan }".to_owned(),
            &[
                r#"2:10: `module` must be a file that ends in ".wasm", not "a.wat""#,
                "3:10: `config` must be what JSON can say, not inf or nan",
            ],
        ),
        (
            CLUSTER.replace("\"c\"", "\"echo\""),
            &[r#"2:8: a cluster cannot be called "echo": `route = "echo"` means something else"#],
        ),
        (
            CLUSTER.replace("[\"127.0.0.1:1\"]", "[]"),
            &["4:13: `endpoints` is empty: a cluster needs at least one"],
        ),
        (
            CLUSTER
                .replace("\"127.0.0.1:1\"", "\"ws://a:1/x\", \"a\", \"a:0\", \"1.2.3:4\", \"b:1\", \"B:1\""),
            &[
                r#"4:14: `endpoints` must be like "127.0.0.1:9001" or "backend.example:9001", not "ws://a:1/x" (the cluster's `protocol` and `path` say the rest: write "a:1")"#,
                r#"4:28: `endpoints` must be like "127.0.0.1:9001" or "backend.example:9001", not "a""#,
                r#"4:33: `endpoints` must be like "127.0.0.1:9001" or "backend.example:9001", not "a:0""#,
                r#"4:40: `endpoints` must be like "127.0.0.1:9001" or "backend.example:9001", not "1.2.3:4""#,
                r#"4:58: the endpoint "b:1" is there twice (the first is at 4:51)"#,
            ],
        ),
        (
            format!("{CLUSTER}tls = {{ insecure = true, server_name = \"a/b\" }}\nconnect_timeout = \"1h\""),
            &[
                "5:9: unknown key `insecure` (`tls` knows `ca`, `server_name`)",
                r#"5:40: `server_name` must be a DNS name or an IP address, not "a/b""#,
                "6:19: `connect_timeout` must be from 1ms to 10m, not 1h",
            ],
        ),
        ("x = = 1".to_owned(), &["1:5: not TOML: extra `=`, expected nothing"]),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"".to_owned(), &["3:1: not TOML: duplicate key"]),
    ];
    let mut wrong = String::new();
    for (text, told) in cases {
        let found = errors(text).replace("weir.toml:", "");
        if found != told.join("\n") {
            writeln!(wrong, "---\n{text}\n=>\n{found}").expect("a string takes all");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn quic_and_tcp_do_not_share_their_ports() {
    crate::good(&format!("{LISTENER}{}", LISTENER.replace("\"l\"", "\"m\"").replace("websocket", "quic")));
}

#[test]
fn the_report_shows_the_lines_and_a_caret() {
    let second = LISTENER.replace("127.0.0.1:1", "127.0.0.1:2");
    let (directory, loaded) = load_files(&[("weir.toml", &format!("{LISTENER}{second}"))]);
    let report = loaded.expect_err("the file is wrong").report(false);
    let report = report.replace(&format!("{}/", directory.path().display()), "");
    let lines: Vec<&str> = report.lines().map(str::trim_end).collect();
    assert_eq!(
        lines.join("\n"),
        r#"  × two listeners are called "l"
   ╭─[weir.toml:2:8]
 1 │ [[listener]]
 2 │ name = "l"
   ·        ─┬─
   ·         ╰── first here
 3 │ bind = "127.0.0.1:1"
   ╰────
   ╭─[weir.toml:7:8]
 6 │ [[listener]]
 7 │ name = "l"
   ·        ─┬─
   ·         ╰── again here
 8 │ bind = "127.0.0.1:2"
   ╰────
  help: the first is at weir.toml:2:8"#
    );
}
