//! From an error of the engine to whose fault it was.

use crate::host_interfaces::{Breach, Host, Phase};
use std::fmt::Write as _;
use wasmtime::{Error, Trap, WasmBacktrace};
use weir_core::{Failure, FailureCause};

/// Frames of a trap that are told, the innermost first.
const FRAMES: usize = 8;
/// The most bytes of a detail.
const DETAIL: usize = 2048;

/// What went wrong in a call of this instance.
pub(crate) fn failure(error: &Error, host: &Host) -> Failure {
    let (cause, mut detail) = classify(error, host);
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        frames(&mut detail, trace);
    }
    detail.truncate(detail.floor_char_boundary(DETAIL));
    Failure { cause, detail: detail.into() }
}

fn classify(error: &Error, host: &Host) -> (FailureCause, String) {
    if let Some(breach) = error.downcast_ref::<Breach>() {
        let cause = match breach {
            Breach::EffectInSetup(_) => FailureCause::Configure,
            Breach::Effects(_) | Breach::Output(_) => FailureCause::Output,
            Breach::Answer(_) => FailureCause::Answer,
            Breach::Kv(_) | Breach::Random(_) => FailureCause::Trap,
        };
        return (cause, breach.to_string());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            let deadline = match host.phase {
                Phase::Setup => host.limits.setup_deadline,
                Phase::Call => host.limits.deadline,
            };
            (FailureCause::Deadline, format!("it ran past its deadline of {} ms", deadline.as_millis()))
        }
        Some(Trap::StackOverflow) => (FailureCause::Stack, "it recursed too deeply".into()),
        _ if host.limiter.refused() => (
            FailureCause::Memory,
            format!(
                "it wanted more than its {} bytes of memory or its table; memory raises the limit",
                host.limits.memory
            ),
        ),
        Some(trap) => (FailureCause::Trap, trap.to_string()),
        None => {
            let root = error.root_cause().to_string();
            // The engine's own type for this is private.
            if root.contains("fuel allocated for hostcalls") {
                let most = host.limits.max_output;
                (
                    FailureCause::Output,
                    format!("it handed over more than its {most} bytes at once; max_output raises the limit"),
                )
            } else {
                (FailureCause::Answer, root)
            }
        }
    }
}

fn frames(detail: &mut String, trace: &WasmBacktrace) {
    for (at, frame) in trace.frames().iter().take(FRAMES).enumerate() {
        detail.push_str(if at == 0 { " in " } else { " < " });
        match frame.func_name() {
            Some(name) => {
                let _ = write!(detail, "{}", without_hash(name));
            }
            None => {
                let _ = write!(detail, "function {}", frame.func_index());
            }
        }
        let symbol = frame.symbols().first();
        if let Some((file, line)) = symbol.and_then(|symbol| symbol.file().zip(symbol.line())) {
            let _ = write!(detail, " ({file}:{line})");
        }
    }
}

/// A symbol without the hash that the Rust compiler puts at its end.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => path,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_cut_from_names() {
        assert_eq!(without_hash("core::panicking::panic::h0123456789abcdef"), "core::panicking::panic");
        assert_eq!(without_hash("a::hello"), "a::hello");
    }
}
