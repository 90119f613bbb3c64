//! Sockets: bound before anything starts, one a listener and worker.

use super::{Admissions, Listener, ListenerSpec, Overload, Protocol};
use crate::upgrade::Rules;
use crate::{quic, tls};
use socket2::{Domain, Socket as RawSocket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use tokio::sync::watch;
use weir_core::ListenerId;

/// Connections that wait to be accepted, for each worker.
const BACKLOG: i32 = 4096;
/// Bytes that wait in a QUIC socket, each way.
const UDP_BUFFER: usize = 2 * 1024 * 1024;

/// Why a listener cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens there.
    #[error("listener \"{listener}\": {address} is in use; stop what listens there, or change `bind`")]
    InUse {
        /// Which listener.
        listener: Arc<str>,
        /// Its address.
        address: SocketAddr,
    },
    /// The system refuses the address.
    #[error(
        "listener \"{listener}\": cannot listen on {address}: {source}; change `bind` to an address of this machine and a port that its user may use"
    )]
    Refused {
        /// Which listener.
        listener: Arc<str>,
        /// Its address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// QUIC is always encrypted.
    #[error("listener \"{listener}\": QUIC needs a certificate; set `tls`")]
    NoCertificate {
        /// Which listener.
        listener: Arc<str>,
    },
    /// The certificate's settings do not do for QUIC.
    #[error("listener \"{listener}\": its `tls` does not do for QUIC: {reason}")]
    Tls {
        /// Which listener.
        listener: Arc<str>,
        /// Why.
        reason: String,
    },
}

/// All listeners of the process, bound.
#[derive(Debug)]
pub struct Listeners {
    addresses: Vec<(ListenerId, SocketAddr)>,
    stop: watch::Sender<bool>,
}

/// One worker's sockets. See [`Share::serve`].
#[derive(Debug)]
pub struct Share {
    pub(super) sockets: Vec<(Arc<Listener>, Socket)>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) overload: Arc<Overload>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Binds every listener for so many workers: one share each. Nothing is accepted before [`Share::serve`], though the kernel lets TCP
/// clients connect from now on. `overload` is asked before each connection.
///
/// # Errors
/// The first listener that cannot be. What was bound before it is let go.
pub fn bind(
    specs: Vec<ListenerSpec>,
    workers: usize,
    overload: &Arc<Overload>,
) -> Result<(Listeners, Vec<Share>), BindError> {
    let (stop, stopped) = watch::channel(false);
    let mut addresses = Vec::new();
    let share = || Share { sockets: Vec::new(), stop: stopped.clone(), overload: Arc::clone(overload) };
    let mut shares: Vec<_> = (0..workers).map(|_| share()).collect();
    for spec in specs {
        let listener = Arc::new(prepare(spec, workers)?);
        let mut address = listener.spec.bind;
        for (worker, share) in shares.iter_mut().enumerate() {
            let (socket, bound) = open(&listener.spec.protocol, address, worker == 0, workers > 1)
                .map_err(|source| refused(&listener.spec, source))?;
            // The first worker's port, where the system chose it, is everybody's.
            address = bound;
            share.sockets.push((Arc::clone(&listener), socket));
        }
        addresses.push((listener.spec.id, address));
    }
    Ok((Listeners { addresses, stop }, shares))
}

impl Listeners {
    /// Where each listens, with the port that the system chose where it was 0.
    pub fn addresses(&self) -> &[(ListenerId, SocketAddr)] {
        &self.addresses
    }

    /// Stops accepting, on all workers: their sockets close. Sessions go on. So do handshakes that have begun, but what comes of them
    /// is closed at once with [`Shutdown`](weir_core::CloseReason::Shutdown).
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

fn prepare(spec: ListenerSpec, workers: usize) -> Result<Listener, BindError> {
    let (mut tls, mut quic, mut rules) = (None, None, None);
    match &spec.protocol {
        Protocol::Tcp { .. } => tls.clone_from(&spec.tls),
        Protocol::WebSocket { path, origins, subprotocols, deflate } => {
            tls = spec.tls.as_deref().map(|config| tls::with_alpn(config, tls::HTTP));
            let plain = Rules::new(path, origins.as_deref(), subprotocols, *deflate);
            rules = Some(plain.resumable(spec.resume.is_some()));
        }
        Protocol::Quic { .. } => {}
        Protocol::WebTransport { path, origins, .. } => {
            rules = Some(Rules::new(path, origins.as_deref(), &[], false));
        }
    }
    if spec.protocol.is_quic() {
        let listener = Arc::clone(&spec.name);
        let Some(config) = &spec.tls else { return Err(BindError::NoCertificate { listener }) };
        let config = quic::server_config(config, &spec.limits, &spec.protocol);
        quic = Some(config.map_err(|reason| BindError::Tls { listener, reason })?);
    }
    let admissions = Admissions::new(&spec.limits);
    Ok(Listener { spec, admissions, tls, quic, rules, workers })
}

fn open(
    protocol: &Protocol,
    address: SocketAddr,
    first: bool,
    shared: bool,
) -> io::Result<(Socket, SocketAddr)> {
    let udp = protocol.is_quic();
    let domain = Domain::for_address(address);
    let socket = RawSocket::new(domain, if udp { Type::DGRAM } else { Type::STREAM }, None)?;
    socket.set_nonblocking(true)?;
    if udp {
        // All clients of the worker share these: a burst of handshakes is not to push out what sessions send. The kernel gives what
        // its limits allow.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER);
        let _ = socket.set_send_buffer_size(UDP_BUFFER);
    } else {
        // A restart is not to wait for what the last run's connections left behind.
        socket.set_reuse_address(true)?;
    }
    // The first socket is bound alone, and shares its port afterwards: so a port that another process holds is an error, even if
    // that is a gateway too and would share it; and a port that the system chooses is nobody else's.
    if shared && !first {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    if shared && first {
        socket.set_reuse_port(true)?;
    }
    if udp {
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr()?;
        return Ok((Socket::Udp(socket), address));
    }
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((Socket::Tcp(socket), address))
}

fn refused(spec: &ListenerSpec, source: io::Error) -> BindError {
    let (listener, address) = (Arc::clone(&spec.name), spec.bind);
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { listener, address },
        _ => BindError::Refused { listener, address, source },
    }
}
