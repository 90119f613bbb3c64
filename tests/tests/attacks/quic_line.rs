//! A line between QUIC clients and the gateway: as long as one wants, and it loses what one wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;

/// What is done to datagrams, each way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) delay: Duration,
    /// Of a hundred.
    pub(crate) lost: u64,
}

/// A line that is there until this is dropped.
pub(crate) struct Laid {
    /// Where clients connect to.
    pub(crate) address: SocketAddr,
    ways: Arc<Mutex<HashMap<SocketAddr, Way>>>,
    task: tokio::task::JoinHandle<()>,
}

/// What passed between a client and the gateway. Numbers are bytes.
#[derive(Debug, Default)]
struct Way {
    to_gateway: u64,
    from_gateway: u64,
    /// The client has got something.
    heard: bool,
    /// It has sent something since.
    answered: bool,
    /// The most that had come from the gateway before, divided by what had gone there.
    most: f64,
}

impl Laid {
    /// The most that came back to a client for what it had sent, before it had answered anything.
    pub(crate) fn most(&self) -> f64 {
        self.ways.lock().unwrap().values().map(|way| way.most).fold(0.0, f64::max)
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    pub(crate) async fn lay(self, gateway: SocketAddr) -> Laid {
        let clients = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = clients.local_addr().unwrap();
        let ways = Arc::<Mutex<HashMap<SocketAddr, Way>>>::default();
        let task = tokio::spawn(self.carry(clients, gateway, Arc::clone(&ways)));
        Laid { address, ways, task }
    }

    async fn carry(
        self,
        clients: Arc<UdpSocket>,
        gateway: SocketAddr,
        ways: Arc<Mutex<HashMap<SocketAddr, Way>>>,
    ) {
        let mut sockets = HashMap::new();
        let mut luck = Luck(7);
        let mut buffer = vec![0; 65536];
        loop {
            let Ok((length, client)) = clients.recv_from(&mut buffer).await else { continue };
            let datagram = buffer[..length].to_vec();
            if !sockets.contains_key(&client) {
                let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                socket.connect(gateway).await.unwrap();
                let (back, clients, ways) = (Arc::clone(&socket), Arc::clone(&clients), Arc::clone(&ways));
                tokio::spawn(self.carry_back(back, clients, client, ways, Luck(sockets.len() as u64)));
                sockets.insert(client, socket);
            }
            if luck.is_out(self.lost) {
                continue;
            }
            let (socket, ways) = (Arc::clone(&sockets[&client]), Arc::clone(&ways));
            tokio::spawn(async move {
                tokio::time::sleep(self.delay).await;
                {
                    let mut ways = ways.lock().unwrap();
                    let way = ways.entry(client).or_default();
                    way.answered |= way.heard;
                    way.to_gateway += datagram.len() as u64;
                }
                let _ = socket.send(&datagram).await;
            });
        }
    }

    async fn carry_back(
        self,
        socket: Arc<UdpSocket>,
        clients: Arc<UdpSocket>,
        client: SocketAddr,
        ways: Arc<Mutex<HashMap<SocketAddr, Way>>>,
        mut luck: Luck,
    ) {
        let mut buffer = vec![0; 65536];
        while let Ok(length) = socket.recv(&mut buffer).await {
            {
                let mut ways = ways.lock().unwrap();
                let way = ways.entry(client).or_default();
                way.from_gateway += length as u64;
                if !way.answered {
                    way.most = way.most.max(way.from_gateway as f64 / way.to_gateway as f64);
                }
            }
            if luck.is_out(self.lost) {
                continue;
            }
            let (datagram, ways, clients) =
                (buffer[..length].to_vec(), Arc::clone(&ways), Arc::clone(&clients));
            tokio::spawn(async move {
                tokio::time::sleep(self.delay).await;
                ways.lock().unwrap().entry(client).or_default().heard = true;
                let _ = clients.send_to(&datagram, client).await;
            });
        }
    }
}

/// Chance that is the same each time (Knuth's MMIX).
struct Luck(u64);

impl Luck {
    fn is_out(&mut self, of_a_hundred: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100 < of_a_hundred
    }
}
