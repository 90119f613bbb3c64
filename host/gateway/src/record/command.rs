//! `weir record`: asks a running gateway, and writes what it sends to a file.

use super::header::micros;
use super::options::Wanted;
use crate::cli::Record;
use crate::remote::{Gateway, Lines};
use anyhow::{Context, bail};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tokio::time::MissedTickBehavior;
use weir_recording::{Bounds, End, Gap, Line, Redaction, Why};

/// Runs until the recording is over or somebody interrupts it. Exit code 0: the file was ended in order.
pub(crate) fn run(options: &Record) -> anyhow::Result<ExitCode> {
    let wanted = wanted(options)?;
    let gateway = Gateway::find(&options.remote)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(record(&gateway, &wanted, options));
    // A write to a pipe that nobody reads may still be waiting.
    runtime.shutdown_background();
    code
}

fn wanted(options: &Record) -> anyhow::Result<Wanted> {
    let pointers = options.redact.iter().map(|text| text.parse());
    Ok(Wanted {
        listener: options.listener.clone(),
        bounds: Bounds { bytes: options.max_bytes, messages: options.max_messages },
        time: options.time,
        buffer: options.buffer,
        redaction: Redaction {
            payloads: !options.no_payload,
            pointers: pointers.collect::<Result<_, _>>().context("--redact")?,
            credentials: options.credentials,
            attributes: options.keep_attribute.clone(),
            config: !options.no_config,
        },
    })
}

/// While nothing comes, what has come is written to the file after this time at most.
const IDLE: Duration = Duration::from_millis(20);

/// What has come so far.
#[derive(Default)]
struct Tally {
    messages: u64,
    lost: u64,
    end: Option<End>,
}

impl Tally {
    fn count(&mut self, line: &[u8]) {
        // What every line begins with; only those are read that are rare.
        if line.starts_with(b"{\"type\":\"message\"") {
            self.messages += 1;
        } else if line.starts_with(b"{\"type\":\"gap\"") || line.starts_with(b"{\"type\":\"end\"") {
            match serde_json::from_slice(line) {
                Ok(Line::Gap(Gap { lost, .. })) => self.lost += lost,
                Ok(Line::End(end)) => {
                    self.lost = end.lost;
                    self.end = Some(end);
                }
                _ => {}
            }
        }
    }
}

async fn record(gateway: &Gateway, wanted: &Wanted, options: &Record) -> anyhow::Result<ExitCode> {
    let mut lines = gateway.lines(&format!("/v1/record?{}", wanted.query())).await?;
    let (mut file, named) = create(options)?;
    let tally = copy(&mut lines, &mut file, gateway).await;
    // What came is kept, whatever happened.
    let mut tally = match (tally, file.flush()) {
        (Ok(tally), Ok(())) => tally,
        (Err(error), _) => return Err(error),
        (_, Err(error)) => return Err(error).with_context(|| format!("cannot write {named}")),
    };
    let why = match tally.end.take().map(|end| end.why) {
        Some(Why::Bytes) => "it is as long as --max-bytes allows",
        Some(Why::Messages) => "it has as many messages as --max-messages allows",
        Some(Why::Time) => "the time is over",
        Some(Why::Stopped) => "stopped",
        None => "the gateway ended before",
    };
    let lost = if tally.lost > 0 {
        format!("; {} did not fit: --buffer, or fewer messages, is the remedy", tally.lost)
    } else {
        String::new()
    };
    eprintln!("{named}: {} messages, {why}{lost}", tally.messages);
    Ok(if why.starts_with("the gateway") { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn copy(lines: &mut Lines, file: &mut dyn Write, gateway: &Gateway) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    let mut idle = tokio::time::interval(IDLE);
    idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let written = |error: io::Error| anyhow::Error::new(error).context("cannot write the recording");
    loop {
        let line = tokio::select! {
            biased;
            _ = &mut stop => {
                let at = micros(SystemTime::now());
                let end = End { at, why: Why::Stopped, messages: tally.messages, lost: tally.lost };
                let mut line = serde_json::to_vec(&Line::End(end.clone()))?;
                line.push(b'\n');
                file.write_all(&line).map_err(written)?;
                tally.end = Some(end);
                return Ok(tally);
            }
            line = lines.next() => line,
            _ = idle.tick() => {
                file.flush().map_err(written)?;
                continue;
            }
        };
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(tally),
            Err(error) => {
                eprintln!("weir: {}: {}", gateway.name(), crate::errors::in_one_line(&error));
                return Ok(tally);
            }
        };
        tally.count(&line);
        file.write_all(&line).and_then(|()| file.write_all(b"\n")).map_err(written)?;
    }
}

/// The file: a new one, for this user alone, because there is in it what clients said.
fn create(options: &Record) -> anyhow::Result<(Box<dyn Write>, String)> {
    let path = match &options.out {
        Some(path) if path == Path::new("-") => {
            return Ok((Box::new(BufWriter::new(io::stdout())), "standard output".into()));
        }
        Some(path) => path.clone(),
        None => PathBuf::from(format!("{}.jsonl", options.listener.replace('/', "-"))),
    };
    let named = path.display().to_string();
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file: File = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{named} is there already; name another file with --out, or remove it first")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot make {named}")),
    };
    Ok((Box::new(BufWriter::new(file)), named))
}
