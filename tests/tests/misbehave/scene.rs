//! A gateway with one plugin and one listener, and what tests ask of it.

use std::io::Write as _;
use std::path::PathBuf;
use weir_tests::client::{Client, u32be};
use weir_tests::{Gateway, artifact};

/// Prints a row's figure, past the capture of the test harness: it is what the run is for.
pub(crate) fn figure(row: &str, figure: &str) {
    let _ = writeln!(std::io::stdout().lock(), "attack: {row}: {figure}");
}

/// The second number in the long form, `make attacks`, else the first.
pub(crate) fn scaled<T>(short: T, long: T) -> T {
    if std::env::var_os("WEIR_ATTACKS").is_some_and(|form| form == "long") { long } else { short }
}

/// The configuration of a gateway whose listener `tcp` has the plugin `p.wasm`, with these keys of the binding.
pub(crate) fn config(workers: usize, more: &str, keys: &str) -> String {
    format!(
        "{more}\nadmin.bind = \"127.0.0.1:0\"\nruntime.workers = {workers}\n[[plugin]]\nname = \"p\"\nmodule = \"p.wasm\"\n\
         grants = [\"messaging\", \"groups\", \"kv\", \"timers\", \"random\"]\n{keys}\n\
         [[listener]]\nname = \"tcp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nchain = [\"p\"]\nroute = \"echo\"\n"
    )
}

/// Starts it with this guest.
pub(crate) fn gateway(guest: &str, workers: usize, keys: &str) -> Gateway {
    let file: PathBuf = artifact::guest(guest);
    Gateway::start(&config(workers, "", keys), &[("p.wasm", file)])
}

pub(crate) async fn client(gateway: &Gateway) -> Client {
    Client::tcp(gateway.address("tcp"), u32be()).await.expect("a session")
}

/// Sends a message and gets what comes back.
pub(crate) async fn ask(client: &mut Client, text: &str) -> String {
    client.send(text.as_bytes()).await.expect("sent");
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}
