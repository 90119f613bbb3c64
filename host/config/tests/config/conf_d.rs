//! Files in `conf.d`.

use crate::{CLUSTER, LISTENER, load_files, without};
use std::time::Duration;
use weir_config::{LogLevel, Workers};

#[test]
fn tables_merge_by_key_in_the_order_of_names_and_lists_grow() {
    let second = LISTENER.replace("\"l\"", "\"m\"").replace(":1\"", ":2\"");
    let third = LISTENER.replace("\"l\"", "\"n\"").replace(":1\"", ":3\"");
    let (_directory, loaded) = load_files(&[
        (
            "weir.toml",
            &format!(
                "log.level = \"debug\"\nruntime = {{ workers = 2, drain = {{ window = \"5s\" }} }}\n{LISTENER}"
            ),
        ),
        ("conf.d/20-b.toml", &format!("log.level = \"warn\"\n{third}")),
        ("conf.d/10-a.toml", &format!("log.level = \"error\"\nruntime.drain.ready_delay = \"1s\"\n{second}")),
        ("conf.d/.hidden.toml", "log.level = \"trace\""),
        ("conf.d/30-c.toml.old", "log.level = \"trace\""),
    ]);
    let config = loaded.expect("all files are right");
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!(config.runtime.workers, Workers::Count(2));
    assert_eq!(config.runtime.drain.window, Duration::from_secs(5));
    assert_eq!(config.runtime.drain.ready_delay, Duration::from_secs(1));
    let names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["l", "m", "n"]);
}

#[test]
fn paths_are_resolved_from_the_file_that_names_them() {
    let (directory, loaded) = load_files(&[
        ("weir.toml", "plugins.dir = \"p\""),
        ("conf.d/a.toml", &format!("{LISTENER}tls = {{ cert = \"c.pem\", key = \"/k.pem\" }}")),
    ]);
    let config = loaded.expect("all files are right");
    assert_eq!(config.plugins.dir, directory.path().join("p"));
    let tls = config.listeners[0].tls.as_ref().expect("it has tls");
    assert_eq!(tls.cert, directory.path().join("conf.d/c.pem"));
    assert_eq!(tls.key.to_str(), Some("/k.pem"));
}

#[test]
fn errors_name_the_file_that_they_are_in() {
    let (directory, loaded) = load_files(&[
        ("weir.toml", LISTENER),
        ("conf.d/a.toml", &format!("# twice\n{LISTENER}")),
        ("conf.d/b.toml", &format!("{CLUSTER}balence = \"p2c\"\n")),
    ]);
    assert_eq!(
        without(directory.path(), &loaded.expect_err("the files are wrong")),
        "conf.d/b.toml:5:1: unknown key `balence`: did you mean `balance`?\n\
         conf.d/a.toml:3:8: two listeners are called \"l\" (the first is at weir.toml:2:8)\n\
         conf.d/a.toml:4:8: 127.0.0.1:1 over tcp is taken already (the first is at weir.toml:3:8)",
    );
}

#[test]
fn text_that_is_not_toml_is_shown_in_its_file() {
    let (directory, loaded) = load_files(&[("weir.toml", LISTENER), ("conf.d/a.toml", "\n[log\n")]);
    let told = without(directory.path(), &loaded.expect_err("the file is wrong"));
    assert!(told.starts_with("conf.d/a.toml:2:5: not TOML: "), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_one_error_without_a_place() {
    let (directory, loaded) = load_files(&[]);
    let told = without(directory.path(), &loaded.expect_err("there is no file"));
    assert!(told.starts_with("weir.toml: cannot be read: No such file"), "{told}");
}
