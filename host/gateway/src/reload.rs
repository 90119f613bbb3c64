//! `weir reload`: has a running gateway read its configuration again.

use crate::cli::Remote;
use crate::remote::Gateway;
use crate::run::load;
use std::fmt::Write as _;
use std::process::ExitCode;
use tokio::runtime::Builder;

/// The exit code of who could not ask.
const UNREACHED: u8 = 2;

/// Exit code 0: what can change without a restart is in force; 1: nothing changed, and the answer said why; 2: the configuration is wrong,
/// or there is nobody to ask.
pub(crate) fn run(options: &Remote) -> anyhow::Result<ExitCode> {
    let gateway = if options.admin.is_some() {
        Gateway::find(options)
    } else {
        // It says itself what is wrong, and where.
        match load(options.config.file.as_deref()) {
            Ok(_) => Gateway::find(options),
            Err(code) => return Ok(code),
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asked = gateway.and_then(|gateway| runtime.block_on(gateway.post("/v1/config/reload")));
    let (status, answer) = match asked {
        Ok(answered) => answered,
        Err(error) => {
            eprintln!("weir: {}", crate::errors::in_one_line(&error));
            return Ok(ExitCode::from(UNREACHED));
        }
    };
    print!("{}", in_words(&answer));
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The answer line by line; as it is, where it is no such answer.
fn in_words(answer: &str) -> String {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(answer) else { return answer.to_owned() };
    let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
    let mut text = match &json["error"] {
        serde_json::Value::String(error) => {
            format!("refused, everything is as it was: {}\n", error.trim_end())
        }
        _ => format!("{}\n", json["result"].as_str().unwrap_or("done")),
    };
    for line in list("live").iter().chain(&list("restart")).filter_map(serde_json::Value::as_str) {
        let _ = writeln!(text, "  {line}");
    }
    text
}
