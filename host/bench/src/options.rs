//! The command line of `weir bench`.

use crate::payload::Mix;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What is asked for, as it is written.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// ws://HOST:PORT/PATH, wss://…, tcp://HOST:PORT, tls://…, quic://… or https://… (WebTransport). {n} in the path is the number of
    /// the connection, {group} its group
    pub url: String,

    /// How many connections
    #[arg(short, long, value_name = "N", default_value_t = 100, help_heading = "Connections")]
    pub connections: u32,
    /// Opens at most so many a second; without it, as fast as the server takes them
    #[arg(long, value_name = "PER_S", help_heading = "Connections")]
    pub ramp: Option<f64>,
    /// Connects from these addresses in turn: one address has 28,000 ports
    #[arg(long, value_name = "ADDR", value_delimiter = ',', help_heading = "Connections")]
    pub source: Vec<IpAddr>,
    /// Threads, each with its share of the connections
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Connections")]
    pub threads: usize,
    /// How tcp:// and tls:// frame messages: length:u32be (or u8, u16be, u16le, u32le, varint), line, checked, raw, delimiter:TEXT
    #[arg(long, default_value = "length:u32be", help_heading = "Connections")]
    pub framing: String,
    /// A header of the WebSocket or WebTransport request
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Connections")]
    pub header: Vec<String>,
    /// Certificates to trust, as PEM. Without it TLS trusts this machine's authorities; quic:// and https:// trust any server on loopback
    #[arg(long, value_name = "FILE", help_heading = "Connections")]
    pub ca: Option<PathBuf>,
    /// Trusts any server
    #[arg(long, conflicts_with = "ca", help_heading = "Connections")]
    pub insecure: bool,

    /// Closed loop: each connection has so many messages under way, and sends the next when one has come back; 0 sends nothing
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "rate", help_heading = "Load")]
    pub in_flight: u32,
    /// Open loop: so many messages a second, all connections together, whether answers come or not. Latency then counts from when a
    /// message should have been sent
    #[arg(long, value_name = "PER_S", help_heading = "Load")]
    pub rate: Option<f64>,
    /// Of payloads in bytes, or a mix with weights such as 64:90,4KiB:10. Under 24 bytes no marker fits, and answers are taken to come
    /// in order
    #[arg(long, value_name = "BYTES[:WEIGHT],…", default_value = "64", help_heading = "Load")]
    pub size: Mix,
    /// The payload; where it has {marker}, the marker stands. Without one, answers are taken to come in order
    #[arg(long, value_name = "FILE", conflicts_with = "size", help_heading = "Load")]
    pub payload: Option<PathBuf>,
    /// Messages are text
    #[arg(long, conflicts_with = "binary", help_heading = "Load")]
    pub text: bool,
    /// Messages are binary; so they are if nothing is said
    #[arg(long, help_heading = "Load")]
    pub binary: bool,
    /// How long is measured, such as 10s or 500ms
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = time, help_heading = "Load")]
    pub duration: Duration,
    /// How long the load runs before that
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time, help_heading = "Load")]
    pub warm_up: Duration,
    /// What does not come for so long is given up: answers, connections, the last messages at the end
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time, help_heading = "Load")]
    pub timeout: Duration,

    /// Connections are divided into so many groups; some publish, all others count what reaches them
    #[arg(long, value_name = "N", help_heading = "Groups and protocols")]
    pub groups: Option<u32>,
    /// How many connections of each group publish
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        requires = "groups",
        help_heading = "Groups and protocols"
    )]
    pub publishers: u32,
    /// What each connection says when it is open, {n} and {group} filled in; or @FILE. \r \n \xNN are those bytes
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "Groups and protocols")]
    pub hello: Option<String>,
    /// What publishers say instead
    #[arg(long, value_name = "TEXT|@FILE", requires = "groups", help_heading = "Groups and protocols")]
    pub hello_publishers: Option<String>,
    /// Where publishers connect, if elsewhere
    #[arg(long, value_name = "URL", requires = "groups", help_heading = "Groups and protocols")]
    pub publisher_url: Option<String>,
    /// A connection is open only when a message with this in it has come
    #[arg(long, value_name = "TEXT", help_heading = "Groups and protocols")]
    pub ready: Option<String>,
    /// What a message looks like around its {payload}; {size} is the payload's, {group} the group
    #[arg(
        long,
        value_name = "TEXT|@FILE",
        default_value = "{payload}",
        help_heading = "Groups and protocols"
    )]
    pub publish: String,
    /// What has this text in it is answered so, such as 'PING\r\n=PONG\r\n'
    #[arg(long, value_name = "TEXT=ANSWER", help_heading = "Groups and protocols")]
    pub answer: Vec<String>,

    /// The server's process: its CPU time for each message, and its memory; what it started is included
    #[arg(long, value_name = "PID", help_heading = "Results")]
    pub server_pid: Option<u32>,
    /// One JSON object
    #[arg(long, help_heading = "Results")]
    pub json: bool,
    /// Compares with an earlier result (--json), or with another server, in turns
    #[arg(long, value_name = "FILE|URL", help_heading = "Results")]
    pub compare: Option<String>,
    /// The process of that other server
    #[arg(long, value_name = "PID", requires = "compare", help_heading = "Results")]
    pub compare_pid: Option<u32>,
    /// Where publishers connect of that other server, if --publisher-url says where they do of this
    #[arg(long, value_name = "URL", requires = "compare", help_heading = "Results")]
    pub compare_publisher_url: Option<String>,
    /// How many pairs of runs, where two servers are compared
    #[arg(long, value_name = "N", default_value_t = 5, requires = "compare", help_heading = "Results")]
    pub pairs: u32,
    /// No bar; there is none anyway where standard error is no terminal
    #[arg(long, help_heading = "Results")]
    pub no_progress: bool,
}

