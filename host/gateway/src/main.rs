//! Weir: a programmable gateway for long-lived connections.
//!
//! The way of a message: bytes → deframer → message → inbound chain → route → (cluster | group | session | echo) → outbound chain →
//! outbound queue → framer → bytes. The codec owns the first and the last step, the core everything between, the plugin runtime what
//! the chain calls, the transports and upstreams the sockets at both ends. This binary wires them, one worker a thread.

mod admin;
mod capacity;
mod cli;
mod errors;
#[cfg(test)]
mod fuzzing;
mod log;
mod plugin_command;
mod record;
mod reload;
mod remote;
mod replay;
mod run;
mod send;
mod tap;
mod tap_command;
mod top_command;

use clap::Parser;
use cli::{Cli, Command};
use errors::in_one_line;
use std::process::ExitCode;

/// Chosen for giving memory back after a storm of connections; not compared with others yet, as docs/performance.md says.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Has a thread of the allocator give back what is free. Without it only allocating does: a gateway that its clients have left, and
/// where little happens since, would keep the memory of all of them.
#[expect(unsafe_code, reason = "the allocator looks for its settings by this name; see the safety comment")]
// SAFETY: jemalloc declares it as `const char *`, read once at the start. A reference to an array is a pointer, what it points to ends
// with a zero and is never written, and nothing else in the program has the name: jemalloc's own is weak.
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 48] = b"background_thread:true,max_background_threads:1\0";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(config) => run::run(config.file.as_deref()),
        Command::Check(config) => run::check(config.file.as_deref()),
        Command::Plugin(command) => plugin_command::run(&command),
        Command::Reload(options) => reload::run(&options),
        Command::Compile { arguments } => return weir_plugin::compile_process(&arguments),
        Command::Bench(options) => {
            return weir_bench::run(&options).unwrap_or_else(|error| {
                eprintln!("weir: {error}");
                ExitCode::from(2)
            });
        }
        Command::Send(options) => send::run(&options),
        Command::Tap(options) => tap_command::run(&options),
        Command::Top(options) => top_command::run(&options),
        Command::Record(options) => record::run(&options),
        Command::Capacity(options) => capacity::run(&options),
        Command::Replay(options) => Ok(replay::run(&options)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("weir: {}", in_one_line(&error));
        ExitCode::FAILURE
    })
}
