//! What a plugin pays for a format. The plugin runtime belongs to one crate, so its bench measures (`host/plugin/benches/decoding.rs`); here
//! it is run, and its table taken over.

use crate::Found;
use crate::child::stand;
use crate::length::Length;
use crate::table::Table;
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::process::{Command, Stdio};
use weir_tests::artifact;

/// With what the unit tests and the guard have built, so that the engine is not compiled once more.
const BENCH: [&str; 6] = ["bench", "--workspace", "--exclude", "weir-tests", "--bench", "decoding"];
/// Where the bench leaves what it measured.
const FILE: &str = "target/experiments/decoding.json";

#[derive(Deserialize)]
struct Measured {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

pub(crate) fn run(length: Length) -> anyhow::Result<Found> {
    // It is one thread: it is to stay where it is.
    stand(&[1])?;
    let short: &[&str] = if length == Length::Short { &["--", "--short"] } else { &[] };
    let done = Command::new("cargo")
        .args(BENCH)
        .args(short)
        .current_dir(artifact::root())
        .stdout(Stdio::null())
        .status()
        .context("cannot start cargo")?;
    ensure!(done.success(), "the bench failed; run: make experiments ONLY=decoding");
    let path = artifact::root().join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(vec![table(&text)?].into())
}

fn table(text: &str) -> anyhow::Result<Table> {
    let Measured { title, columns, rows } = serde_json::from_str(text).context(FILE)?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new(title, &columns);
    for row in rows {
        ensure!(row.len() == columns.len(), "{FILE}: a row has other columns than its table");
        table.row(row);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn what_the_bench_leaves_is_a_table() {
        let text = r#"{"title": "What", "columns": ["a", "b"], "rows": [["1", "2"]]}"#;
        assert_eq!(table(text).unwrap().markdown(), "What:\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n");
        assert!(table(&text.replace(r#", "2""#, "")).is_err());
    }
}
