//! What a plugin's file says before anything of it runs.

use super::{Artifact, Cases, Symbols, Trust, embed, read_cases, schema};
use minisign_verify::PublicKey;
use serde_json::Value;

/// The most bytes of a file here.
const MOST: usize = 1 << 20;
/// Whoever signs in the corpus of signatures.
const KEY: &str = include_str!("../../fuzz/key.pub");
/// What was signed there.
const SIGNED: &[u8] = b"plugin";

/// Any bytes as a plugin file: refused with a sentence, or known as the same thing twice; what debug information it carries is read
/// without believing it.
pub(crate) fn artifact(data: &[u8]) {
    match Artifact::read(data, MOST) {
        Ok(artifact) => {
            let again =
                Artifact::read(&artifact.component, MOST).expect("what it is turned into is a plugin");
            assert_eq!(again.facts.contract, artifact.facts.contract);
            assert_eq!(again.facts.interfaces, artifact.facts.interfaces);
            assert_eq!(again.facts.batch, artifact.facts.batch);
            if let Some(symbols) = Symbols::read(&artifact.component) {
                assert!(symbols.locate("trap @0x0 @0x100 @0xffffffffffffffff").contains("@0x100"));
            }
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
    if let Ok(Some(cases)) = read_cases(data) {
        let without = embed(data, "").expect("its sections add up");
        assert_eq!(read_cases(&without), Ok(None));
        let with = embed(data, cases).expect("they fitted before");
        assert_eq!(read_cases(&with), Ok(Some(cases)));
    }
}

/// Any text as cases: read, or refused at a line that it has.
pub(crate) fn cases(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Cases::parse(text) {
        Ok(cases) => assert!(cases.iter().all(|case| !case.name.is_empty())),
        Err(error) => assert!(error.line >= 1 && error.line <= text.lines().count().max(1), "{error}"),
    }
}

/// A plugin's schema, a zero byte, and the config of its binding.
pub(crate) fn settings(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    let config = serde_json::from_slice(&data[end + 1..]).unwrap_or(Value::Null);
    match schema::check(text, &config) {
        Ok(handed) => {
            let handed: Value = serde_json::from_str(&handed).expect("what is handed on is JSON");
            assert_eq!(handed.is_object(), config.is_object() || config.is_null());
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// Any text as the signature of a file: only that of who may is good.
pub(crate) fn signature(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key = PublicKey::decode(KEY).expect("the key of the corpus");
    let trust = Trust::new(vec![key]);
    if trust.check(SIGNED, Some(text)).is_ok() {
        assert!(trust.check(b"another", Some(text)).is_err(), "it is of one file");
    }
}
