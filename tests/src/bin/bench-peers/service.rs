//! The service behind proxies: it sends back what it reads, one `recv` and one `send` for whatever is there, on the load's core.

use anyhow::Result;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

const LISTENER: Token = Token(usize::MAX);

struct Client {
    stream: TcpStream,
    /// What the socket did not take.
    waiting: Vec<u8>,
}

/// Starts one in a thread of its own, which ends with this process.
pub(crate) fn start() -> Result<SocketAddr> {
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    std::thread::spawn(move || {
        if let Err(error) = serve(&mut poll, &listener) {
            eprintln!("the service behind the proxies: {error:#}");
        }
    });
    Ok(address)
}

fn serve(poll: &mut Poll, listener: &TcpListener) -> Result<()> {
    let mut events = Events::with_capacity(1024);
    let mut clients: HashMap<usize, Client> = HashMap::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut next = 0;
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    poll.registry().register(
                        &mut stream,
                        Token(next),
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    clients.insert(next, Client { stream, waiting: Vec::new() });
                    next += 1;
                }
            } else if let Some(client) = clients.get_mut(&event.token().0)
                && client.turn(&mut buffer).is_none()
            {
                clients.remove(&event.token().0);
            }
        }
    }
}

impl Client {
    /// Nothing when it has gone.
    fn turn(&mut self, buffer: &mut [u8]) -> Option<()> {
        loop {
            while !self.waiting.is_empty() {
                match self.stream.write(&self.waiting) {
                    Ok(length) => drop(self.waiting.drain(..length)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                    Err(_) => return None,
                }
            }
            match self.stream.read(buffer) {
                Ok(0) => return None,
                Ok(length) => {
                    let written = match self.stream.write(&buffer[..length]) {
                        Ok(written) => written,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                        Err(_) => return None,
                    };
                    self.waiting.extend(&buffer[written..length]);
                    // What one read does not fill was all there was; the next of it is another event.
                    if length < buffer.len() && self.waiting.is_empty() {
                        return Some(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                Err(_) => return None,
            }
        }
    }
}
