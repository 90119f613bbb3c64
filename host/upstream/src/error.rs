//! What goes wrong: with a cluster as it is described, and with a connection to it.

use crate::{BadEndpoint, Refusal};
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A cluster that cannot be used as it is described. The operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nowhere to connect to.
    #[error("cluster {0:?} has no endpoint: list at least one as host:port")]
    NoEndpoint(Arc<str>),
    /// An address that is none.
    #[error(transparent)]
    BadEndpoint(#[from] BadEndpoint),
    /// Nothing could ever be connected in time.
    #[error("cluster {0:?} has a connect_timeout of zero: give it some seconds")]
    NoTime(Arc<str>),
    /// Part of the upgrade request would break the request.
    #[error("cluster {cluster:?}: {what} {value:?} cannot stand in an upgrade request: {rule}")]
    BadRequest {
        /// Which cluster.
        cluster: Arc<str>,
        /// The key in the configuration.
        what: &'static str,
        /// As it is there.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The certificate could never be verified.
    #[error(
        "cluster {cluster:?}: {name:?} is no name for TLS: set tls.server_name to the DNS name or address in the certificate"
    )]
    BadServerName {
        /// Which cluster.
        cluster: Arc<str>,
        /// The configured name, or the endpoint's host.
        name: String,
    },
    /// The file with the authorities cannot be read.
    #[error("cluster {cluster:?}: cannot read tls.ca {}: {source}; check the path and its permissions", path.display())]
    UnreadableCa {
        /// Which cluster.
        cluster: Arc<str>,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file with the authorities has none that can be used.
    #[error("cluster {cluster:?}: tls.ca {} {problem}; it must hold the authorities' certificates in PEM (BEGIN CERTIFICATE)", path.display())]
    BadCa {
        /// Which cluster.
        cluster: Arc<str>,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// This machine trusts nobody.
    #[error(
        "cluster {cluster:?}: this machine has no trusted authorities{reason}; install them (often a package named ca-certificates) or set tls.ca"
    )]
    NoSystemCa {
        /// Which cluster.
        cluster: Arc<str>,
        /// Empty, or why with a colon before it.
        reason: String,
    },
    /// The TLS library refuses to work.
    #[error("cluster {cluster:?}: TLS cannot be set up: {source}")]
    Tls {
        /// Which cluster.
        cluster: Arc<str>,
        /// Why.
        source: rustls::Error,
    },
}

/// What a connection was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Addresses for the endpoint's name.
    Resolve,
    /// TCP.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The answer to the WebSocket handshake.
    Upgrade,
}

impl Step {
    /// The word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Upgrade => "upgrade",
        }
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// This process is out of descriptors or memory: another endpoint would not help, and this one is not passed over.
    Gateway,
    /// The endpoint's, or the way's to it: another may do better, and so may this one later.
    Endpoint,
}

/// Why an endpoint could not be connected to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The name was not resolved.
    #[error("{0}")]
    Resolve(#[source] io::Error),
    /// The name has no addresses.
    #[error("the name has no addresses")]
    NoAddress,
    /// TCP failed, for all addresses; this is the last one's error.
    #[error("{0}")]
    Connect(#[source] io::Error),
    /// TLS failed.
    #[error("{0}")]
    Tls(#[source] io::Error),
    /// The WebSocket handshake failed.
    #[error("{0}")]
    Upgrade(#[from] Refusal),
    /// Nothing came in the time that the cluster gives.
    #[error("no answer within {:?}", .limit)]
    TimedOut {
        /// What it waited for.
        step: Step,
        /// The cluster's connect timeout.
        limit: Duration,
    },
}

impl Cause {
    const fn step(&self) -> Step {
        match self {
            Self::Resolve(_) | Self::NoAddress => Step::Resolve,
            Self::Connect(_) => Step::Connect,
            Self::Tls(_) => Step::Tls,
            Self::Upgrade(_) => Step::Upgrade,
            Self::TimedOut { step, .. } => *step,
        }
    }

    fn fault(&self) -> Fault {
        let (Self::Resolve(error) | Self::Connect(error)) = self else { return Fault::Endpoint };
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => Fault::Gateway,
            _ => Fault::Endpoint,
        }
    }

    /// What to do.
    fn advice(&self) -> &'static str {
        if self.fault() == Fault::Gateway {
            return "raise this process's limit of open files, or lower the limits of connections";
        }
        match self {
            Self::Resolve(_) | Self::NoAddress => "check the name and this machine's resolver",
            Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "check that the service runs and listens on this port"
            }
            Self::Connect(_) => "check the address, and the routes and firewalls on the way",
            Self::Tls(error) => tls_advice(error),
            Self::Upgrade(refusal) => refusal.advice(),
            Self::TimedOut { .. } => "check that the service answers, or raise connect_timeout",
        }
    }
}

