//! One setting of messages, measured.

use super::{Cpu, Fleet, Gateway, MeasureError, Plugged, Wire, cores, pin_here};
use crate::model::{Transport, Workload};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bursts to a group that are under way, so that neither side waits for the other at the end of each.
const UNDER_WAY: u64 = 3;
/// Before each slice: others had the core, and its caches, since the last.
const WARM_UP: Duration = Duration::from_millis(50);

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How clients are connected.
    pub transport: Transport,
    /// Clients of an echo; members of a group have their number in `fanout`.
    pub sessions: usize,
    /// Bytes of a payload.
    pub size: usize,
    /// Messages of one session that come together.
    pub burst: usize,
    /// Members of a group that each message is published to; `None`: an echo.
    pub fanout: Option<usize>,
    /// A plugin that meets inbound messages, and, where its manifest says so, outbound ones.
    pub plugin: Option<Plugged>,
    /// Calls of it for a message.
    pub calls: usize,
    /// Calls of it for each delivery to a group.
    pub copy_calls: usize,
    /// Its own work in all of them together, for a message with its deliveries; µs.
    pub plugin_us: f64,
}

/// A setting, and what a message of it cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// As the formula sees it.
    pub workload: Workload,
    /// CPU time of the gateway for an inbound message, µs.
    pub cost_us: f64,
    /// Inbound messages a second.
    pub rate: f64,
    /// The part of the time in which the gateway ran or waited for its core. Under 0.9 the client was the slower side.
    pub busy: f64,
}

/// A setting that is connected and can be measured again and again.
#[derive(Debug)]
pub struct Probe {
    gateway: Gateway,
    workload: Workload,
    /// Echoing clients, or the publisher.
    clients: Fleet,
    /// Of the group.
    members: Option<Fleet>,
    burst: usize,
}

impl Setup {
    /// As the formula sees it.
    pub fn workload(&self) -> Workload {
        Workload {
            transport: self.transport,
            talking: if self.fanout.is_some() { 1.0 } else { self.sessions as f64 },
            size: self.size as f64,
            burst: self.burst as f64,
            fanout: self.fanout.map(|members| members as f64),
            calls: self.calls as f64,
            copy_calls: self.copy_calls as f64,
            together: true,
            plugin_us: self.plugin_us,
        }
    }

    fn listeners(&self) -> String {
        let protocol = protocol(self.transport);
        let chain = if self.plugin.is_some() { "chain = [\"plugin\"]" } else { "chain = []" };
        let listener = |name: &str, more: &str| {
            format!(
                "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\n{protocol}\n{more}\n\
                 limits = {{ ping_interval = \"0s\", accept_rate = 100_000, idle_timeout = \"20m\", queue = \"8MiB\" }}\n"
            )
        };
        if self.fanout.is_none() {
            return listener("talk", &format!("route = \"echo\"\n{chain}"));
        }
        // The chain stands where the messages come from, or where they go to: a call for each message, or for each delivery.
        let (before, behind) =
            if self.copy_calls > 0 { ("chain = []", chain) } else { (chain, "chain = []") };
        listener("talk", &format!("route = \"group:g\"\n{before}"))
            + &listener("listen", &format!("route = \"drop\"\njoin = [\"g\"]\n{behind}"))
    }
}

fn wire(transport: Transport) -> Wire {
    match transport {
        Transport::Tcp => Wire::Tcp,
        Transport::WebSocket => Wire::WebSocket,
    }
}

/// Of a listener.
fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "protocol = \"websocket\"",
        Transport::Tcp => {
            "protocol = \"tcp\"\nframing = { type = \"length\", prefix = \"u32be\", max = \"1MiB\" }"
        }
    }
}

