//! Why a load was not run.

use crate::marker;
use std::path::PathBuf;

/// What is wrong with what was asked for, or with where it was to run. Nothing was measured.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    #[error(
        "{url:?} {problem}; use tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, quic://HOST:PORT or https://HOST:PORT/PATH (WebTransport)"
    )]
    Url { url: String, problem: &'static str },
    #[error("cannot resolve {host}: {problem}")]
    Resolve { host: String, problem: String },
    #[error("--{option}: {problem}")]
    Option { option: &'static str, problem: String },
    #[error(
        "--{option}: a backslash stands before r, n, t, 0, \\, \" or xNN (two hexadecimal digits); write \\\\ for a backslash"
    )]
    Escape { option: &'static str },
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} is longer than the 64 MiB that a payload may have", path.display())]
    PayloadTooLong { path: PathBuf },
    #[error(
        "{why} needs payloads with a marker: at least {} bytes (--size), or a file with {{marker}} in it (--payload)",
        marker::LENGTH
    )]
    NeedsMarker { why: &'static str },
    #[error(
        "{connections} connections need {needed} open files, and this process may have {most}; raise `ulimit -Hn`, or open fewer"
    )]
    OpenFiles { connections: usize, needed: u64, most: u64 },
    #[error("{} holds no certificate that can be read: {problem}", path.display())]
    Ca { path: PathBuf, problem: String },
    #[error(
        "this machine has no authorities to trust; name the certificate with --ca FILE, or take any with --insecure"
    )]
    NoSystemCa,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("there is no process {pid}, or it cannot be looked at (--{option})")]
    Process { option: &'static str, pid: u32 },
    #[error("no connection could be opened: {0}")]
    NoConnection(String),
    #[error("{} is not a result of `weir bench --json`: {problem}", path.display())]
    Compare { path: PathBuf, problem: String },
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
    #[error("stopped before anything was measured")]
    Stopped,
}
