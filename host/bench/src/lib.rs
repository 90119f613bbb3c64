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
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod marker;
mod options;
mod pairs;
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
#[cfg(any(test, feature = "fuzzing"))]
mod trial;
pub mod trust;

pub use error::Error;
pub use options::Options;

use progress::Progress;
use run::Measured;
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
            Some(url) if url.contains("://") => pairs::run(options, url).await,
            earlier => {
                needs_no_url(options)?;
                single(options, earlier.map(Path::new)).await
            }
        }
    })
}

/// What is said of another server is a mistake where there is none.
fn needs_no_url(options: &Options) -> Result<(), Error> {
    let of_another = [
        ("compare-pid", options.compare_pid.is_some()),
        ("compare-publisher-url", options.compare_publisher_url.is_some()),
    ];
    match of_another.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Error::Option { option, problem: "goes with --compare URL".into() }),
        None => Ok(()),
    }
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