fn tls_advice(error: &io::Error) -> &'static str {
    use rustls::{CertificateError as Bad, Error as Tls};
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        // A bad signature: the authority was renewed under its old name.
        Some(Tls::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature)) => {
            "set tls.ca to the authority that signed its certificate"
        }
        Some(Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })) => {
            "set tls.server_name to a name in its certificate"
        }
        Some(Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })) => "renew its certificate",
        Some(Tls::InvalidCertificate(_)) => "give it a certificate that this gateway can verify",
        _ => "check that it speaks TLS 1.2 or 1.3 on this port",
    }
}

/// A connection that was not made. Its text is one line with the cluster, the endpoint, the step, the cause and what to do; nothing
/// that the peer said is in it unescaped.
#[derive(Debug)]
pub struct ConnectError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    cluster: Arc<str>,
    endpoint: String,
    cause: Cause,
    earlier: Option<ConnectError>,
}

impl ConnectError {
    pub(crate) fn new(cluster: Arc<str>, endpoint: String, cause: Cause) -> Self {
        Self(Box::new(Failure { cluster, endpoint, cause, earlier: None }))
    }

    /// The same, with what another endpoint failed of before.
    pub(crate) fn after(mut self, earlier: Self) -> Self {
        self.0.earlier = Some(earlier);
        self
    }

    /// The endpoint that was tried last.
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// What it was waiting for.
    pub fn step(&self) -> Step {
        self.0.cause.step()
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Whose fault.
    pub fn fault(&self) -> Fault {
        self.0.cause.fault()
    }

    /// What the endpoint that was tried before it failed of.
    pub fn earlier(&self) -> Option<&Self> {
        self.0.earlier.as_ref()
    }

    fn tried(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { endpoint, cause, .. } = &*self.0;
        write!(f, "endpoint {endpoint}: {}: {cause}; {}", self.step().as_str(), cause.advice())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {:?}: ", self.0.cluster)?;
        self.tried(f)?;
        match self.earlier() {
            Some(earlier) => {
                f.write_str(" (before it, ")?;
                earlier.tried(f)?;
                f.write_str(")")
            }
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(endpoint: &str, cause: Cause) -> ConnectError {
        ConnectError::new("backend".into(), endpoint.into(), cause)
    }

    #[test]
    fn says_it_all_in_one_line() {
        let first = failed("a:1", Cause::Connect(Errno::CONNREFUSED.into()));
        let limit = Duration::from_secs(3);
        let error = failed("b:2", Cause::TimedOut { step: Step::Tls, limit }).after(first).to_string();
        assert_eq!(
            error,
            "cluster \"backend\": endpoint b:2: tls: no answer within 3s; check that the service answers, or raise connect_timeout \
             (before it, endpoint a:1: connect: Connection refused (os error 111); check that the service runs and listens on this \
             port)"
        );
    }

    #[test]
    fn running_out_of_descriptors_is_nobody_elses_fault() {
        let error = failed("a:1", Cause::Connect(Errno::MFILE.into()));
        assert_eq!(error.fault(), Fault::Gateway);
        assert!(error.to_string().contains("open files"), "{error}");
        assert_eq!(failed("a:1", Cause::Connect(Errno::HOSTUNREACH.into())).fault(), Fault::Endpoint);
    }
}
