//! What a plugin pays for a format. The plugin runtime belongs to one crate, so its bench measures (`host/plugin/benches/decoding.rs`); here
//! its table is taken over. `make experiments` runs that bench first.

use crate::table::Table;
use anyhow::{Context, ensure};
use serde::Deserialize;

/// Where the bench leaves what it measured.
const FILE: &str = "target/experiments/decoding.json";

#[derive(Deserialize)]
struct Measured {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

pub(crate) fn run() -> anyhow::Result<Vec<Table>> {
    let path = crate::root().join(FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is not there; run: make experiments ONLY=decoding", path.display()))?;
    let Measured { title, columns, rows } = serde_json::from_str(&text).context(FILE)?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new(title, &columns);
    for row in rows {
        ensure!(row.len() == columns.len(), "{FILE}: a row has other columns than its table");
        table.row(row);
    }
    Ok(vec![table])
}
