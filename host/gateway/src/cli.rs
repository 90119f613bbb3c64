//! The command line.

use crate::capacity;
use crate::tap::Query;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use weir_capacity::Transport;

/// The hidden command that the gateway starts itself with, to compile a plugin.
pub(crate) const COMPILE: &str = "compile-plugin";

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
    /// Makes, builds and looks into plugins; shows and orders those of a running gateway.
    #[command(subcommand, arg_required_else_help = true)]
    Plugin(PluginCommand),
    /// Has a running gateway read its configuration again, and says what changed.
    ///
    /// Exits with 0 where what can change has changed, with 1 where it was refused and everything is as it was, and with 2 where the
    /// configuration is wrong or no gateway could be asked.
    Reload(Remote),
    /// Says what so many sessions and messages take: how busy it makes a machine, how much it could do, what runs out first.
    ///
    /// It is worked out from what was measured on one machine, which it names, with how far that was off; --calibrate measures this one
    /// for some seconds. Nothing has to run.
    #[command(arg_required_else_help = true)]
    Capacity(Capacity),
    /// Reads and compiles a plugin, for a gateway that started it.
    #[command(name = COMPILE, hide = true)]
    Compile {
        /// What the gateway says.
        #[arg(allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Records messages of a running gateway's listener, with what each plugin decided, into a file for `weir replay`.
    ///
    /// It ends when one of its bounds is reached, or with Ctrl-C. What is secret stays in the gateway: --redact for places in JSON,
    /// --no-payload for everything that clients say.
    Record(Record),
    /// Runs recorded messages through another version of a plugin, and shows where its verdicts differ.
    ///
    /// Exits with 0 where nothing is different, with 1 where something is, and with 2 where it cannot be run. The same file and the same
    /// plugin give the same output, to the byte.
    Replay(Replay),
    /// Sends lines to a gateway, or to any server that speaks the same, and prints what it answers.
    Send(Send),
    /// Loads a gateway, or any other server, and says how many messages a second it moved and how long each took.
    ///
    /// Exits with 0 where everything that was sent came back, with 1 where messages were lost, doubled or overtaken, or connections
    /// failed, and with 2 where nothing was measured.
    Bench(Box<weir_bench::Options>),
    /// Shows messages of a running gateway as they pass, with what each plugin decided and where they went.
    ///
    /// Filters narrow it down: of each that is given, one of its values must fit; of different ones, all. On a terminal a message is a
    /// line for people; elsewhere it is one of JSON.
    Tap(TapOptions),
    /// Shows what a running gateway does, live: listeners, plugins, the sessions with the most messages.
    ///
    /// In a pipe it prints a page for each interval. Keys: c, u, p, m, f, n sort by calls, cpu, p99, memory, failures, name; q quits.
    Top(TopOptions),
}

/// Which gateway a command asks.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Its admin address, http://HOST:PORT or unix:PATH, instead of that of a configuration
    #[arg(long, value_name = "ADDRESS", conflicts_with = "file")]
    pub(crate) admin: Option<String>,
    /// A file with the token that it wants, instead of that of the configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TopOptions {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Prints one page and ends
    #[arg(long)]
    pub(crate) once: bool,
    /// One line of JSON for each interval
    #[arg(long)]
    pub(crate) json: bool,
    /// Between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub(crate) interval: f64,
    /// What decides the order of plugins: calls, cpu, p99, memory, failures, name
    #[arg(long, value_name = "COLUMN", default_value = "calls")]
    pub(crate) sort: String,
    /// How many of the loudest sessions are shown; counting them costs each message a little, 0 leaves it
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) sessions: usize,
    /// Columns of a page, where standard output is no terminal
    #[arg(long, default_value_t = 100)]
    pub(crate) width: usize,
}

