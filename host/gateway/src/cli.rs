//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A programmable gateway for long-lived connections.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the gateway.
    ///
    /// Without a file it listens on loopback only: TCP 7000 (u32 length-prefixed frames), WebSocket 7001, QUIC 7002, admin 7900;
    /// it echoes what it receives through every plugin in ./plugins.
    Run(ConfigFile),
    /// Does all that a start would do, short of listening; exits 1 or 2 where a start would fail.
    Check(ConfigFile),
    /// Makes, builds and looks into plugins.
    #[command(subcommand, arg_required_else_help = true)]
    Plugin(PluginCommand),
    /// Sends lines to a gateway, or to any server that speaks the same, and prints what it answers.
    Send(Send),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration; weir.toml in the current directory if it is there and nothing is said.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Makes a plugin project that builds, with a test that passes.
    New {
        /// The project's folder; its last part is the plugin's name.
        path: PathBuf,
        /// The language.
        #[arg(long, default_value = "rust", value_parser = ["rust"])]
        lang: String,
    },
    /// Builds a plugin project to .wasm, and checks the result.
    Build {
        /// The project's folder.
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Where the .wasm goes; the project's own target folder otherwise.
        #[arg(short, long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Runs a plugin's cases: config, messages in, verdicts and effects out; exits 1 where one fails.
    Test {
        /// The project's folder, which is built first; or a .wasm file.
        #[arg(default_value = ".")]
        plugin: PathBuf,
        /// Files of cases; without any, those that the plugin carries: a project's tests/*.case.
        cases: Vec<PathBuf>,
    },
    /// Shows what a plugin is: name, version, contract, capabilities, config schema.
    Inspect {
        /// A .wasm file.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// tcp://HOST:PORT, ws://HOST:PORT/PATH, wss://…, or quic://HOST:PORT
    pub(crate) url: String,
    /// What to send; without it, the lines of standard input.
    pub(crate) text: Option<String>,
    /// How tcp:// frames messages: length:u32be (or u8, u16be, u16le, u32le, varint), line, checked, raw, delimiter:TEXT
    #[arg(long, default_value = "length:u32be")]
    pub(crate) framing: String,
    /// How long to wait for answers after the last line; 0 waits until the other side closes.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub(crate) wait: f64,
    /// Certificates to trust, as PEM. Without it wss:// trusts this machine's authorities, and quic:// any server on loopback but
    /// none elsewhere.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}
