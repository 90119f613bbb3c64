//! A server of this program, in a process of its own.

use crate::length::Length;
use anyhow::Context;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use weir_capacity::measure::{Cpu, Fleet, Wire, cores, pin_here};

/// The payload of all experiments that do not vary it, in bytes.
pub(crate) const SIZE: usize = 64;
/// Between these many connections is the slope of a connection's memory.
pub(crate) const FEW: usize = 500;
pub(crate) const MANY: usize = 3_500;

/// Where a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the first core; the load is to stand on the second.
    FirstCore,
    /// Wherever the kernel or the server itself puts its threads.
    Anywhere,
}

/// This thread, and what it starts from now on, on these cores, where there are several.
pub(crate) fn stand(on: &[usize]) -> anyhow::Result<()> {
    if cores() > 1 {
        pin_here(on)?;
    }
    Ok(())
}

/// It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// One slice of an echo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    /// Messages a second.
    pub(crate) rate: f64,
    /// CPU time of the server, in microseconds a message.
    pub(crate) cost: f64,
}

impl Server {
    /// Starts `experiments serve OPTIONS` and waits until it listens.
    pub(crate) fn start(options: &[&str], place: Place) -> anyhow::Result<Self> {
        // What is started stands where this does.
        stand(match place {
            Place::FirstCore => &[0],
            Place::Anywhere => &[0, 1],
        })?;
        let own = std::env::current_exe()?;
        let mut child = Command::new(own)
            .arg("serve")
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a server")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("serve {options:?} said {line:?}"))?;
        let server = Self { child, address };
        if place == Place::FirstCore {
            stand(&[1])?;
        }
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Clients of an echo, each with so many messages in flight.
    pub(crate) fn clients(&self, count: usize, depth: usize) -> anyhow::Result<Fleet> {
        Ok(Fleet::connect(Wire::Tcp, self.address, count, depth, &[b'm'; SIZE])?)
    }

    /// Echoes for so long.
    pub(crate) fn slice(&self, clients: &mut Fleet, time: Duration) -> anyhow::Result<Slice> {
        let (before, begun) = (Cpu::of(self.pid())?, Instant::now());
        let messages = clients.echo(time)? as f64;
        let elapsed = begun.elapsed().as_secs_f64();
        let cpu = Cpu::of(self.pid())? - before;
        Ok(Slice { rate: messages / elapsed, cost: cpu.used.as_secs_f64() * 1e6 / messages })
    }

    /// Its resident memory, in bytes: `/proc/PID/smaps_rollup`.
    fn memory(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).context("a field")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }
}

/// Resident memory of a connection that has talked once, in bytes: the slope from [`FEW`] to [`MANY`] connections.
pub(crate) fn memory_of_a_connection(options: &[&str], length: Length) -> anyhow::Result<f64> {
    let (few, more) = (length.connections(FEW), length.connections(MANY - FEW));
    let server = Server::start(options, Place::FirstCore)?;
    let mut connected = Vec::new();
    let mut with = |count: usize| -> anyhow::Result<f64> {
        let mut clients = server.clients(count, 1)?;
        clients.echo(Duration::ZERO)?;
        connected.push(clients);
        server.memory()
    };
    let (before, after) = (with(few)?, with(more)?);
    Ok((after - before) / more as f64)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
