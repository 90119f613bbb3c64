//! `weir send`: a small client for quickstarts and debugging.

mod dial;
mod talk;

use crate::cli::Send;
use anyhow::Context;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use talk::{Said, Talk};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep_until};

/// Runs the command. The exit code is 0 where the other side took what was sent and closed in order, if it closed.
pub(crate) fn run(options: &Send) -> anyhow::Result<std::process::ExitCode> {
    anyhow::ensure!((0.0..=86_400.0).contains(&options.wait), "--wait takes seconds, from 0 to 86400");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        let mut talk = dial::dial(options).await?;
        converse(options, &mut talk).await
    })?;
    // A thread may still be waiting for standard input.
    runtime.shutdown_background();
    Ok(code)
}

async fn converse(options: &Send, talk: &mut Talk) -> anyhow::Result<std::process::ExitCode> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut reading = options.text.is_none();
    let mut answered = false;
    if let Some(text) = &options.text {
        talk.send(text.as_bytes()).await?;
    } else if std::io::stdin().is_terminal() {
        eprintln!("connected to {}; each line is a message, Ctrl-D ends", options.url);
    }
    let patience = (options.wait > 0.0).then(|| Duration::from_secs_f64(options.wait));
    let mut until = Instant::now() + patience.unwrap_or_default();
    loop {
        tokio::select! {
            line = lines.next_line(), if reading => {
                match line.context("cannot read standard input")? {
                    Some(line) => talk.send(line.as_bytes()).await?,
                    None => reading = false,
                }
                until = Instant::now() + patience.unwrap_or_default();
            }
            said = talk.next() => match said? {
                Said::Message(payload) => {
                    answered = true;
                    show(&payload).context("cannot write to standard output")?;
                    until = Instant::now() + patience.unwrap_or_default();
                }
                Said::Closed(said) => return Ok(closed(said, answered)),
            },
            () = sleep_until(until), if !reading && patience.is_some() => break,
        }
    }
    talk.close().await;
    Ok(std::process::ExitCode::SUCCESS)
}

/// Text as it is; what is no text in hexadecimal digits.
fn show(payload: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Ok(text) = std::str::from_utf8(payload) {
        return writeln!(out, "{text}");
    }
    for byte in payload {
        write!(out, "{byte:02x}")?;
    }
    writeln!(out)
}

/// Whether an end is a success: by its code, or, where the transport carries none, by whether anything was answered before it.
fn closed(said: Option<(u16, String)>, answered: bool) -> std::process::ExitCode {
    let in_order = if let Some((code, reason)) = said {
        let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
        eprintln!("closed by the other side, code {code}{reason}");
        // RFC 6455, section 7.4.1: normal, and going away.
        matches!(code, 1000 | 1001)
    } else {
        eprintln!("closed by the other side without a code; the gateway's log has it");
        answered
    };
    if in_order { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
