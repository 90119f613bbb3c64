//! Two servers in turns.

use crate::progress::Progress;
use crate::settings::Settings;
use crate::{Error, Options, compare, prepare, print, report};
use serde_json::Value;
use std::process::ExitCode;
use std::sync::Arc;

/// One server, and its process where it is looked at.
struct Side {
    name: &'static str,
    settings: Arc<Settings>,
    pid: Option<(&'static str, u32)>,
}

/// Runs on both, so many times as is asked for.
pub(crate) async fn run(options: &Options, url: &str) -> Result<ExitCode, Error> {
    if options.publisher_url.is_some() != options.compare_publisher_url.is_some() {
        let problem = "give it and --publisher-url, or none of them: what is published at one server reaches nobody of the other".into();
        return Err(Error::Option { option: "compare-publisher-url", problem });
    }
    let others =
        Options { url: url.into(), publisher_url: options.compare_publisher_url.clone(), ..options.clone() };
    let pid = |option, pid: Option<u32>| pid.map(|pid| (option, pid));
    let sides = [
        Side { name: "A", settings: prepare(options)?, pid: pid("server-pid", options.server_pid) },
        Side { name: "B", settings: prepare(&others)?, pid: pid("compare-pid", options.compare_pid) },
    ];
    let progress = Progress::new(!options.no_progress);
    let (mut pairs, mut clean, mut ended) = (Vec::new(), true, Ok(()));
    for number in 0..options.pairs {
        let prefix = format!("pair {} of {}", number + 1, options.pairs);
        match pair(&sides, number % 2 == 1, &prefix, &progress).await {
            Ok((results, went_well)) => {
                clean &= went_well;
                pairs.push(results);
            }
            // What was measured before is still told.
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let told = !pairs.is_empty();
    if told {
        tell(options, url, pairs);
    }
    match ended {
        Err(Error::Stopped) if told => {}
        ended => ended?,
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A run on each. Which is first changes, so that neither always follows the other. Gives whether both went as they should; half of a pair
/// is none.
async fn pair(
    sides: &[Side; 2],
    turned: bool,
    prefix: &str,
    progress: &Progress,
) -> Result<((Value, Value), bool), Error> {
    let mut results = [Value::Null, Value::Null];
    let mut clean = true;
    for at in if turned { [1, 0] } else { [0, 1] } {
        let Side { name, settings, pid } = &sides[at];
        progress.set_prefix(format!("{prefix}, {name} "));
        let measured = crate::run::run(settings, *pid, progress).await?;
        if measured.early {
            return Err(Error::Stopped);
        }
        clean &= report::is_clean(&measured);
        results[at] = report::json(settings, &measured);
    }
    Ok((results.into(), clean))
}

fn tell(options: &Options, url: &str, pairs: Vec<(Value, Value)>) {
    if options.json {
        let mut result = pairs[0].0.clone();
        result["compare"] = compare::json(&pairs, url);
        result["compare"]["results"] =
            pairs.into_iter().map(|(one, other)| Value::from(vec![one, other])).collect();
        print(&format!("{result}\n"));
    } else {
        print(&compare::human(&pairs, &options.url, url));
    }
}
