//! The filter as the gateway would call it.

use serde_json::{Value, json};
use weir_sdk::{Registered as _, Verdict, test::Harness};
use wordfilter::Wordfilter;

fn filter(config: &Value) -> Harness<Wordfilter> {
    Harness::new(config)
}

fn refused(config: &Value) -> String {
    Harness::<Wordfilter>::try_new(config).err().expect("the config is refused")
}

#[test]
fn drops_by_default_and_counts_it() {
    let mut harness = filter(&json!({"words": ["spam"]}));
    assert_eq!(harness.message("SPAM!").verdict(), &Verdict::drop("word"));
    assert_eq!(harness.message("a spammer").verdict(), &Verdict::forward());
    assert_eq!(harness.message("").verdict(), &Verdict::forward());
    assert!((harness.host().counted("dropped") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn masks_each_character() {
    let mut harness = filter(&json!({"words": ["straße", "spam"], "action": "mask", "mask": "█"}));
    assert_eq!(harness.message("Spam auf der STRASSE").new_text(), Some("████ auf der ███████"));
    assert_eq!(harness.message("straße, spam").new_text(), Some("██████, ████"));
    assert_eq!(harness.message("nothing here").verdict(), &Verdict::forward());
}

#[test]
fn binary_messages_only_where_asked() {
    let drop = Verdict::drop("word");
    let mut harness = filter(&json!({"words": ["spam"]}));
    assert_eq!(harness.binary("spam").verdict(), &Verdict::forward());
    let mut harness = filter(&json!({"words": ["spam"], "binary": true}));
    assert_eq!(harness.binary("spam").verdict(), &drop);
    assert_eq!(harness.binary(b"spam \xff").verdict(), &Verdict::forward());
}

#[test]
fn pointers_confine_it_and_json_stays_json() {
    let config = json!({"words": ["spam", "a\"b"], "action": "mask", "json_pointers": ["/text", "/tags/0"]});
    let mut harness = filter(&config);
    let text = r#"{ "spam" : 1.50e3, "text": "Spam\u0021 a\"b \u0073pam", "tags": ["spam", "spam"], "more": "spam" }"#;
    let masked = r#"{ "spam" : 1.50e3, "text": "****! *** ****", "tags": ["****", "spam"], "more": "spam" }"#;
    assert_eq!(harness.message(text).new_text(), Some(masked));
    assert_eq!(harness.message(r#"{"other": "spam", "text": 5, "tags": {}}"#).verdict(), &Verdict::forward());
}

#[test]
fn a_repeated_name_is_no_way_past() {
    let mut harness = filter(&json!({"words": ["spam"], "json_pointers": ["/text"]}));
    for text in [r#"{"text": "spam", "text": "ham"}"#, r#"{"text": "ham", "text": "spam"}"#] {
        assert_eq!(harness.message(text).verdict(), &Verdict::drop("word"), "{text}");
    }
}

#[test]
fn what_is_not_json_is_looked_at_as_a_whole() {
    let mut harness = filter(&json!({"words": ["spam"], "json_pointers": ["/text"]}));
    for text in ["spam", r#"{"text": "spam""#, r#"{"text": "spam \ud800"}"#] {
        assert_eq!(harness.message(text).verdict(), &Verdict::drop("word"), "{text}");
    }
}

#[test]
fn a_pointer_to_the_whole_is_a_string_by_itself() {
    let mut harness = filter(&json!({"words": ["spam"], "action": "mask", "json_pointers": [""]}));
    assert_eq!(harness.message(r#" "spam" "#).new_text(), Some(r#" "****" "#));
}

#[test]
fn large_and_deep_messages_are_no_trouble() {
    let mut harness = filter(&json!({"words": ["spam"], "action": "mask", "json_pointers": ["/text"]}));
    let deep = format!(r#"{{"text": "spam", "deep": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(harness.message(&deep).new_text(), Some(deep.replace("spam", "****").as_str()));
    let mut harness = filter(&json!({"words": ["spam"], "action": "mask"}));
    let long = "spam é ".repeat(100_000);
    assert_eq!(harness.message(&long).new_text(), Some(long.replace("spam", "****").as_str()));
}

#[test]
fn bad_configs_are_refused_with_the_place() {
    assert!(refused(&json!({})).contains("missing field `words`"));
    assert!(refused(&json!({"words": []})).starts_with("words: the list is empty"));
    assert!(refused(&json!({"words": ["a", " "]})).starts_with("words[1]: it is empty"));
    assert!(refused(&json!({"words": ["x".repeat(257)]})).contains("at most 256"));
    assert!(refused(&json!({"words": vec!["x"; 10_001]})).contains("at most 10000"));
    assert!(refused(&json!({"words": vec!["x".repeat(100); 2_000]})).contains("two bindings"));
    assert!(refused(&json!({"words": ["a"], "json_pointers": ["text"]})).contains("\"/text\""));
    assert!(refused(&json!({"words": ["a"], "mask": "**"})).starts_with("mask: "));
    assert!(refused(&json!({"words": ["a"], "mask": "\n"})).contains("control character"));
    assert!(refused(&json!({"words": ["a"], "action": "hide"})).starts_with("action: "));
    assert!(refused(&json!({"words": ["a"], "word": 1})).starts_with("word: unknown field"));
}

#[test]
fn the_manifest_carries_the_schema() {
    let manifest = Wordfilter::manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str()),
        ("wordfilter", env!("CARGO_PKG_VERSION"))
    );
    let schema: Value = serde_json::from_str(&manifest.config_schema).unwrap();
    assert_eq!(schema["required"], json!(["words"]));
    assert_eq!(schema["properties"]["words"]["maxItems"], 10_000);
}
