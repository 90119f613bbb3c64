//! From an error of the engine to whose fault it was.

use crate::deadline::{fuel_of, limit};
use crate::host_interfaces::{Breach, Host};
use crate::store::{Budget, KvError};
use crate::symbols::MARK;
use std::fmt::Write as _;
use wasmtime::{Error, Trap, WasmBacktrace};
use weir_core::{Failure, FailureCause};

/// Frames of a trap that are told, the innermost first.
const FRAMES: usize = 8;
/// The most bytes of a detail.
const DETAIL: usize = 2048;

/// What went wrong in a call of this instance. A budget that it met is counted.
pub(crate) fn failure(error: &Error, host: &Host) -> Failure {
    let (cause, mut detail) = classify(error, host);
    if let Some(budget) = budget(error, cause, host) {
        host.store.count_hit(budget);
    }
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        frames(&mut detail, trace);
    }
    detail.truncate(detail.floor_char_boundary(DETAIL));
    Failure { cause, detail: detail.into() }
}

/// The budget that a failed call met.
fn budget(error: &Error, cause: FailureCause, host: &Host) -> Option<Budget> {
    match cause {
        FailureCause::Memory => host.limiter.refused(),
        FailureCause::Stack => Some(Budget::Stack),
        FailureCause::Deadline => Some(Budget::Deadline),
        FailureCause::HostCalls => Some(Budget::HostCalls),
        FailureCause::Kv => Some(Budget::Kv),
        FailureCause::Output if matches!(error.downcast_ref(), Some(Breach::Effects(_))) => {
            Some(Budget::Effects)
        }
        FailureCause::Output => Some(Budget::Output),
        _ => None,
    }
}

fn classify(error: &Error, host: &Host) -> (FailureCause, String) {
    if let Some(breach) = error.downcast_ref::<Breach>() {
        let cause = match breach {
            Breach::EffectInSetup(_) => FailureCause::Configure,
            Breach::Effects(_) | Breach::Output(_) | Breach::Deferred => FailureCause::Output,
            Breach::Answer(_) | Breach::Torn(_) => FailureCause::Answer,
            Breach::HostCalls(_) => FailureCause::HostCalls,
            Breach::Kv(KvError::Full { .. }) => FailureCause::Kv,
            Breach::Kv(_) | Breach::Random(_) => FailureCause::Trap,
        };
        return (cause, breach.to_string());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            (FailureCause::Deadline, format!("it ran past its deadline of {} ms", limit(host).as_millis()))
        }
        Some(Trap::OutOfFuel) => {
            let limit = limit(host);
            let detail = format!(
                "it used up {} of fuel, which stand for its deadline of {} ms",
                fuel_of(limit),
                limit.as_millis()
            );
            (FailureCause::Deadline, detail)
        }
        Some(Trap::StackOverflow) => (FailureCause::Stack, "it recursed too deeply".into()),
        _ if host.limiter.refused() == Some(Budget::Table) => (
            FailureCause::Memory,
            format!(
                "it wanted more than its {} elements of tables; max_table raises the limit",
                host.limits.table_elements
            ),
        ),
        _ if host.limiter.refused().is_some() => (
            FailureCause::Memory,
            format!(
                "it wanted more than its {} bytes of memory; memory raises the limit",
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
    let names: Vec<_> = trace
        .frames()
        .iter()
        .map(|frame| {
            let name = match frame.func_name() {
                // Without the hash at its end.
                Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
                None => format!("function {}", frame.func_index()),
            };
            // For `wasm-tools addr2line`, and for what is found in the file's own debug information.
            frame.module_offset().map_or(name.clone(), |offset| format!("{name}{MARK}{offset:x}"))
        })
        .collect();
    for (at, name) in from_own_code(&names).iter().take(FRAMES).enumerate() {
        let _ = write!(detail, "{}{name}", if at == 0 { " in " } else { " < " });
    }
}

/// The frames from the first that is not of Rust's own libraries, which panic and allocate on behalf of others; all, if there is none.
fn from_own_code(names: &[String]) -> &[String] {
    let own = names.iter().position(|name| !is_of_rust_itself(name));
    &names[own.unwrap_or(0)..]
}

fn is_of_rust_itself(name: &str) -> bool {
    const CRATES: [&str; 6] = ["core", "alloc", "std", "dlmalloc", "compiler_builtins", "__rustc"];
    const FUNCTIONS: [&str; 2] = ["__rust_", "rust_"];
    // An implementation is named after its type: `<alloc::vec::Vec<T> as …>::index`.
    let path = name.trim_start_matches(['<', '&']);
    path.split_once("::").map_or_else(
        || FUNCTIONS.iter().any(|prefix| path.starts_with(prefix)),
        |(first, _)| CRATES.contains(&first),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_is_the_plugins_own() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let panicked = names(&[
            "__rust_start_panic",
            "std::panicking::rust_panic",
            "__rustc::rust_begin_unwind",
            "core::panicking::panic_fmt",
            "<alloc::vec::Vec<T> as core::ops::index::Index<I>>::index",
            "<shop::Basket as core::iter::Iterator>::next",
            "core::iter::adapters::map::fold",
            "on-message",
        ]);
        assert_eq!(from_own_code(&panicked), &panicked[5..]);
        assert_eq!(from_own_code(&panicked[..4]), &panicked[..4]);
        assert_eq!(from_own_code(&names(&["function 7"])), ["function 7"]);
    }
}
