//! The founding experiments run: every server that they compare answers, byte for byte, whatever it does with threads, memory and writes.

use std::process::{Command, Output};

fn experiments(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_experiments")).args(arguments).output().expect("it starts")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The others need what only `make experiments` builds, or minutes.
#[test]
fn every_server_of_the_experiments_answers() {
    let names = ["connections", "batching", "buffers", "stealing"];
    let done = experiments(&[&["--short"][..], &names].concat());
    let (out, err) = (said(&done.stdout), said(&done.stderr));
    assert!(done.status.success(), "{out}{err}");
    for (name, rows) in names.into_iter().zip([28, 25, 8, 14]) {
        let part = out.split("## ").find(|part| part.starts_with(name)).unwrap_or_else(|| panic!("{out}"));
        let heads = part.lines().filter(|line| line.starts_with("| --- |")).count();
        let lines = part.lines().filter(|line| line.starts_with('|')).count();
        assert_eq!(lines, rows + heads * 2, "a row for each that is compared: {part}");
        assert!(!part.contains("NaN") && !part.contains("inf"), "{part}");
        assert!(part.contains(" cores, Linux ") && part.contains("others used "), "{part}");
    }
}

#[test]
fn what_is_no_experiment_is_answered_with_what_is() {
    for (arguments, part) in [
        (&["speed"][..], "there are: connections, batching, buffers, decoding, stealing, capacity"),
        (&["--fast"], "--write and --short"),
        (&["--short", "--write"], "is not written"),
        (&["serve", "nobody"], "there is no server \"nobody\""),
    ] {
        let done = experiments(arguments);
        assert!(!done.status.success() && said(&done.stderr).contains(part), "{arguments:?}: {done:?}");
    }
}
