//! Sessions that tell the guest program `remote` what to do.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::{Gateway, artifact, stamp};

const GRANTS: &str = "grants = [\"messaging\", \"groups\", \"kv\", \"timers\", \"random\"]";

/// A gateway with two workers whose listeners all echo. Each is a name and its chain; `ws…` speak WebSocket (`ws.PATH` at `/PATH`),
/// `quic…` QUIC, all others u32be frames. A binding is named `KIND` or `KIND-MODE`: of the guests `remote` and `stamp`, `MODE` being
/// its `on_failure` or its mark. With an upstream there is a cluster `back`.
pub(crate) fn gateway(listeners: &[(&str, &[&str])], upstream: Option<SocketAddr>) -> Gateway {
    let mut toml = String::from(
        "admin = { bind = \"127.0.0.1:0\" }\nruntime = { workers = 2 }\nplugins.defaults.deadline = \"5s\"\n",
    );
    let mut bindings: Vec<&str> = listeners.iter().flat_map(|(_, chain)| chain.iter().copied()).collect();
    bindings.sort_unstable();
    bindings.dedup();
    let framing = "framing = { type = \"length\", prefix = \"u32be\", max = \"1MiB\" }";
    for binding in bindings {
        let (guest, mode) = binding.split_once('-').unwrap_or((binding, ""));
        let _ = writeln!(toml, "[[plugin]]\nname = \"{binding}\"\nmodule = \"{guest}.wasm\"");
        let _ = match (guest, mode) {
            ("stamp", mark) => writeln!(toml, "config = {{ mark = \"{mark}\", show = \"color\" }}"),
            (_, "") => writeln!(toml, "{GRANTS}"),
            (_, fate) => writeln!(toml, "{GRANTS}\non_failure = \"{fate}\""),
        };
    }
    for (name, chain) in listeners {
        let keys = match name {
            name if name.starts_with("ws") => {
                let path = name.split_once('.').map_or("", |(_, path)| path);
                format!("protocol = \"websocket\"\npath = \"/{path}\"")
            }
            name if name.starts_with("quic") => "protocol = \"quic\"\nkind = \"text\"".to_owned(),
            _ => format!("protocol = \"tcp\"\nkind = \"text\"\n{framing}"),
        };
        let _ = writeln!(
            toml,
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\nchain = {chain:?}\n{keys}"
        );
    }
    if let Some(upstream) = upstream {
        let _ = writeln!(
            toml,
            "[[cluster]]\nname = \"back\"\nprotocol = \"tcp\"\n{framing}\nendpoints = [\"{upstream}\"]"
        );
    }
    let stamp =
        |dir: &std::path::Path| fs::write(dir.join("plugins/stamp.wasm"), stamp::version(1)).expect("a file");
    Gateway::prepare(&toml, &[("remote.wasm", artifact::guest("remote"))]).with(stamp).start()
}

/// A session and what is known of it.
pub(crate) struct Remote {
    pub(crate) client: Client,
    pub(crate) id: u64,
    /// Messages sent, which is the sequence of the last one.
    pub(crate) sent: u64,
}

impl Remote {
    pub(crate) async fn connect(gateway: &Gateway, listener: &str) -> Self {
        let address = gateway.address(listener);
        let client = match listener {
            name if name.starts_with("ws") => {
                let path = name.split_once('.').map_or("", |(_, path)| path);
                Client::websocket(address, &format!("/{path}")).await
            }
            name if name.starts_with("quic") => Client::quic(address).await,
            _ => Client::tcp(address, u32be()).await,
        };
        let mut session = Self { client: client.expect("a session"), id: 0, sent: 0 };
        session.id = session.ask("id").await.split('<').next().and_then(|id| id.parse().ok()).expect("an id");
        session
    }

    /// Sessions of one worker each.
    pub(crate) async fn on_both_workers(gateway: &Gateway, listener: &str) -> [Self; 2] {
        let first = Self::connect(gateway, listener).await;
        loop {
            let second = Self::connect(gateway, listener).await;
            if second.worker() != first.worker() {
                return [first, second];
            }
            second.client.close().await.expect("closed");
        }
    }

    pub(crate) fn worker(&self) -> u8 {
        (self.id >> 24) as u8
    }

    pub(crate) async fn say(&mut self, command: &str) {
        self.sent += 1;
        self.client.send(command.as_bytes()).await.expect("sent");
    }

    pub(crate) async fn hear(&mut self) -> String {
        String::from_utf8(self.client.message().await.expect("a message").to_vec()).expect("text")
    }

    pub(crate) async fn ask(&mut self, command: &str) -> String {
        self.say(command).await;
        self.hear().await
    }

    /// The code with which the session ends now.
    pub(crate) async fn end(&mut self) -> u16 {
        match self.client.next().await.expect("an end") {
            Got::End(code) => code,
            Got::Message(payload) => panic!("{payload:?} instead of an end"),
        }
    }
}
