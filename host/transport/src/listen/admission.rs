//! How many connections a listener has, and how many of them from one client network.

use super::network::Network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weir_core::{ClientNetwork, CloseReason, Limits};

/// The entrance of a listener, over all workers.
#[derive(Debug)]
pub(crate) struct Admissions {
    counts: Arc<Counts>,
    /// Where all connections are placed if clients are not told apart.
    everybody: Arc<Place>,
}

/// One connection's place. Given back when it is dropped. A pointer alone, for every idle connection has one.
#[derive(Debug)]
pub(crate) struct Admission(Arc<Place>);

/// Connections of a listener, those in their handshakes among them.
#[derive(Debug)]
struct Counts {
    limit: usize,
    open: AtomicUsize,
    /// For one client network; 0: as many as come.
    limit_per_client: usize,
    prefixes: ClientNetwork,
    /// Only those that have connections: there are never more entries than connections.
    clients: Mutex<HashMap<Network, Arc<Place>>>,
}

/// Whose connections are counted together.
#[derive(Debug)]
struct Place {
    counts: Arc<Counts>,
    /// `None`: everybody's.
    network: Option<Network>,
    /// Connections of the network. Read and written with the table's lock held.
    open: AtomicUsize,
}

impl Admissions {
    pub(crate) fn new(limits: &Limits) -> Self {
        let counts = Arc::new(Counts {
            limit: limits.connections,
            open: AtomicUsize::new(0),
            limit_per_client: limits.connections_per_client,
            prefixes: limits.client_network,
            clients: Mutex::default(),
        });
        let everybody = Place { counts: Arc::clone(&counts), network: None, open: AtomicUsize::new(0) };
        Self { counts, everybody: Arc::new(everybody) }
    }

    /// A place for a connection from there, if there is one.
    pub(crate) fn enter(&self, peer: IpAddr) -> Result<Admission, CloseReason> {
        let counts = &self.counts;
        // Only ever a count: nothing else is read by what it says.
        if counts.open.fetch_add(1, Ordering::Relaxed) >= counts.limit {
            counts.open.fetch_sub(1, Ordering::Relaxed);
            return Err(CloseReason::TooManyConnections);
        }
        if counts.limit_per_client == 0 {
            return Ok(Admission(Arc::clone(&self.everybody)));
        }
        let network = Network::of(peer, counts.prefixes);
        let mut clients = counts.clients();
        let place = clients.entry(network).or_insert_with(|| {
            Arc::new(Place { counts: Arc::clone(counts), network: Some(network), open: AtomicUsize::new(0) })
        });
        // One that was just made has room: the limit is at least 1.
        if place.open.load(Ordering::Relaxed) >= counts.limit_per_client {
            counts.open.fetch_sub(1, Ordering::Relaxed);
            return Err(CloseReason::TooManyConnectionsPerClient);
        }
        place.open.fetch_add(1, Ordering::Relaxed);
        Ok(Admission(Arc::clone(place)))
    }

    /// Whether a further connection from there would be in the upper half of what its network may have.
    pub(crate) fn is_crowded(&self, peer: IpAddr) -> bool {
        let limit = self.counts.limit_per_client;
        if limit == 0 {
            return false;
        }
        let network = Network::of(peer, self.counts.prefixes);
        let open = self.counts.clients().get(&network).map_or(0, |place| place.open.load(Ordering::Relaxed));
        (open + 1) * 2 > limit
    }
}

impl Counts {
    fn clients(&self) -> MutexGuard<'_, HashMap<Network, Arc<Place>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Place { counts, network, open } = &*self.0;
        counts.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(network) = network {
            let mut clients = counts.clients();
            if open.fetch_sub(1, Ordering::Relaxed) == 1 {
                clients.remove(network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admissions(connections: usize, connections_per_client: usize) -> Admissions {
        Admissions::new(&Limits { connections, connections_per_client, ..Limits::default() })
    }

    fn from(client: u8) -> IpAddr {
        [192, 0, 2, client].into()
    }

    #[test]
    fn a_place_that_is_left_is_taken_again() {
        let admissions = admissions(2, 0);
        let first = admissions.enter(from(1)).unwrap();
        let _second = admissions.enter(from(1)).unwrap();
        assert_eq!(admissions.enter(from(2)).unwrap_err(), CloseReason::TooManyConnections);
        drop(first);
        assert!(admissions.enter(from(1)).is_ok());
        assert!(admissions.counts.clients().is_empty(), "nobody asked for that");
    }

    #[test]
    fn one_client_has_so_many_and_the_table_has_only_those_who_are_there() {
        let admissions = admissions(5, 2);
        let first = [admissions.enter(from(1)).unwrap(), admissions.enter(from(1)).unwrap()];
        assert_eq!(admissions.enter(from(1)).unwrap_err(), CloseReason::TooManyConnectionsPerClient);
        let second = [admissions.enter(from(2)).unwrap(), admissions.enter(from(2)).unwrap()];
        let third = admissions.enter(from(3)).unwrap();
        assert_eq!(admissions.enter(from(4)).unwrap_err(), CloseReason::TooManyConnections);
        assert_eq!(admissions.counts.clients().len(), 3);
        drop(first);
        assert_eq!(admissions.counts.clients().len(), 2);
        assert!(admissions.enter(from(1)).is_ok());
        drop((second, third));
        assert!(admissions.counts.clients().is_empty());
        assert_eq!(admissions.counts.open.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_refused_connection_leaves_nothing_behind() {
        let admissions = admissions(1, 1);
        let _first = admissions.enter(from(1)).unwrap();
        for client in 0..100 {
            assert!(admissions.enter(from(client)).is_err());
        }
        assert_eq!(admissions.counts.clients().len(), 1);
    }

    #[test]
    fn the_upper_half_is_for_those_who_have_shown_that_they_are_there() {
        let one = admissions(10, 1);
        assert!(one.is_crowded(from(1)));
        let four = admissions(10, 4);
        let _held: Vec<_> = (0..2)
            .map(|_| {
                assert!(!four.is_crowded(from(1)));
                four.enter(from(1)).unwrap()
            })
            .collect();
        assert!(four.is_crowded(from(1)) && !four.is_crowded(from(2)));
        assert!(!admissions(10, 0).is_crowded(from(1)));
    }
}
