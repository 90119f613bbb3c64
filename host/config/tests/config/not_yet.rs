//! What the reference knows and this version does not have.

use crate::{CLUSTER, LISTENER, TCP, errors, good};

#[test]
fn each_says_that_it_is_not_available() {
    let later = "is not available in this version of Weir";
    for (text, told) in [
        (
            format!("{TCP}proxy_protocol = \"v1v2\""),
            format!("weir.toml:6:18: `proxy_protocol = \"v1v2\"` {later}; leave it \"off\""),
        ),
        (
            format!("{CLUSTER}sessions = \"shared\""),
            format!("weir.toml:5:12: `sessions = \"shared\"` {later}; leave it \"dedicated\""),
        ),
        (
            format!("{CLUSTER}balance = \"maglev\""),
            format!(
                "weir.toml:5:11: `balance = \"maglev\"` {later}; use \"p2c\", \"round-robin\" or \"least-connections\""
            ),
        ),
        (
            "[plugins.defaults]\ngrants = [\"kv\", \"wasi\"]".to_owned(),
            format!("weir.toml:2:17: `grants = \"wasi\"` {later}; leave it out"),
        ),
        (
            "[[plugin]]\nmodule = \"a.wasm\"\ngrants = [\"wasi\"]".to_owned(),
            format!("weir.toml:3:11: `grants = \"wasi\"` {later}; leave it out"),
        ),
    ] {
        assert_eq!(errors(&text), told, "{text}");
    }
}

#[test]
fn their_defaults_are_accepted() {
    good(&format!(
        "{LISTENER}proxy_protocol = \"off\"\n\
         limits = {{ messages_per_second = 0, bytes_per_second = 0, slow_consumer = \"close\" }}\n\
         {CLUSTER}sessions = \"dedicated\"\nbalance = \"p2c\""
    ));
}
