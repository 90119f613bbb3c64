//! `weir plugin list`: the plugins of a running gateway.

use super::unreached;
use crate::cli::Remote;
use crate::remote::Gateway;
use serde_json::Value;
use std::fmt::Write as _;
use std::process::ExitCode;
use tokio::runtime::Builder;

const TITLES: [&str; 8] = ["NAME", "STATE", "VERSION", "GENERATION", "SHA256", "TRIAL", "ORDERS", "REFUSED"];
/// Characters of a digest that are shown.
const SHORT: usize = 12;

/// Exit code 0: shown; 2: nobody could be asked.
pub(super) fn run(json: bool, remote: &Remote) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asked = Gateway::find(remote).and_then(|gateway| runtime.block_on(gateway.json("/v1/plugins")));
    let plugins = match asked {
        Ok(plugins) => plugins,
        Err(error) => return Ok(unreached(&error)),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&plugins)?);
    } else {
        print!("{}", table(&plugins));
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each binding, and below it why what was offered does not serve.
fn table(plugins: &Value) -> String {
    let bindings = plugins["bindings"].as_array().map(Vec::as_slice).unwrap_or_default();
    if bindings.is_empty() {
        return "no plugins\n".to_owned();
    }
    let rows: Vec<_> = bindings.iter().map(row).collect();
    let mut widths = TITLES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 8]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&TITLES.map(str::to_owned));
    for (binding, row) in bindings.iter().zip(&rows) {
        text += &line(row);
        if let Some(reason) = binding["reason"].as_str() {
            let _ = writeln!(text, "    {}", plain(reason));
        }
    }
    text
}

fn row(binding: &Value) -> [String; 8] {
    let serving = &binding["serving"];
    let word = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), plain);
    let state = match (binding["state"].as_str(), binding["probation"] == true) {
        (Some("active"), true) => "probation".to_owned(),
        _ => word(&binding["state"]),
    };
    let trial = match &binding["rollout"] {
        Value::Null => "-".to_owned(),
        rollout => {
            let share = rollout["share"].as_f64().unwrap_or(0.0) * 100.0;
            let left = rollout["left_ms"].as_u64().unwrap_or(0).div_ceil(1000);
            format!("{share:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
                + &format!("%, {left} s")
        }
    };
    let mut orders = Vec::new();
    if !binding["disabled_ms"].is_null() {
        orders.push("disabled");
    }
    if !binding["pin"].is_null() {
        orders.push("pinned");
    }
    [
        word(&binding["name"]),
        state,
        word(&serving["manifest"]["version"]),
        serving["generation"].as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string()),
        word(&serving["sha256"]).chars().take(SHORT).collect(),
        trial,
        if orders.is_empty() { "-".to_owned() } else { orders.join(", ") },
        binding["refused"].as_array().map_or(0, Vec::len).to_string(),
    ]
}

/// What plugins say is nothing that may steer a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_for_people() {
        let serving =
            json!({ "manifest": { "version": "1.0.0" }, "generation": 12, "sha256": "0123456789abcdef" });
        let plugins = json!({ "bindings": [
            {
                "name": "filter", "state": "trying", "serving": serving, "probation": false,
                "rollout": { "share": 0.05, "left_ms": 29001 }, "disabled_ms": null, "pin": null, "refused": [],
            },
            {
                "name": "x", "state": "waiting", "reason": "it\nwaits", "serving": null, "probation": false, "rollout": null,
                "disabled_ms": 5, "pin": { "sha256": "a" }, "refused": [{}],
            },
        ] });
        assert_eq!(
            table(&plugins),
            "NAME    STATE    VERSION  GENERATION  SHA256        TRIAL     ORDERS            REFUSED\n\
             filter  trying   1.0.0    12          0123456789ab  5%, 30 s  -                 0\n\
             x       waiting  -        -           -             -         disabled, pinned  1\n    \
             it\u{fffd}waits\n"
        );
        assert_eq!(table(&json!({ "bindings": [] })), "no plugins\n");
    }
}