impl Probe {
    /// Starts a gateway and connects. This thread stands on the second core from now on, where there is one.
    ///
    /// # Errors
    /// The gateway does not start, or a connection is refused.
    pub fn start(program: &Path, setup: &Setup) -> Result<Self, MeasureError> {
        let wire = wire(setup.transport);
        let gateway = Gateway::start(program, &setup.listeners(), setup.plugin.as_ref())?;
        if cores() > 1 {
            pin_here(&[1])?;
        }
        let payload = vec![b'm'; setup.size];
        let connect = |listener: &str, count: usize| {
            Fleet::connect(wire, gateway.address(listener)?, count, setup.burst, &payload)
        };
        let (clients, members) = match setup.fanout {
            None => (connect("talk", setup.sessions)?, None),
            Some(count) => (connect("talk", 1)?, Some(connect("listen", count)?)),
        };
        Ok(Self { gateway, workload: setup.workload(), clients, members, burst: setup.burst })
    }

    /// Runs it for so long.
    ///
    /// # Errors
    /// A connection ended, brought something else, or stood still.
    pub fn run(&mut self, time: Duration) -> Result<Run, MeasureError> {
        let pid = self.gateway.pid();
        self.messages(WARM_UP)?;
        let (before, begun) = (Cpu::of(pid)?, Instant::now());
        let messages = self.messages(time)? as f64;
        let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), Cpu::of(pid)? - before);
        Ok(Run {
            workload: self.workload,
            cost_us: cpu.used.as_secs_f64() * 1e6 / messages.max(1.0),
            rate: messages / elapsed,
            busy: (cpu.used + cpu.waited).as_secs_f64() / elapsed,
        })
    }

    /// Inbound messages in so long.
    fn messages(&mut self, time: Duration) -> Result<u64, MeasureError> {
        let Some(members) = &mut self.members else { return self.clients.echo(time) };
        let each = (self.burst * members.len()) as u64;
        let (begun, mut sent, mut done) = (Instant::now(), 0, 0);
        while done < sent || begun.elapsed() < time {
            while sent < done + UNDER_WAY * each && begun.elapsed() < time {
                self.clients.publish(self.burst)?;
                sent += each;
            }
            done += members.collect()?;
            if begun.elapsed() > time + Duration::from_secs(20) {
                return Err(MeasureError::Talk(format!("{} deliveries did not come", sent - done)));
            }
        }
        Ok(done / members.len() as u64)
    }

    /// What a ping to one of so many idle sessions and its answer cost, µs, with a ping a second each: the middle one of so many slices.
    ///
    /// # Errors
    /// As [`Probe::start`] and [`Probe::run`]; or there were no pings.
    pub fn ping(
        program: &Path,
        transport: Transport,
        sessions: usize,
        slices: usize,
        slice: Duration,
    ) -> Result<f64, MeasureError> {
        let beats = if transport == Transport::Tcp { "heartbeat = \"frame\"\n" } else { "" };
        let gateway = Gateway::start(
            program,
            &format!(
                "[[listener]]\nname = \"idle\"\nbind = \"127.0.0.1:0\"\n{}\n{beats}route = \"echo\"\nchain = []\n\
                 limits = {{ ping_interval = \"1s\", accept_rate = 100_000, idle_timeout = \"20m\" }}\n",
                protocol(transport)
            ),
            None,
        )?;
        if cores() > 1 {
            pin_here(&[1])?;
        }
        let mut clients = Fleet::connect(wire(transport), gateway.address("idle")?, sessions, 1, b"m")?;
        clients.pongs(Duration::from_secs(1))?;
        let mut costs = Vec::new();
        for _ in 0..slices {
            let before = Cpu::of(gateway.pid())?;
            let pings = clients.pongs(slice)?;
            let cpu = Cpu::of(gateway.pid())? - before;
            if pings == 0 {
                return Err(MeasureError::Talk("the gateway sent no pings".into()));
            }
            costs.push(cpu.used.as_secs_f64() * 1e6 / pings as f64);
        }
        costs.sort_by(f64::total_cmp);
        Ok(costs.get(slices / 2).copied().unwrap_or_default())
    }
}
