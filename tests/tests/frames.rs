//! A plugin that fails is told with the functions that it was in; and where its file says so, with their places in the sources.

use std::fs;
use weir_tests::client::{Client, u32be};
use weir_tests::command::weir;
use weir_tests::{Gateway, artifact};

const SOURCE: &str = r#"use weir_sdk::{Message, Verdict, plugin};

#[inline(never)]
fn price(basket: &[u8], at: usize) -> u8 {
    basket[at] // the place that fails
}

#[inline(always)]
fn first_after(basket: &[u8]) -> u8 {
    price(basket, basket.len()) // the place that is inlined
}

/// Reads past the end.
#[plugin]
pub fn verdict(message: &Message) -> Verdict {
    if first_after(message.payload()) == 7 { Verdict::drop("seven") } else { Verdict::forward() }
}
"#;

fn line_of(text: &str) -> usize {
    SOURCE.lines().position(|line| line.contains(text)).expect("it is there") + 1
}

/// What the gateway says of the failure, of a plugin that is built with this in the place of the scaffold's `strip`.
async fn told(strip: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(weir(dir.path(), &["plugin", "new", "basket"]).code, 0);
    fs::copy(artifact::root().join("plugins/Cargo.lock"), dir.path().join("basket/Cargo.lock")).unwrap();
    fs::write(dir.path().join("basket/src/lib.rs"), SOURCE).unwrap();
    let manifest = dir.path().join("basket/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.contains("strip = \"debuginfo\""));
    fs::write(&manifest, text.replace("strip = \"debuginfo\"", strip)).unwrap();
    let config = "admin = { bind = \"127.0.0.1:0\" }\n[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\n";
    let gateway = Gateway::start(config, &[]);
    let plugins = gateway.dir().join("plugins").display().to_string();
    let done = weir(dir.path(), &["plugin", "build", "basket", "--out", &plugins]);
    assert_eq!(done.code, 0, "{}", done.err);
    weir_tests::wait_for("it to serve", || {
        gateway.binding("basket").is_some_and(|binding| binding["serving"]["generation"] == 1)
    });
    let mut client = Client::tcp(gateway.address("l"), u32be()).await.unwrap();
    client.send(b"x").await.unwrap();
    let line = gateway.wait_for_log("the failure", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("plugin failed"))
    });
    line["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_told_with_functions_and_with_lines_where_there_are_any() {
    let told_plain = told("strip = \"debuginfo\"").await;
    assert!(told_plain.contains(" in basket::price @0x"), "{told_plain}");
    assert!(!told_plain.contains("lib.rs"), "{told_plain}");
    let told = told("debug = \"line-tables-only\"\nstrip = \"none\"").await;
    println!("{told_plain}\n{told}");
    let failed = format!("basket/src/lib.rs:{}", line_of("the place that fails"));
    assert!(told.contains(" in basket::price @0x") && told.contains(&failed), "{told}");
    let inlined = format!("basket/src/lib.rs:{}", line_of("the place that is inlined"));
    assert!(told.contains("first_after at ") && told.contains(&inlined), "{told}");
}