#[derive(Debug, Args)]
pub(crate) struct TapOptions {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Of this listener
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Vec<String>,
    /// Of this session, as the log names it
    #[arg(long, value_name = "ID")]
    pub(crate) session: Vec<String>,
    /// Of sessions in this group, and those that go to it
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Vec<String>,
    /// That met this plugin
    #[arg(long, value_name = "BINDING")]
    pub(crate) plugin: Vec<String>,
    /// Where a plugin, or the one of --plugin, decided so: forward, change, drop, close, hold, failed
    #[arg(long)]
    pub(crate) verdict: Vec<String>,
    /// That go this way: in, out
    #[arg(long)]
    pub(crate) direction: Vec<String>,
    /// text, binary
    #[arg(long)]
    pub(crate) kind: Vec<String>,
    /// What became of them: routed, queued, dropped, or the reason of a drop such as `queue_full`
    #[arg(long)]
    pub(crate) fate: Vec<String>,
    /// Only a part of them, such as 1%
    #[arg(long, value_name = "PART")]
    pub(crate) sample: Option<String>,
    /// What is sampled: session (all messages of a part of the sessions) or message
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<String>,
    /// At most so many a second; 1000 if nothing is said
    #[arg(long, value_name = "MESSAGES")]
    pub(crate) rate: Option<String>,
    /// So much of each payload, at most 65536; 256 if nothing is said
    #[arg(long, value_name = "BYTES")]
    pub(crate) payload: Option<String>,
    /// What may wait in the gateway while this end is slow; 1048576 if nothing is said
    #[arg(long, value_name = "BYTES")]
    pub(crate) buffer: Option<String>,
    /// Hides the value at this place of JSON payloads, such as /password or /cards/*/number
    #[arg(long, value_name = "POINTER")]
    pub(crate) redact: Vec<String>,
    /// Ends after so many messages
    #[arg(long, value_name = "MESSAGES")]
    pub(crate) count: Option<u64>,
    /// Ends after this time
    #[arg(long = "for", value_name = "SECONDS")]
    pub(crate) seconds: Option<f64>,
    /// Lines of JSON, on a terminal too
    #[arg(long, conflicts_with = "human")]
    pub(crate) json: bool,
    /// Lines for people, in a pipe too
    #[arg(long)]
    pub(crate) human: bool,
}

impl TapOptions {
    /// What is asked of the gateway. The error names the option, and what to write instead.
    pub(crate) fn query(&self) -> Result<Query, String> {
        let lists = [
            ("listener", &self.listener),
            ("session", &self.session),
            ("group", &self.group),
            ("plugin", &self.plugin),
            ("verdict", &self.verdict),
            ("direction", &self.direction),
            ("kind", &self.kind),
            ("fate", &self.fate),
            ("redact", &self.redact),
        ];
        let single = [
            ("sample", &self.sample),
            ("by", &self.by),
            ("rate", &self.rate),
            ("payload", &self.payload),
            ("buffer", &self.buffer),
        ];
        let mut query = Query::default();
        for (key, values) in lists {
            values.iter().try_for_each(|value| query.set(key, value.clone()))?;
        }
        for (key, value) in single {
            value.iter().try_for_each(|value| query.set(key, value.clone()))?;
        }
        Ok(query)
    }
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
    /// Shows the plugins of a running gateway: what serves, what is on trial, what was ordered and what is refused.
    List {
        /// As JSON: /v1/plugins.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Takes a plugin out of all chains of a running gateway, until `enable`: messages pass without it.
    ///
    /// It keeps its keys and counters. New files are tried, and serve nobody. Exits with 0 where it is done, with 1 where it was refused,
    /// and with 2 where no gateway could be asked; so do the other orders. They last over restarts.
    Disable(PluginOrder),
    /// Puts a plugin that was disabled back into its chains.
    Enable(PluginOrder),
    /// Ends the trial of a new version; where there is none, what served before serves again.
    ///
    /// What is taken back is not tried again until `accept`, or until another file comes.
    Rollback(PluginOrder),
    /// Has what serves now go on serving, whatever files or settings come, until `unpin`.
    Pin(PluginOrder),
    /// Ends that: the file that lies there is tried.
    Unpin(PluginOrder),
    /// Lets versions that were taken back be tried again; the file that lies there at once.
    Accept(PluginOrder),
}

#[derive(Debug, Args)]
pub(crate) struct PluginOrder {
    /// The plugin's binding, as `weir plugin list` shows it.
    pub(crate) name: String,
    /// Why, for the audit log; at most 512 bytes
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Which one
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: String,
    /// A file that is not there yet, or - for standard output; NAME.jsonl if nothing is said
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How long the file may be
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = crate::record::size)]
    pub(crate) max_bytes: u64,
    /// How many messages it may have
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(crate) max_messages: u64,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = crate::record::time)]
    pub(crate) time: Duration,
    /// What may wait in the gateway while this end is slow; what does not fit is counted in the file
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = crate::record::size)]
    pub(crate) buffer: u64,
    /// Leaves out the value at this place of JSON payloads, such as /password or /cards/*/number. Payloads that are no JSON are then left
    /// out as a whole, and so are values of attributes that plugins set
    #[arg(long, value_name = "POINTER")]
    pub(crate) redact: Vec<String>,
    /// With --redact: an attribute whose values are recorded all the same
    #[arg(long, value_name = "NAME")]
    pub(crate) keep_attribute: Vec<String>,
    /// Leaves out all payloads: to be looked at, not to be replayed
    #[arg(long)]
    pub(crate) no_payload: bool,
    /// Leaves out the plugins' configuration
    #[arg(long)]
    pub(crate) no_config: bool,
    /// Records headers that say who a client is (authorization, cookie, …) and the query of its path too
    #[arg(long)]
    pub(crate) credentials: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// What `weir record` wrote.
    pub(crate) file: PathBuf,
    /// The version to try: a .wasm file.
    #[arg(long, value_name = "WASM")]
    pub(crate) plugin: PathBuf,
    /// Its settings, as they lie beside a plugin in its directory (config, grants, limits). Without it, those that were recorded; limits
    /// and grants that it does not say are as recorded.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// In the place of which binding of the recorded chain it stands; needed where that has several.
    #[arg(long, value_name = "NAME", conflicts_with = "added")]
    pub(crate) binding: Option<String>,
    /// It stands in no one's place: it is one more, before all others.
    #[arg(long)]
    pub(crate) added: bool,
    /// Compare with this version, replayed in the same way with the settings that were recorded, and not with the recorded verdicts:
    /// then what was before the recording began makes no difference.
    #[arg(long, value_name = "WASM")]
    pub(crate) against: Option<PathBuf>,
    /// One JSON object a line: a head, each difference, a summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// How many differences are shown; all are counted.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) show: u64,
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

