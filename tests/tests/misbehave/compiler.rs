//! Files that are made to be compiled for ever, or to need all memory: refused at the limit, while the old generation serves on.

use crate::scene::{ask, client, config, figure};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use weir_tests::client::Client;
use weir_tests::{Gateway, artifact, forge, wait_for};

/// Puts a file in the place of one that serves; gives the reason why it was refused, how long that took, and the longest round trip
/// meanwhile.
async fn refused(gateway: &Gateway, client: &mut Client, put: impl FnOnce()) -> (String, Duration, Duration) {
    let before = gateway.binding("p").expect("known")["offered"].clone();
    put();
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let sent = Instant::now();
        assert_eq!(ask(client, "meanwhile").await, "meanwhile");
        longest = longest.max(sent.elapsed());
        let binding = gateway.binding("p").expect("known");
        if binding["state"] == "refused" && binding["offered"] != before {
            assert_eq!(binding["serving"]["generation"], 1);
            let reason = binding["reason"].as_str().expect("a reason").to_owned();
            return (reason, begun.elapsed(), longest);
        }
        assert!(begun.elapsed() < weir_tests::PATIENCE, "{binding:#}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_takes_forever_to_compile_is_given_up() {
    let limits = "plugins.cache = \"off\"\nplugins.compile_time = \"1s\"\nplugins.compile_memory = \"4GiB\"\nplugins.max_module = \"64MiB\"";
    let gateway = Gateway::start(&config(2, limits, ""), &[("p.wasm", artifact::guest("passthrough"))]);
    let mut client = client(&gateway).await;
    let file = forge::with_much_code("passthrough", 200, 200_000, 1);
    let size = file.len();
    let path = gateway.plugin_path("p.wasm");
    let put = || fs::write(path, file).expect("written");
    let (reason, took, longest) = refused(&gateway, &mut client, put).await;
    assert!(reason.contains("compiling took longer than 1 s"), "{reason}");
    figure(
        "compiles for ever",
        &format!(
            "{} MB, refused after {took:.1?} of 1 s; longest round trip meanwhile {longest:.1?}",
            size / 1_000_000
        ),
    );
    // Nobody goes on in the background.
    wait_for("the compiler is gone", || children(gateway.pid()) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_needs_too_much_memory_to_compile_is_refused() {
    let limits = "plugins.cache = \"off\"\nplugins.compile_memory = \"192MiB\"";
    let gateway = Gateway::start(&config(2, limits, ""), &[("p.wasm", artifact::guest("passthrough"))]);
    let mut client = client(&gateway).await;
    let file = forge::with_much_code("passthrough", 1, 6_000_000, 2);
    let path = gateway.plugin_path("p.wasm");
    let put = || fs::write(path, file).expect("written");
    let (reason, took, longest) = refused(&gateway, &mut client, put).await;
    assert!(reason.contains("it needs more than 192 MiB to compile"), "{reason}");
    assert!(reason.contains("compile_memory of [plugins] raises the limit"), "{reason}");
    figure(
        "compiles in all memory",
        &format!("refused at 192 MiB after {took:.1?}; longest round trip meanwhile {longest:.1?}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_100_mb_is_not_even_read() {
    let gateway = Gateway::start(&config(2, "", ""), &[("p.wasm", artifact::guest("passthrough"))]);
    let mut client = client(&gateway).await;
    let path = gateway.plugin_path("p.wasm");
    let put = || {
        let file = fs::OpenOptions::new().write(true).open(path).expect("the plugin");
        file.set_len(100_000_000).expect("it is longer");
    };
    let (reason, took, longest) = refused(&gateway, &mut client, put).await;
    assert!(reason.contains("the file has 100000000 bytes; the most is 33554432"), "{reason}");
    figure(
        "a file of 100 MB",
        &format!("refused after {took:.1?}; longest round trip meanwhile {longest:.1?}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_never_ends_is_given_up() {
    let config = config(2, "", "");
    let begun = Instant::now();
    let mut gateway = Gateway::launch(&config, &[("p.wasm", artifact::guest("schema"))]);
    assert_eq!(gateway.wait().code(), Some(1), "a chain names it");
    let log = format!("{:?}", gateway.log());
    assert!(log.contains("its config schema is too intricate"), "{log}");
    figure(
        "a schema that never ends",
        &format!("given up after {:.1?}, 2 s of processor time", begun.elapsed()),
    );
}

/// Processes that a process has started and that are still there.
fn children(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of =
        |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("children")).ok();
    tasks.filter_map(of).map(|children| children.split_whitespace().count()).sum()
}

#[test]
fn the_compiler_gives_up_what_it_does_not_need_before_it_reads_anything() {
    // Started as the gateway starts it, but by a shell that leaves a file open.
    let mut child = Command::new("sh")
        .args(["-c", "exec 7</dev/null; exec \"$0\" compile-plugin module 300000000 100 1"])
        .arg(artifact::weir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let proc = format!("/proc/{}", child.id());
    let limits = || fs::read_to_string(format!("{proc}/limits")).unwrap_or_default();
    let limit = |name: &str| {
        let limits = limits();
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line[name.len().min(line.len())..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    // The niceness is the last thing that it changes.
    let niceness = || {
        let stat = fs::read_to_string(format!("{proc}/stat")).unwrap_or_default();
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(16)).map(str::to_owned)
    };
    wait_for("it has confined itself", || niceness().as_deref() == Some("10"));
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    assert_eq!(limit("Max file size"), ["0", "0"]);
    assert_eq!(limit("Max address space"), ["300000000", "300000000"]);
    assert_eq!(limit("Max cpu time"), ["100", "101"]);
    let open = fs::read_dir(format!("{proc}/fd")).expect("it runs");
    let mut open: Vec<_> = open.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    // What is no plugin is refused in a frame: no result, so many bytes.
    child.stdin.take().expect("piped").write_all(b"<html>").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout[0], 0);
    assert!(String::from_utf8_lossy(&output.stdout[9..]).starts_with("this is not WebAssembly"));
}
