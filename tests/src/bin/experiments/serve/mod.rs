//! The servers that are compared. Each echoes length-prefixed messages; they differ in who does it, from which memory, and when it is written.

mod bare;
mod pools;
mod tasks;

use anyhow::{Context, bail};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// What one read takes.
const READ: usize = 64 * 1024;
/// The token of the listening socket, where connections are known by numbers.
const LISTENER: u64 = u64::MAX;

/// Where the memory for a read comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// The thread has one buffer for all its connections.
    Shared,
    /// A stack of buffers of 16 KiB: one is taken when there is something to read, and put back.
    Pool,
    /// Allocated when there is something to read, and freed.
    Fresh,
    /// Each connection has 16 KiB for as long as it lives.
    Own,
}

/// What a server is told, as `key=value`.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of an experiment")]
struct Options {
    threads: usize,
    memory: Memory,
    nodelay: bool,
    /// Messages of a write; 0: all that are there.
    flush: usize,
    /// How long what is to be written may wait for more.
    delay: Duration,
    /// Each message goes to every other connection, not back.
    group: bool,
    /// What each message takes beside.
    work: Duration,
    /// Tasks may move between the threads.
    steal: bool,
    /// Only the first of the threads accepts.
    uneven: bool,
}

/// Runs a server until standard input ends or it is killed.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (kind, settings) = arguments.split_first().context("serve what?")?;
    let options = Options::parse(settings)?;
    let server: fn(&Options) -> anyhow::Result<()> = match kind.as_str() {
        "tasks" => tasks::run,
        "loop" => bare::run,
        "handoff" => pools::handoff,
        "ready" => pools::ready,
        "threads" => pools::threads,
        _ => bail!("there is no server \"{kind}\""),
    };
    // Whoever started this may be killed without a word.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    server(&options)
}

impl Options {
    fn parse(settings: &[String]) -> anyhow::Result<Self> {
        let pairs: HashMap<&str, &str> = settings
            .iter()
            .map(|text| text.split_once('=').context("key=value"))
            .collect::<Result<_, _>>()?;
        let number = |key: &str, default: u64| {
            pairs.get(key).map_or(Ok(default), |text| text.parse::<u64>()).with_context(|| key.to_owned())
        };
        Ok(Self {
            threads: number("threads", 1)? as usize,
            memory: match pairs.get("memory").copied() {
                None | Some("shared") => Memory::Shared,
                Some("pool") => Memory::Pool,
                Some("fresh") => Memory::Fresh,
                Some("own") => Memory::Own,
                Some(other) => bail!("there is no memory \"{other}\""),
            },
            nodelay: number("nodelay", 1)? == 1,
            flush: number("flush", 0)? as usize,
            delay: Duration::from_micros(number("delay_us", 0)?),
            group: number("group", 0)? == 1,
            work: Duration::from_nanos(number("work_ns", 0)?),
            steal: number("steal", 0)? == 1,
            uneven: number("uneven", 0)? == 1,
        })
    }
}

/// A listening socket; several may have the same address.
fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Any port of loopback.
fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Somebody who waits to be let in, if there is one.
fn accept(listener: &TcpListener, options: &Options) -> anyhow::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nodelay(options.nodelay)?;
            stream.set_nonblocking(true)?;
            Ok(Some(stream))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits for something to do; `None`: for ever.
fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>, timeout: Option<&Timespec>) -> anyhow::Result<()> {
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), timeout) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Tells whoever started this where to connect.
fn announce(listener: &TcpListener) -> anyhow::Result<()> {
    println!("{}", listener.local_addr()?);
    Ok(())
}
