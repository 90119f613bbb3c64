//! Messages as the gateway would have them enriched.

use enrich::Enrich;
use serde_json::{Value, json};
use weir_sdk::{
    Direction, Kind, Registered as _, Verdict, attributes,
    test::{Harness, session},
};

fn enricher(config: &Value) -> Harness<Enrich> {
    Harness::new(config)
}

fn refused(config: &Value) -> String {
    Harness::<Enrich>::try_new(config).err().expect("the config is refused")
}

#[test]
fn without_a_config_it_says_who_when_and_where() {
    let mut harness = enricher(&json!({}));
    assert_eq!(
        harness.message(r#"{"temperature": 21.50}"#).new_text(),
        Some(
            r#"{"temperature": 21.50,"listener":"test","peer":"203.0.113.9:40112","session":"1","time":"2026-01-01T00:00:00.000Z"}"#
        )
    );
}

#[test]
fn every_source_under_any_name() {
    let fields = json!({
        "a": "session", "b": "time-ms", "c": {"attribute": "tenant"}, "d": {"attribute": "absent"},
        "e": {"static": {"region": ["eu", 1]}},
    });
    let mut harness = enricher(&json!({"fields": fields}));
    let id = u64::MAX;
    assert!(harness.open(session(id)).accepted());
    harness.host().set_attribute(id, "tenant", "a\"b");
    let outcome = harness.deliver(id, Direction::Inbound, Kind::Binary, b"{}");
    let expected =
        r#"{"a":"18446744073709551615","b":1767225600000,"c":"a\"b","d":null,"e":{"region":["eu",1]}}"#;
    assert_eq!(outcome.new_text(), Some(expected));
}

#[test]
fn a_client_cannot_pretend() {
    let mut harness = enricher(&json!({"fields": {"s": "session", "t": {"attribute": "tenant"}}}));
    let outcome = harness.message(r#"{"s": "7", "t": "root", "s": "8"}"#);
    assert_eq!(outcome.new_text(), Some(r#"{"s": "1", "t": null, "s": "1"}"#));
}

#[test]
fn existing_members_can_be_kept_or_refused() {
    let mut harness = enricher(&json!({"fields": {"s": "session"}, "existing": "keep"}));
    assert_eq!(harness.message(r#"{"s": 7}"#).new_text(), Some(r#"{"s": 7}"#));
    let mut harness = enricher(&json!({"fields": {"s": "session"}, "existing": "error"}));
    assert_eq!(harness.message(r#"{"s": 7}"#).verdict(), &Verdict::drop("exists"));
    assert_eq!(harness.message(r#"{"a": {"s": 7}}"#).new_text(), Some(r#"{"a": {"s": 7},"s":"1"}"#));
}

#[test]
fn what_is_no_object_follows_its_own_rule() {
    let payloads = [&b""[..], b"text", b"[1]", b"{\"a\": 1", b"{\"a\": 1} x", b"\xff"];
    let mut forwarding = enricher(&json!({}));
    let mut dropping = enricher(&json!({"not_object": "drop"}));
    for payload in payloads {
        assert_eq!(forwarding.binary(payload).verdict(), &Verdict::forward(), "{payload:?}");
        assert_eq!(dropping.binary(payload).verdict(), &Verdict::drop("not-an-object"), "{payload:?}");
    }
    let mut wrapping = enricher(&json!({"fields": {"s": "session"}, "not_object": "wrap"}));
    assert_eq!(wrapping.message("[1.0]").new_text(), Some(r#"{"data":[1.0],"s":"1"}"#));
    assert_eq!(wrapping.message("tab\t").new_text(), Some(r#"{"data":"tab\t","s":"1"}"#));
    assert_eq!(wrapping.binary(b"\xff").verdict(), &Verdict::drop("not-utf8"));
}

#[test]
fn large_and_deep_messages_are_no_trouble() {
    let mut harness = enricher(&json!({"fields": {"s": "session"}}));
    let deep = format!(r#"{{"x": {}{}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(
        harness.message(format!("{deep}}}")).new_text(),
        Some(format!("{deep},\"s\":\"1\"}}").as_str())
    );
}

#[test]
fn attributes_are_only_read() {
    let outcome = enricher(&json!({})).message("{}");
    assert!(outcome.effects.is_empty() && outcome.logs.is_empty());
}

#[test]
#[should_panic(expected = "outside of a plugin's call")]
fn outside_of_a_call_there_is_no_host() {
    attributes::get(1, "weir.peer");
}

#[test]
fn bad_configs_are_refused_with_the_place() {
    assert!(refused(&json!({"fields": {}})).starts_with("fields: there are none"));
    assert!(refused(&json!({"fields": {"a": "now"}})).starts_with("fields.a"));
    assert!(refused(&json!({"fields": {"a": {"attribute": ""}}})).starts_with("fields.a.attribute: "));
    assert!(refused(&json!({"fields": {"data": "time"}, "not_object": "wrap"})).contains("another name"));
    assert!(refused(&json!({"existing": "merge"})).starts_with("existing"));
    let many: Value =
        (0..65).map(|number| (number.to_string(), json!("time"))).collect::<serde_json::Map<_, _>>().into();
    assert!(refused(&json!({"fields": many})).contains("at most 64"));
}

#[test]
fn the_manifest_carries_the_schema() {
    let schema: Value = serde_json::from_str(&Enrich::manifest().config_schema).unwrap();
    assert_eq!(schema["properties"]["existing"]["default"], "overwrite");
    assert_eq!(schema["properties"]["fields"]["minProperties"], 1);
}
