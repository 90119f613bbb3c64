//! Whose plugin files are taken: signatures and digests.

use minisign::KeyPair;
use std::fs;
use std::io::Cursor;
use weir_tests::client::{Client, u32be};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, wait_for};

const LISTENER: &str = r#"
admin = { bind = "127.0.0.1:0" }

[[listener]]
name = "echo"
bind = "127.0.0.1:0"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "1MiB" }
chain = "auto"
route = "echo"
"#;

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().expect("a key")
}

fn sign(key: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &key.sk, Cursor::new(bytes), None, None).expect("a signature").into_string()
}

fn signed_by(key: &KeyPair) -> String {
    format!("{LISTENER}\n[plugins]\nsigned_by = [\"{}\"]\n", key.pk.to_base64())
}

/// Waits until what was offered last is refused for this reason, while the first version serves.
fn refused(gateway: &Gateway, why: &str) {
    wait_for(why, || {
        let status = gateway.binding("s").unwrap_or_default();
        status["state"] == "refused" && status["reason"].as_str().is_some_and(|reason| reason.contains(why))
    });
}

async fn says(client: &mut Client) -> String {
    client.send(b"x").await.expect("sent");
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_files_that_are_signed_by_one_who_may_get_traffic() {
    let (ours, others) = (key(), key());
    let config = signed_by(&ours);
    let first = stamp::version(1);
    let gateway = Gateway::prepare(&config, &[])
        .with(|dir| {
            fs::write(dir.join("plugins/s.wasm.minisig"), sign(&ours, &first)).expect("a signature");
            fs::write(dir.join("plugins/s.wasm"), &first).expect("a plugin");
        })
        .start();
    let mut client = Client::tcp(gateway.address("echo"), u32be()).await.expect("a session");
    assert_eq!(says(&mut client).await, "x<1>1");

    let second = stamp::version(2);
    Swap::Rename.apply(&gateway, "s.wasm", &second);
    refused(&gateway, "the signature is not of these bytes");
    assert_eq!(says(&mut client).await, "x<1>1", "the signed one serves on");

    let signature = gateway.plugin_path("s.wasm.minisig");
    fs::write(&signature, sign(&others, &second)).expect("a signature");
    refused(&gateway, "signed_by does not list");
    fs::remove_file(&signature).expect("it is there");
    refused(&gateway, "it is not signed, and plugins.signed_by asks for it");
    fs::write(&signature, "lost in transit").expect("a file");
    refused(&gateway, "damaged, or was not made by minisign");
    assert_eq!(says(&mut client).await, "x<1>1", "the signed one serves on");

    // The file is there already; its signature is what was missing.
    fs::write(&signature, sign(&ours, &second)).expect("a signature");
    wait_for("the second version", || gateway.binding("s").is_some_and(|status| status["state"] == "active"));
    wait_for("the chain", || gateway.plugins()["chains"][0]["chain"][0]["generation"] == 2);
    assert_eq!(says(&mut client).await, "x<2>2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_that_names_a_digest_takes_that_file_alone() {
    let gateway = Gateway::prepare(LISTENER, &[])
        .with(|dir| fs::write(dir.join("plugins/s.wasm"), stamp::version(1)).expect("a plugin"))
        .start();
    let offered =
        || gateway.binding("s").expect("a binding")["offered"].as_str().expect("a digest").to_owned();
    let take_only = |digest: &str| {
        fs::write(gateway.plugin_path("s.toml"), format!("sha256 = \"{digest}\"\n")).expect("settings");
    };
    let served = |generation: u64| {
        wait_for("the chain", || gateway.plugins()["chains"][0]["chain"][0]["generation"] == generation);
    };
    let mut client = Client::tcp(gateway.address("echo"), u32be()).await.expect("a session");
    let first = offered();
    take_only(&first);
    served(2);
    Swap::Rename.apply(&gateway, "s.wasm", &stamp::version(2));
    refused(&gateway, &format!("the binding takes {first} alone"));
    assert_eq!(says(&mut client).await, "x<1>1", "the one that is named serves on");
    take_only(&offered());
    served(3);
    assert_eq!(says(&mut client).await, "x<2>2");
}
