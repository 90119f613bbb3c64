//! What is meant when nothing is written.

use crate::{CLUSTER, LISTENER, TCP, good};
use serde_json::Value;
use std::path::{Path, PathBuf};
use weir_config::{ChainSpec, Config, Framing, Prefix, Protocol, load, schema};
use weir_core::{ClientNetwork, Rate, RatePolicy, SharedRate, SlowConsumer};

/// The file of the reference page, and a file that leaves out everything that has a default.
#[test]
fn the_reference_file_shows_the_defaults() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc");
    let mut reference =
        load(&directory.join("reference.toml")).unwrap_or_else(|errors| panic!("{}", errors.report(false)));
    let mut short = good(
        r#"
        [[plugin]]
        module = "wordfilter.wasm"
        config = { words = ["spam"] }
        on_failure = "open"

        [[listener]]
        name = "devices"
        bind = "0.0.0.0:7000"
        protocol = "tcp"
        chain = ["wordfilter"]
        route = "backend"

        [[listener]]
        name = "chat"
        bind = "0.0.0.0:7001"
        protocol = "websocket"
        path = "/ws"
        origins = ["https://chat.example"]
        tls = { cert = "cert.pem", key = "key.pem", client_ca = "ca.pem" }
        route = "group:lobby"

        [[cluster]]
        name = "backend"
        protocol = "tcp"
        endpoints = ["127.0.0.1:9001", "127.0.0.1:9002"]
        "#,
    );
    assert!(short.plugins.dir_is_default && !reference.plugins.dir_is_default);
    for config in [&mut reference, &mut short] {
        forget_directories(config);
    }
    assert_eq!(format!("{reference:#?}"), format!("{short:#?}"));
}

fn forget_directories(config: &mut Config) {
    config.plugins.dir = PathBuf::new();
    config.plugins.dir_is_default = true;
    for path in config.bindings.iter_mut().map(|binding| &mut binding.module) {
        *path = path.file_name().expect("it is a file").into();
    }
    for tls in config.listeners.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
        for path in [Some(&mut tls.cert), Some(&mut tls.key), tls.client_ca.as_mut()].into_iter().flatten() {
            *path = path.file_name().expect("it is a file").into();
        }
    }
}

/// The schema says the defaults that the code has.
#[test]
fn the_defaults_of_the_schema_are_those_of_the_code() {
    let schema = schema();
    let of = |schema: &Value, without: &[&str]| -> String {
        let keys = schema["properties"].as_object().expect("a table has keys");
        let written = keys
            .iter()
            .filter(|(key, schema)| !schema["default"].is_null() && !without.contains(&key.as_str()));
        written
            .map(|(key, schema)| match &schema["default"] {
                Value::Object(_) => format!("{key} = {{}}\n"),
                plain => format!("{key} = {plain}\n"),
            })
            .collect()
    };
    let sections = &schema["properties"];
    let single = ["runtime", "overload", "admin", "log", "plugins"]
        .map(|name| format!("[{name}]\n{}", of(&sections[name], &["dir"])))
        .concat();
    let drain = of(&sections["runtime"]["properties"]["drain"], &[]);
    let steps = of(&sections["overload"]["properties"]["steps"], &[]);
    let defaults = of(&sections["plugins"]["properties"]["defaults"], &[]);
    let listener = &sections["listener"]["items"];
    let limits = &listener["properties"]["limits"];
    let cluster = &sections["cluster"]["items"];
    for (listener_text, not_listener, not_limits, not_cluster) in [
        (LISTENER, &["kind"][..], &[][..], &["path", "message"][..]),
        (
            TCP,
            &["path", "origins", "subprotocols"],
            &["message", "fragments", "upgrade_timeout"],
            &["path", "message"],
        ),
    ] {
        let text = format!(
            "{single}[runtime.drain]\n{drain}[overload.steps]\n{steps}[plugins.defaults]\n{defaults}{listener_text}{}[listener.limits]\n{}{CLUSTER}{}",
            of(listener, not_listener),
            of(limits, not_limits),
            of(cluster, not_cluster),
        );
        let (mut written, mut short) = (good(&text), good(&format!("{listener_text}{CLUSTER}")));
        forget_directories(&mut written);
        forget_directories(&mut short);
        assert_eq!(format!("{written:#?}"), format!("{short:#?}"), "{text}");
    }
}

#[test]
fn tcp_without_framing_is_that_of_zero_configuration() {
    let config = good(TCP);
    let Protocol::Tcp { framing, .. } = &config.listeners[0].protocol else { panic!("it is tcp") };
    assert_eq!(*framing, Framing::Length { prefix: Prefix::U32Be, max: 1 << 20 });
    let Protocol::Tcp { framing: zero, .. } = &Config::zero().listeners[0].protocol else {
        panic!("it is tcp")
    };
    assert_eq!(framing, zero);
}

#[test]
fn over_tcp_the_framing_bounds_messages() {
    let config = good(&format!("{TCP}framing = {{ type = \"line\", max = \"4 KiB\" }}"));
    assert_eq!(config.listeners[0].limits.message, 4096);
}

#[test]
fn rates_and_what_messages_are_about_are_read() {
    let config = good(&format!(
        "{LISTENER}[listener.limits]\nmessages_per_second = 50\nbytes_per_second = \"64KiB\"\nrate_policy = \"drop\"\n\
         slow_consumer = \"conflate\"\nconflate = {{ pointer = \"/a~1b/0\" }}\n\
         connections_per_client = 20\nclient_network = {{ ipv4 = 24 }}\n\
         [[listener.limits.shared]]\nattribute = \"tenant\"\nmessages_per_second = 500\n"
    ));
    let listener = &config.listeners[0];
    let limits = &listener.limits;
    assert_eq!(limits.rate, Rate { messages: 50, bytes: 65_536 });
    assert_eq!(limits.rate_policy, RatePolicy::Drop);
    let shared = SharedRate { attribute: "tenant".into(), rate: Rate { messages: 500, bytes: 0 } };
    assert_eq!(*limits.shared_rates, [shared]);
    assert_eq!(limits.slow_consumer, SlowConsumer::Conflate);
    assert_eq!(listener.conflate.as_ref().expect("it is there").tokens(), ["a/b", "0"]);
    assert_eq!(
        (limits.connections_per_client, limits.client_network),
        (20, ClientNetwork { ipv4: 24, ipv6: 64 })
    );
}

#[test]
fn sizes_are_read_in_all_their_forms() {
    for (written, bytes) in [
        ("4096", 4096),
        ("\"1MiB\"", 1 << 20),
        ("\"16 MiB\"", 16 << 20),
        ("\"10kB\"", 10_000),
        ("\"1MB\"", 1_000_000),
        ("\"65_536\"", 65_536),
        ("\"65536B\"", 65_536),
    ] {
        let config = good(&format!("{LISTENER}limits.message = {written}"));
        assert_eq!(config.listeners[0].limits.message, bytes, "{written}");
    }
}

#[test]
fn an_empty_file_is_a_configuration_without_listeners() {
    let config = good("");
    assert!(config.listeners.is_empty() && config.plugins.dir_is_default);
}

#[test]
fn zero_configuration_listens_on_loopback_alone() {
    let config = Config::zero();
    assert!(config.listeners.iter().all(|listener| listener.bind.ip().is_loopback()));
    assert!(config.listeners.iter().all(|listener| listener.chain == ChainSpec::Auto));
}
