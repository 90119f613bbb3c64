//! `weir capacity`: what it answers, and how it refuses.

use serde_json::Value;
use std::fs;
use std::path::Path;
use weir_tests::artifact;
use weir_tests::command::{Done, weir};

fn capacity(arguments: &str) -> Done {
    let words: Vec<&str> = ["capacity"].into_iter().chain(arguments.split_whitespace()).collect();
    weir(Path::new("/"), &words)
}

/// With memory enough on whatever machine this runs.
fn answer(arguments: &str) -> Value {
    let done = capacity(&format!("{arguments} --cores 4 --memory 1000GiB --json"));
    assert_eq!(done.code, 0, "{arguments}: {}{}", done.out, done.err);
    serde_json::from_str(&done.out).unwrap()
}

#[test]
fn the_page_answers_what_somebody_who_plans_asks() {
    let done = capacity(
        "--connections 200k --cores 4 --rate 5k/s --size 256 --plugin-cost 2us --memory 64GiB --network 1Gbit/s",
    );
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    for part in [
        "200,000 sessions over websocket, 5,000 messages of 256 bytes a second, each echoed or forwarded, 1 call of plugins for each",
        "processor",
        "the plugins' own work 2.00",
        "highest",
        "with 70 % of each core",
        "memory",
        "network     10.2 Mbit/s in, 10.2 out",
        "runs out    first the processor's budget",
        "LimitNOFILE=200200, and one more for each upstream connection; limits.connections = 200000",
        "runs that the fit had not seen",
        "--calibrate measures this one",
        "beyond what was measured, so less sure: cores",
    ] {
        assert!(done.out.contains(part), "no {part:?} in:\n{}", done.out);
    }
}

#[test]
fn more_of_anything_leaves_less_for_the_rate() {
    let highest = |arguments: &str| answer(arguments)["plan"]["highest_rate"].as_f64().unwrap();
    let base = "--connections 100k --rate 1k/s --fanout 10";
    let least = highest(base);
    for more in [
        "--ping-interval 5",
        "--size 8KiB",
        "--plugin-cost 5us",
        "--plugin-cost 1us --plugin-on both",
        "--budget 50%",
    ] {
        assert!(highest(&format!("{base} {more}")) < least, "{more}");
    }
    assert!(highest("--connections 200k --rate 1k/s --fanout 10") < least);
    assert!(highest("--connections 100k --rate 1k/s --fanout 20") < least);
    assert!(highest(&format!("{base} --burst 16")) > least);
}

#[test]
fn framed_tcp_is_pinged_only_where_somebody_says_so() {
    let pings = |arguments: &str| {
        answer(&format!("--connections 100k {arguments}"))["plan"]["pings_us"].as_f64().unwrap()
    };
    assert!(pings("--transport websocket") > 0.0);
    assert!(pings("--transport tcp").abs() < f64::EPSILON);
    assert!(pings("--transport tcp --ping-interval 30") > 0.0);
    assert!(pings("--transport websocket --ping-interval 0").abs() < f64::EPSILON);
}

#[test]
fn what_does_not_suffice_exits_with_1_and_says_what() {
    for (arguments, what) in [
        ("--connections 1M --rate 10M/s --cores 1 --memory 1000GiB", "the processor's budget"),
        ("--connections 1M --cores 64 --memory 1GiB", "memory"),
        (
            "--connections 100 --rate 10k/s --size 64KiB --cores 64 --memory 1GiB --network 1Mbit/s",
            "the network",
        ),
    ] {
        let done = capacity(arguments);
        assert_eq!(done.code, 1, "{arguments}: {}{}", done.out, done.err);
        assert!(done.out.contains(&format!("DOES NOT SUFFICE: {what}")), "{}", done.out);
    }
}

