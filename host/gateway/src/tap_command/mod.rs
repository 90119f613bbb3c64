//! `weir tap`: messages of a running gateway as they pass.

mod print;

use crate::cli::TapOptions;
use crate::remote::Gateway;
use crate::tap::Query;
use anyhow::Context;
use print::Printer;
use serde_json::Value;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Runs until it is stopped, has enough, or the gateway ends.
pub(crate) fn run(options: &TapOptions) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        options.seconds.is_none_or(|seconds| (0.0..=86_400.0).contains(&seconds)),
        "--for takes seconds, from 0 to 86400"
    );
    let gateway = Gateway::find(&options.remote)?;
    let query = options.query().map_err(|error| anyhow::anyhow!("--{error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(&gateway, &query, options))
}

async fn watch(gateway: &Gateway, query: &Query, options: &TapOptions) -> anyhow::Result<ExitCode> {
    let mut lines = gateway.lines(&format!("/v1/tap?{}", query.write())).await?;
    let human = !options.json && (options.human || io::stdout().is_terminal());
    let mut printer = Printer::new(io::stdout().is_terminal());
    let until = options.seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    let mut left = options.count.unwrap_or(u64::MAX);
    while left > 0 {
        let line = tokio::select! {
            line = lines.next() => line?,
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
        };
        let Some(line) = line else {
            anyhow::bail!(
                "{} ended the stream; it stopped, or this reader was too slow for a minute",
                gateway.name()
            );
        };
        let record: Value = serde_json::from_slice(&line).context("the gateway's line is no JSON")?;
        let about_itself = record.get("tap").is_some();
        left -= u64::from(!about_itself);
        let text = match (human, about_itself) {
            (false, _) => Some(String::from_utf8_lossy(&line).into_owned()),
            (true, true) => printer.status(&record["tap"]),
            (true, false) => Some(printer.message(&record)),
        };
        let Some(text) = text else { continue };
        match writeln!(io::stdout(), "{text}") {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
