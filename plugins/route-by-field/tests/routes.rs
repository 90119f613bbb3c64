//! The routes as the gateway would ask for them.

use route_by_field::RouteByField;
use serde_json::{Value, json};
use weir_sdk::{Registered as _, Target, Verdict, test::Harness};

fn router(config: &Value) -> Harness<RouteByField> {
    Harness::new(config)
}

fn refused(config: &Value) -> String {
    Harness::<RouteByField>::try_new(config).err().expect("the config is refused")
}

fn cluster(name: &str) -> Verdict {
    Verdict::route_to(Target::cluster(name))
}

#[test]
fn a_value_chooses_its_route_and_the_payload_stays() {
    let rules = json!({"temperature": {"cluster": "timeseries"}, "chat": {"group": "lobby"}});
    let mut harness = router(&json!({"field": "/type", "rules": rules}));
    assert_eq!(harness.message(r#"{"type": "temperature", "c": 1.50}"#).verdict(), &cluster("timeseries"));
    assert_eq!(harness.message(r#"{"type":"chat"}"#).verdict(), &Verdict::route_to(Target::group("lobby")));
    assert_eq!(harness.message(r#"{"type": "t\u0065mperature"}"#).verdict(), &cluster("timeseries"));
    assert_eq!(harness.binary(r#"{"type": "temperature"}"#).verdict(), &cluster("timeseries"));
}

#[test]
fn what_no_rule_knows_takes_the_default() {
    let messages = [r#"{"type": "x"}"#, "{}", "[]", "5", r#"{"type": {"a": 1}}"#, r#"{"type": "A"}"#];
    for (default, verdict) in [
        (json!("forward"), Verdict::forward()),
        (json!("drop"), Verdict::drop("no-route")),
        (json!({"cluster": "rest"}), cluster("rest")),
        (json!({"group": "rest"}), Verdict::route_to(Target::group("rest"))),
    ] {
        let mut harness =
            router(&json!({"field": "/type", "rules": {"a": {"cluster": "a"}}, "default": default}));
        for message in messages {
            assert_eq!(harness.message(message).verdict(), &verdict, "{message}");
        }
    }
}

#[test]
fn the_longest_prefix_wins_after_whole_values() {
    let config = json!({
        "field": "/topic",
        "rules": {"eu/berlin": {"cluster": "berlin"}},
        "prefixes": {"eu/": {"cluster": "eu"}, "eu/b": {"cluster": "b"}, "é": {"cluster": "accent"}},
    });
    let mut harness = router(&config);
    for (topic, to) in [("eu/berlin", "berlin"), ("eu/bonn", "b"), ("eu/paris", "eu"), ("été", "accent")] {
        assert_eq!(harness.message(json!({"topic": topic}).to_string()).verdict(), &cluster(to), "{topic}");
    }
    for topic in ["us/", "e", "", "ê", "€"] {
        assert_eq!(
            harness.message(json!({"topic": topic}).to_string()).verdict(),
            &Verdict::forward(),
            "{topic}"
        );
    }
}

#[test]
fn other_values_are_compared_as_written() {
    let rules = json!({"1": {"cluster": "one"}, "true": {"cluster": "yes"}, "null": {"cluster": "none"}});
    let mut harness = router(&json!({"field": "/n", "rules": rules}));
    assert_eq!(harness.message(r#"{"n": 1}"#).verdict(), &cluster("one"));
    assert_eq!(harness.message(r#"{"n": 1.0}"#).verdict(), &Verdict::forward());
    assert_eq!(harness.message(r#"{"n": true}"#).verdict(), &cluster("yes"));
    assert_eq!(harness.message(r#"{"n": null}"#).verdict(), &cluster("none"));
}

#[test]
fn a_repeated_field_takes_the_default() {
    let mut harness = router(
        &json!({"field": "/t", "rules": {"a": {"cluster": "a"}, "b": {"cluster": "b"}}, "default": "drop"}),
    );
    assert_eq!(harness.message(r#"{"t": "a", "t": "b"}"#).verdict(), &Verdict::drop("no-route"));
}

#[test]
fn what_is_not_json_follows_its_own_rule() {
    for (policy, verdict) in [
        ("forward", Verdict::forward()),
        ("drop", Verdict::drop("not-json")),
        ("close", Verdict::close(1007, "messages here are JSON")),
    ] {
        let mut harness =
            router(&json!({"field": "/t", "rules": {"a": {"cluster": "a"}}, "not_json": policy}));
        for payload in [&b""[..], b"text", b"{\"t\": \"a\"", b"\xff", b"{\"t\": \"\\ud800\"}"] {
            assert_eq!(harness.binary(payload).verdict(), &verdict, "{policy} {payload:?}");
        }
    }
}

#[test]
fn deep_messages_are_no_trouble() {
    let mut harness = router(&json!({"field": "/t", "rules": {"a": {"cluster": "a"}}}));
    let deep = format!(r#"{{"x": {}{}, "t": "a"}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(harness.message(deep).verdict(), &cluster("a"));
}

#[test]
fn bad_configs_are_refused_with_the_place() {
    assert!(refused(&json!({"rules": {}})).contains("missing field `field`"));
    assert!(refused(&json!({"field": "type", "rules": {}})).starts_with("field: "));
    assert!(refused(&json!({"field": "/t"})).starts_with("rules: there are none"));
    assert!(refused(&json!({"field": "/t", "prefixes": {"": {"cluster": "a"}}})).contains("`default`"));
    assert!(refused(&json!({"field": "/t", "rules": {"a": {"host": "b"}}})).starts_with("rules.a"));
    assert!(refused(&json!({"field": "/t", "rules": {"a": {"group": ""}}})).starts_with("rules.a.group: "));
    assert!(
        refused(&json!({"field": "/t", "rules": {"a": {"group": "b"}}, "default": "echo"}))
            .starts_with("default")
    );
}

#[test]
fn the_manifest_carries_the_schema() {
    let schema: Value = serde_json::from_str(&RouteByField::manifest().config_schema).unwrap();
    assert_eq!(schema["required"], json!(["field"]));
    assert_eq!(schema["properties"]["rules"]["maxProperties"], 10_000);
}
