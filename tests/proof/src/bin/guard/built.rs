//! Which benches cargo has built, and where.

use anyhow::{Result, bail};
use serde_json::Value;
use std::path::PathBuf;

/// The bench `hot` of each crate, by the name of the crate's directory, in the order of the names.
pub(crate) fn benches(said: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut benches = Vec::new();
    for line in said.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let is_hot = message["target"]["name"] == "hot" && message["target"]["kind"][0] == "bench";
        let (Some(executable), Some(manifest)) =
            (message["executable"].as_str(), message["manifest_path"].as_str())
        else {
            continue;
        };
        let directory = PathBuf::from(manifest).parent().map(PathBuf::from).unwrap_or_default();
        if let Some(name) = directory.file_name().filter(|_| is_hot) {
            benches.push((name.to_string_lossy().into_owned(), executable.into()));
        }
    }
    if benches.is_empty() {
        bail!("cargo has built no bench `hot`");
    }
    benches.sort();
    Ok(benches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benches_are_found_by_their_crates() {
        let said = r#"{"reason":"compiler-artifact","manifest_path":"/w/host/core/Cargo.toml","target":{"kind":["bench"],"name":"tap"},"executable":"/t/tap"}
{"reason":"compiler-artifact","manifest_path":"/w/host/core/Cargo.toml","target":{"kind":["bench"],"name":"hot"},"executable":"/t/hot-1"}
{"reason":"compiler-artifact","manifest_path":"/w/host/codec/Cargo.toml","target":{"kind":["bench"],"name":"hot"},"executable":"/t/hot-2"}
{"reason":"compiler-artifact","manifest_path":"/w/host/codec/Cargo.toml","target":{"kind":["lib"],"name":"hot"},"executable":null}
not json"#;
        let found = benches(said).unwrap();
        assert_eq!(found, [("codec".into(), "/t/hot-2".into()), ("core".into(), "/t/hot-1".into())]);
        assert!(benches("").is_err());
    }
}
