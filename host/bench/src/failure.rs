//! Why connections fail, in words for people and in words to count.

use crate::conn::End;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// A reason to count, and a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) about: String,
}

impl Failure {
    pub(crate) fn new(reason: impl Into<String>, about: impl Into<String>) -> Self {
        Self { reason: reason.into(), about: about.into() }
    }

    /// A connection did not come to be.
    pub(crate) fn to_connect(error: &io::Error, address: SocketAddr) -> Self {
        let (reason, about) = match error.kind() {
            ErrorKind::ConnectionRefused => {
                ("connect_refused", format!("connection refused by {address}: is the server running?"))
            }
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => (
                "connect_ended",
                format!("{address} ended the connection before it was open: its log may say why"),
            ),
            ErrorKind::TimedOut => ("connect_timeout", format!("{address} did not answer")),
            ErrorKind::AddrNotAvailable => (
                "connect_no_port",
                format!(
                    "no local port is left for {address}, or --source is no address of this machine: give more --source addresses (127.0.0.2 and so on for loopback)"
                ),
            ),
            ErrorKind::InvalidData => (
                "connect_tls",
                format!(
                    "TLS with {address}: {error}; trust its certificate with --ca FILE, or any with --insecure"
                ),
            ),
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => {
                ("connect_no_descriptor", "no file descriptor is left: raise `ulimit -n`".to_owned())
            }
            _ => ("connect_failed", format!("cannot connect to {address}: {error}")),
        };
        Self::new(reason, about)
    }

    /// It took too long; `step` says what it was at.
    pub(crate) fn late(step: &str, address: SocketAddr) -> Self {
        Self::new(
            "connect_timeout",
            format!("{address} did not answer in time ({step}); --timeout is how long is waited"),
        )
    }

    /// A connection that was open has ended.
    pub(crate) fn to_go_on(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                Self::new("closed_reset", "the server reset the connection")
            }
            _ => Self::new("closed_failed", format!("a connection broke: {error}")),
        }
    }

    /// It asks, and does not listen: memory is not the place to keep what it should read.
    pub(crate) fn unread() -> Self {
        Self::new(
            "answers_unread",
            "the server asked for answers (pings, --answer) and did not read them: the connection was given up",
        )
    }

    /// The stream's end.
    pub(crate) fn ended() -> Self {
        Self::new("closed_eof", "the server closed the connection without a word")
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        match end {
            End::Closed(Some(code)) => Self::new(
                format!("closed_{code}"),
                format!("the server closed the connection with code {code}"),
            ),
            End::Closed(None) => Self::new("closed_1005", "the server closed the connection without a code"),
            End::Broken(error) => Self::new("protocol", format!("the server broke the protocol: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_meet_most_says_what_to_do() {
        let address = "127.0.0.1:7001".parse().unwrap();
        for (kind, reason, advice) in [
            (ErrorKind::ConnectionRefused, "connect_refused", "is the server running?"),
            (ErrorKind::AddrNotAvailable, "connect_no_port", "--source"),
            (ErrorKind::InvalidData, "connect_tls", "--ca FILE"),
        ] {
            let failure = Failure::to_connect(&kind.into(), address);
            assert!(failure.reason == reason && failure.about.contains(advice), "{failure:?}");
        }
        let failure = Failure::to_connect(&io::Error::from_raw_os_error(24), address);
        assert!(failure.about.contains("ulimit -n"), "{failure:?}");
    }
}
