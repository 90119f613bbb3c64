//! An endpoint in its cluster: what is counted of it.

use crate::Endpoint;
use crate::balance::Candidate;
use crate::health::Health;
use rustls::pki_types::ServerName;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) endpoint: Endpoint,
    /// What its certificate must name; `None` without TLS.
    pub(crate) server_name: Option<ServerName<'static>>,
    attempts: AtomicU64,
    failures: AtomicU64,
    /// One for each lease.
    active: AtomicUsize,
    /// Locked for a moment at both ends of an attempt; never on the way of a message.
    health: Mutex<Health>,
}

impl Member {
    pub(crate) fn new(endpoint: Endpoint, server_name: Option<ServerName<'static>>) -> Self {
        Self {
            endpoint,
            server_name,
            attempts: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            health: Mutex::default(),
        }
    }

    pub(crate) fn candidate(&self, index: usize) -> Candidate {
        Candidate { index, active: self.active.load(Ordering::Relaxed) }
    }

    pub(crate) fn is_passed_over(&self, now: Instant) -> bool {
        self.with_health(|health| health.is_passed_over(now))
    }

    /// An attempt begins. It counts as a connection from now on, so that those who choose next see it.
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
        Lease(Arc::clone(self))
    }

    pub(crate) fn succeeded(&self) {
        self.with_health(Health::succeeded);
    }

    /// The attempt failed. With `blamed` the endpoint is passed over for a while.
    pub(crate) fn failed(&self, began: Instant, blamed: bool) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if blamed {
            let now = Instant::now();
            self.with_health(|health| health.failed(began, now));
        }
    }

    pub(crate) fn stats(&self) -> EndpointStats<'_> {
        EndpointStats {
            endpoint: &self.endpoint,
            attempts: self.attempts.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            active: self.active.load(Ordering::Relaxed),
            passed_over: self.is_passed_over(Instant::now()),
        }
    }

    fn with_health<T>(&self, act: impl FnOnce(&mut Health) -> T) -> T {
        // Nothing that runs under the lock leaves it half changed.
        act(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection in its endpoint's count, until it is dropped. Keep it as long as the connection.
#[derive(Debug)]
pub struct Lease(Arc<Member>);

impl Lease {
    /// Where the connection goes.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is counted of an endpoint, as it is now.
#[derive(Clone, Debug)]
pub struct EndpointStats<'a> {
    /// Which.
    pub endpoint: &'a Endpoint,
    /// Connections begun since the start.
    pub attempts: u64,
    /// Those of them that failed. One that was given up by its caller is not among them.
    pub failures: u64,
    /// Connections now, those being made included.
    pub active: usize,
    /// Whether it failed lately and is used only if there is no other.
    pub passed_over: bool,
}