#[derive(Debug, Args)]
pub(crate) struct Capacity {
    /// Sessions that are connected, such as 200k or 1M
    #[arg(long, value_name = "COUNT", value_parser = capacity::count)]
    pub(crate) connections: f64,
    /// Messages a second that all of them send together, such as 50k/s
    #[arg(long, value_name = "COUNT/s", default_value = "0/s", value_parser = capacity::rate)]
    pub(crate) rate: f64,
    /// Cores, with a worker on each; those of this machine if nothing is said
    #[arg(long, value_name = "COUNT", value_parser = capacity::positive)]
    pub(crate) cores: Option<f64>,
    /// How they are connected: tcp, websocket; both without TLS
    #[arg(long, default_value = "websocket")]
    pub(crate) transport: Transport,
    /// Of a message's payload
    #[arg(long, value_name = "SIZE", default_value = "256", value_parser = crate::record::size)]
    pub(crate) size: u64,
    /// Messages of a session that come together; at least 1
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = capacity::positive)]
    pub(crate) burst: f64,
    /// How many sessions take turns in sending; all if nothing is said
    #[arg(long, value_name = "COUNT", value_parser = capacity::positive)]
    pub(crate) talking: Option<f64>,
    /// Each message goes to a group with so many members. Without it, it is echoed or forwarded to one
    #[arg(long, value_name = "COUNT", value_parser = capacity::count)]
    pub(crate) fanout: Option<f64>,
    /// A plugin in the chain that works so long on a message, such as 2us; several times for several plugins
    #[arg(long, value_name = "TIME", value_parser = capacity::microseconds)]
    pub(crate) plugin_cost: Vec<f64>,
    /// Which messages those meet
    #[arg(long, value_name = "DIRECTION", default_value = "in")]
    pub(crate) plugin_on: capacity::Meets,
    /// A plugin in the chain whose work is measured here and now, and which says itself which messages it meets
    #[arg(long, value_name = "WASM")]
    pub(crate) plugin: Option<PathBuf>,
    /// Its settings, as they lie beside a plugin in its directory
    #[arg(long, value_name = "FILE", requires = "plugin")]
    pub(crate) plugin_config: Option<PathBuf>,
    /// A message for it, instead of a JSON object that is filled up to --size
    #[arg(long, value_name = "FILE", requires = "plugin", conflicts_with = "size")]
    pub(crate) payload: Option<PathBuf>,
    /// Between two pings to a session, 0 if there are none; 30 over websocket if nothing is said, and over tcp 0, because only
    /// listeners with `heartbeat = "frame"` ping there
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ping_interval: Option<f64>,
    /// The part of each core that may be used
    #[arg(long, value_name = "PERCENT", default_value = "70%", value_parser = capacity::percent)]
    pub(crate) budget: f64,
    /// Memory for the gateway and its sockets; three quarters of this machine's if nothing is said
    #[arg(long, value_name = "SIZE", value_parser = crate::record::size)]
    pub(crate) memory: Option<u64>,
    /// What the network carries each way, such as 1Gbit/s; not asked if nothing is said
    #[arg(long, value_name = "BITS/s", value_parser = capacity::bits)]
    pub(crate) network: Option<f64>,
    /// Measures this machine for some seconds, and scales what was measured on the other
    #[arg(long)]
    pub(crate) calibrate: bool,
    /// What was measured, in a file of your own (`make experiments ONLY=capacity` writes one)
    #[arg(long, value_name = "FILE")]
    pub(crate) coefficients: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}
