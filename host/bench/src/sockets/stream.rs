//! A TCP connection, with TLS or without: what is read and written is what the protocol above says.

use mio::net::TcpStream;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What TLS keeps of what the socket does not take.
const TLS_BUFFER: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    /// Begins to connect.
    pub(super) fn connect(address: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source {
            // The port is chosen when it is known where to, as it is without a source: among those that are free towards this server,
            // and not among those that are free towards everybody. A kernel that cannot finds one all the same.
            let _ = setsockopt(&socket, IpBindAddressNoPort, &true);
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(nix::Error::EINPROGRESS as i32) => {
                return Err(error);
            }
            _ => {}
        }
        Ok(Self { tcp: TcpStream::from_std(socket.into()), tls: None })
    }

    /// Whether it is connected; an error if it will not be.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.tcp.take_error()? {
            return Err(error);
        }
        match self.tcp.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// From here on through TLS.
    pub(super) fn secure(&mut self, config: &Arc<rustls::ClientConfig>, host: &str) -> io::Result<()> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| io::Error::other(error.to_string()))?;
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(TLS_BUFFER));
        self.tls = Some(Box::new(tls));
        self.flush()
    }

    /// Whether TLS is not ready yet. Goes on with it.
    pub(super) fn is_handshaking(&mut self) -> io::Result<bool> {
        let Self { tcp, tls: Some(tls) } = self else { return Ok(false) };
        while tls.is_handshaking() {
            while tls.wants_write() {
                match tls.write_tls(tcp) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
            if !tls.is_handshaking() {
                break;
            }
            match tls.read_tls(tcp) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert that says so.
                let _ = tls.write_tls(tcp);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
        self.flush()?;
        Ok(false)
    }

    /// `0` is the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { tcp, tls: Some(tls) } = self else { return self.tcp.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Ended without saying so, which many servers do.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            tls.read_tls(tcp)?;
            tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            if tls.wants_write() {
                self.flush()?;
                return self.read(buffer);
            }
        }
    }

    /// Whether a short read means that nothing is left.
    pub(super) const fn short_is_empty(&self) -> bool {
        self.tls.is_none()
    }

    /// How much was taken.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match &mut self.tls {
            None => return self.tcp.write(bytes),
            Some(tls) => tls.writer().write(bytes)?,
        };
        self.flush()?;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Whether TLS has bytes that the socket did not take.
    pub(super) fn holds_back(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Gives what TLS holds to the socket, as far as it takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Self { tcp, tls: Some(tls) } = self else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Nothing more is written. The other end is waited for elsewhere.
    pub(super) fn shut_down(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.flush();
        }
        let _ = self.tcp.shutdown(std::net::Shutdown::Write);
    }

    /// Ends it at once, without leaving a port that waits for a minute.
    pub(super) fn abort(self) {
        let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
    }
}
