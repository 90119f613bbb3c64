//! Where log lines go: human on a terminal, JSON lines elsewhere.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use weir_config::{Log, LogAccess, LogFormat};

/// Sets logging up for the process. `WEIR_LOG` overrides the level, e.g. `weir::plugin=debug,info`.
pub(crate) fn start(log: Log) {
    let level = log.level.as_str();
    let filter = std::env::var("WEIR_LOG").ok().and_then(|filter| {
        let parsed = EnvFilter::try_new(filter);
        let parsed = parsed.inspect_err(|error| {
            eprintln!("weir: WEIR_LOG is left out: {error}; write it like weir::access=debug,info");
        });
        parsed.ok()
    });
    // The crates underneath speak up only about trouble.
    let filter = filter.unwrap_or_else(|| {
        let access = if log.access == LogAccess::Off { ",weir::access=off" } else { "" };
        EnvFilter::new(format!("{level}{access},quinn=error,quinn_proto=error,hyper=error,rustls=error"))
    });
    let human = match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        _ => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if human {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).init();
    }
}
