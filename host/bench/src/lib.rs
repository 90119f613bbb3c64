//! `weir bench`: a load generator for servers of long-lived connections, Weir or any other.
//!
//! The way of a message: schedule or window (`conn`) → payload with its marker (`payload`, `marker`) → template → frame
//! (weir-codec) → socket (`sockets`, `quic`) → server → socket → frames → markers → what came and what did not (`tracker`) →
//! histogram (`tally`). A client knows no socket, so that one client serves all transports.
//!
//! Threads share nothing on that way but a few counters of groups.

mod compare;
mod conn;
mod error;
mod failure;
mod marker;
mod options;
mod payload;
mod process;
mod progress;
mod quic;
mod report;
mod run;
mod schedule;
mod settings;
mod shard;
mod shared;
mod sockets;
mod tally;
mod target;
mod template;
mod tracker;
pub mod trust;

pub use error::Error;
pub use options::Options;

use progress::Progress;
use run::Measured;
use serde_json::Value;
use settings::Settings;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs what was asked for and prints what came of it. The exit code is 0 where everything that was sent came back and every connection
/// was opened and held, and 1 where not.
///
/// # Errors
/// Nothing was measured; the exit code for that is 2.
pub fn run(options: &Options) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match options.compare.as_deref() {
            Some(url) if url.contains("://") => pairs(options, url).await,
            other => single(options, other.map(Path::new)).await,
        }
    })
}

/// One run, and perhaps an earlier one beside it.
async fn single(options: &Options, earlier: Option<&Path>) -> Result<ExitCode, Error> {
    let earlier = earlier.map(|path| Ok::<_, Error>((path, compare::read(path)?))).transpose()?;
    let settings = prepare(options)?;
    let progress = Progress::new(!options.no_progress);
    let measured = run::run(&settings, options.server_pid.map(|pid| ("server-pid", pid)), &progress).await?;
    let mut result = report::json(&settings, &measured);
    if !options.json {
        print(&report::human(&settings, &measured));
    }
    if let Some((path, earlier)) = earlier {
        let name = path.display().to_string();
        let different = compare::differences(&result, &earlier);
        let pair = [(result.clone(), earlier)];
        if options.json {
            result["compare"] = compare::json(&pair, &name);
            result["compare"]["different_settings"] = different.into();
        } else {
            print(&format!("\n{}", compare::human(&pair, "this run", &name)));
            for line in different {
                print(&format!("  the settings differ, {line}\n"));
            }
        }
    }
    if options.json {
        print(&format!("{result}\n"));
    }
    Ok(code(&measured))
}

/// Runs on two servers in turns. Which is first changes, so that neither always follows the other.
async fn pairs(options: &Options, url: &str) -> Result<ExitCode, Error> {
    let others = Options { url: url.into(), ..options.clone() };
    let sides = [prepare(options)?, prepare(&others)?];
    let pids = [
        options.server_pid.map(|pid| ("server-pid", pid)),
        options.compare_pid.map(|pid| ("compare-pid", pid)),
    ];
    let progress = Progress::new(!options.no_progress);
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    let mut clean = true;
    for pair in 0..options.pairs {
        let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
        let mut results = [Value::Null, Value::Null];
        let mut early = false;
        for side in order {
            progress.set_prefix(format!("pair {} of {}, {} ", pair + 1, options.pairs, ["A", "B"][side]));
            let measured = match run::run(&sides[side], pids[side], &progress).await {
                // What was measured before is still told.
                Err(Error::Stopped) if !pairs.is_empty() => {
                    early = true;
                    break;
                }
                other => other?,
            };
            early |= measured.early;
            clean &= report::is_clean(&measured);
            results[side] = report::json(&sides[side], &measured);
            if early {
                break;
            }
        }
        if early && pairs.is_empty() {
            return Err(Error::Stopped);
        }
        if early {
            break;
        }
        let [one, other] = results;
        pairs.push((one, other));
    }
    if options.json {
        let mut result = pairs[0].0.clone();
        result["compare"] = compare::json(&pairs, url);
        result["compare"]["results"] =
            pairs.into_iter().map(|(one, other)| Value::from(vec![one, other])).collect();
        print(&format!("{result}\n"));
    } else {
        print(&compare::human(&pairs, &options.url, url));
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prepare(options: &Options) -> Result<Arc<Settings>, Error> {
    let settings = Arc::new(Settings::new(options)?);
    run::open_files(&settings)?;
    Ok(settings)
}

fn code(measured: &Measured) -> ExitCode {
    if report::is_clean(measured) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Who does not read to the end does not want the rest.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
