//! Many peers at once, from one process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use weir_tests::raw::UPGRADE;

/// How many attackers connect in a second: fewer than a listener accepts, so that none waits in the kernel.
pub(crate) const PACE: u32 = 2_500;

/// Connects from one of several addresses of this machine: one has no more than 28,000 ports.
pub(crate) async fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let from = Ipv4Addr::new(127, 0, 0, 2 + (number / 1_000) as u8);
    socket.bind((from, 0).into())?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Becomes a WebSocket.
pub(crate) async fn upgrade(stream: &mut TcpStream) -> io::Result<()> {
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n{UPGRADE}\r\n", stream.peer_addr()?);
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    if head.starts_with(b"HTTP/1.1 101 ") {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
}

/// Runs this many tasks, begun [`PACE`] a second; what they give.
pub(crate) async fn paced<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let began = Instant::now();
    let mut tasks = Vec::with_capacity(count);
    for number in 0..count {
        let due = began + number as u32 * Duration::from_secs(1) / PACE;
        tokio::time::sleep_until(due.into()).await;
        tasks.push(tokio::spawn(task(number)));
    }
    let mut all = Vec::with_capacity(count);
    for task in tasks {
        all.push(task.await.expect("a task"));
    }
    all
}