#[test]
fn a_plugin_is_measured_and_says_itself_what_it_meets() {
    let plugin = artifact::plugin("passthrough");
    let said = answer(&format!("--connections 100 --rate 1/s --size 300 --plugin {}", plugin.display()));
    let (work, workload) = (&said["plugin"], &said["demand"]["workload"]);
    assert_eq!((&work["inbound"], &work["outbound"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!((work["size"].as_u64(), workload["calls"].as_f64()), (Some(300), Some(2.0)));
    assert!(work["loop_us"].as_f64().unwrap() > work["own_us"].as_f64().unwrap());

    let dir = tempfile::tempdir().unwrap();
    let filter = artifact::plugin("wordfilter").display().to_string();
    let without = weir(dir.path(), &["capacity", "--connections", "100", "--plugin", &filter]);
    assert_eq!(without.code, 1);
    assert!(
        without.err.contains("wordfilter.wasm") && without.err.contains("--plugin-config"),
        "{}",
        without.err
    );
    fs::write(dir.path().join("filter.toml"), "config = { words = [\"spam\"] }\n").unwrap();
    fs::write(dir.path().join("message.txt"), "spam and eggs").unwrap();
    let arguments =
        ["capacity", "--connections", "100", "--plugin", &filter, "--plugin-config", "filter.toml"];
    let with = weir(
        dir.path(),
        &[&arguments[..], &["--payload", "message.txt", "--json", "--memory", "1GiB"]].concat(),
    );
    assert_eq!(with.code, 0, "{}", with.err);
    let said: Value = serde_json::from_str(&with.out).unwrap();
    assert_eq!(said["demand"]["workload"]["size"].as_f64(), Some(13.0), "the payload's");
}

#[test]
fn coefficients_of_ones_own_are_read_and_broken_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = artifact::root().join("host/capacity/coefficients.json");
    let mut own: Value = serde_json::from_str(&fs::read_to_string(shipped).unwrap()).unwrap();
    own["machine"] = "a machine of one's own".into();
    own["others"] = 0.25.into();
    for term in own["transports"]["websocket"]["terms"].as_object_mut().unwrap().values_mut() {
        *term = 0.0.into();
    }
    own["transports"]["websocket"]["terms"]["turn"] = 10.0.into();
    fs::write(dir.path().join("own.json"), own.to_string()).unwrap();
    let arguments = ["capacity", "--connections", "100", "--rate", "1k/s", "--cores", "1", "--coefficients"];
    let run = |file: &str, more: &[&str]| weir(dir.path(), &[&arguments[..], &[file], more].concat());
    let done = run("own.json", &["--json", "--ping-interval", "0"]);
    let said: Value = serde_json::from_str(&done.out).unwrap();
    // A thousand messages of ten microseconds are a hundredth of a second.
    assert!((said["plan"]["utilisation"].as_f64().unwrap() - 0.01).abs() < 1e-9, "{}", done.out);
    assert_eq!(said["measured"]["machine"], "a machine of one's own");
    let page = run("own.json", &[]).out;
    assert!(
        page.contains("a machine of one's own") && page.contains("while others used 25 % of its cores"),
        "{page}"
    );
    fs::write(dir.path().join("broken.json"), "{\"weir\": 1}").unwrap();
    for (file, part) in [("broken.json", "not a file of coefficients"), ("absent.json", "absent.json")] {
        let done = run(file, &[]);
        assert!(done.code == 1 && done.err.contains(part), "{file}: {}", done.err);
    }
}

/// A gateway is started and loaded for some seconds; how fast it is makes no difference to the test.
#[test]
fn calibrating_measures_this_machine() {
    let done =
        capacity("--connections 100 --rate 1/s --cores 1 --memory 1GiB --transport tcp --calibrate --json");
    assert!(done.err.contains("measuring this machine"), "{}", done.err);
    // On a machine that is busy with other tests what was measured may contradict itself: then it says what, and answers nothing.
    if done.code == 1 {
        let refused = done.err.contains("µs alone and") && done.err.contains("try again");
        assert!(refused && done.out.is_empty(), "{}{}", done.out, done.err);
        return;
    }
    assert_eq!(done.code, 0, "{}", done.err);
    let said: Value = serde_json::from_str(&done.out).unwrap();
    let scale = &said["measured"]["scaled"];
    let [turns, messages] = ["turns", "messages"].map(|of| scale[of].as_f64().unwrap());
    // Beyond these it would have been refused.
    assert!((0.125..=8.0).contains(&turns) && (0.125..=8.0).contains(&messages), "{scale}");
}

#[test]
fn what_cannot_be_asked_is_answered_with_what_can() {
    for (arguments, code, part) in [
        ("--connections many", 2, "such as 500, 200k or 1.5M"),
        ("--connections 100 --rate fast", 2, "such as 50k/s"),
        ("--connections 100 --plugin-cost 2", 2, "such as 2us"),
        ("--connections 100 --transport quic", 2, "there are tcp and websocket"),
        ("--connections 100 --budget 0%", 2, "such as 70%"),
        ("--connections 100 --ping-interval -1", 2, "unexpected argument"),
        ("--connections 100 --ping-interval 1e9", 1, "from 0 to 86400"),
        ("--connections 100 --plugin /nowhere.wasm", 1, "/nowhere.wasm"),
        ("--connections 100 --plugin-on sideways", 2, "in, out, both"),
        ("--connections 100 --fanout 101", 1, "no more members"),
        ("--rate 1/s", 2, "--connections"),
    ] {
        let done = capacity(arguments);
        assert!(done.code == code && done.err.contains(part), "{arguments}: {} {}", done.code, done.err);
    }
}

/// The rows of the first table under a heading of docs/capacity.md, without its head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(artifact::root().join("docs/capacity.md")).unwrap();
    let (_, section) = page.split_once(&format!("## {heading}\n")).unwrap();
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The digits of a cell; of none, nothing.
fn number(cell: &str) -> f64 {
    cell.replace(',', "").parse().unwrap_or_default()
}

#[test]
fn the_page_has_the_memory_that_the_answers_have_and_what_follows_from_it() {
    const MIB: f64 = 1_048_576.0;
    let costs = table("What a session costs");
    let shipped = artifact::root().join("host/capacity/coefficients.json");
    let shipped: Value = serde_json::from_str(&fs::read_to_string(shipped).unwrap()).unwrap();
    for (row, transport) in costs.iter().zip(["websocket", "tcp"]) {
        let memory = |of: &str| shipped["memory"][of].as_f64().unwrap();
        let off = [number(&row[1]) - memory(transport), number(&row[2]) - memory("kernel")];
        assert!(off.iter().all(|off| off.abs() < 0.5), "{row:?} and not {}", shipped["memory"]);
    }
    let holds = table("What a machine holds");
    assert_eq!(holds.len(), costs.len());
    for (row, cost) in holds.iter().zip(&costs) {
        let each = number(&cost[1]) + number(&cost[2]);
        for (cell, mebibytes) in row[1..].iter().zip([512.0, 4_096.0, 24_576.0, 65_536.0]) {
            let sessions = (mebibytes * MIB * 0.75 - 64.0 * MIB) / each;
            // Two digits, rounded down: it is not to be more than there is room for.
            let grain = 10_f64.powf(sessions.log10().floor() - 1.0);
            let expected = (sessions / grain).floor() * grain;
            assert!((number(cell) - expected).abs() < 1.0, "{row:?}: {cell} and not {expected}");
        }
    }
}