/// A time with its unit, or seconds.
fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = seconds.or_else(|| humantime::parse_duration(text).ok());
    time.filter(|time| *time <= Duration::from_hours(24))
        .ok_or_else(|| "write a time such as 10s, 500ms or 2m, at most a day".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{options, settings};
    use std::process::Command;

    /// Each command of the page is one that this command line takes, and one that makes sense.
    #[test]
    fn the_page_is_right() {
        let page = include_str!("../../../docs/bench.md");
        let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
        let text: String = blocks.map(|(block, _)| block.replace("\\\n", " ")).collect();
        let commands: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("weir bench ")).collect();
        assert!(commands.len() > 6, "{commands:?}");
        for command in commands {
            // The shell knows what is quoted; no process need be there.
            let script = format!("printf '%s\\0' {}", command.replace("$(pidof weir)", "1"));
            let words = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
            let words = String::from_utf8(words).unwrap();
            let words: Vec<&str> = words.trim_end_matches('\0').split('\0').collect();
            settings(&words).unwrap_or_else(|error| panic!("{command}: {error}"));
        }
    }

    #[test]
    fn what_means_nothing_alone_is_refused() {
        for (words, needs) in [
            (["--publishers", "2"], "--groups"),
            (["--publisher-url", "ws://127.0.0.1:2"], "--groups"),
            (["--hello-publishers", "x"], "--groups"),
            (["--pairs", "3"], "--compare"),
            (["--compare-pid", "1"], "--compare"),
            (["--compare-publisher-url", "ws://127.0.0.1:2"], "--compare"),
        ] {
            let error = options(&[&["ws://127.0.0.1:1"][..], &words].concat()).unwrap_err();
            assert!(error.contains(needs), "{words:?}: {error}");
        }
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        assert_eq!(time("2.5"), Ok(Duration::from_millis(2_500)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("0"), Ok(Duration::ZERO));
        for broken in ["", "x", "-1", "25h", "NaN", "inf"] {
            assert!(time(broken).unwrap_err().contains("10s"), "{broken}");
        }
    }
}
