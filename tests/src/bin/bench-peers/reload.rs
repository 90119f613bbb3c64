//! A change of configuration, or of a plugin, while 100 connections talk: the longest silence, and who was closed.

use crate::arena::{Arena, named};
use crate::crowd::Crowd;
use crate::dialect::{Dialect, payload};
use crate::process::{Process, SERVED, configure, directory, free_port, program};
use crate::proxies::{Services, haproxy_files};
use crate::results::{Figures, Missing, Workload};
use crate::settings::Settings;
use crate::{usage, weir};
use anyhow::{Context as _, Result};
use rustix::process::Signal;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use weir_tests::{Gateway, artifact};

pub(crate) const NAME: &str = "reload";
const CONNECTIONS: usize = 100;
const RELOADS: u32 = 3;
/// From one to the next.
const APART: Duration = Duration::from_millis(1_200);
const SYSTEMS: [&str; 5] =
    ["Weir, a plugin swapped", "Weir, configuration", "nginx reload", "HAProxy -sf", "nats-server"];

/// Something that can be told to reload.
struct Target {
    dialect: Dialect,
    reload: Box<dyn FnMut(u32) -> Result<()>>,
    pid: Box<dyn Fn() -> u32>,
}

pub(crate) fn run(settings: &Settings, services: Services) -> (Workload, Vec<Missing>) {
    let mut arena = Arena::empty(settings, NAME);
    let systems: Vec<&str> = SYSTEMS.iter().copied().filter(|name| settings.invites(name)).collect();
    let names: Vec<String> = systems.iter().map(|name| (*name).to_owned()).collect();
    arena.turns("100 × 1, three reloads", &names, |at| {
        let target = match systems[at] {
            "nginx reload" => nginx(services)?,
            "HAProxy -sf" => haproxy(services)?,
            "nats-server" => nats()?,
            name => gateway(services, name.contains("plugin")),
        };
        measure(target)
    });
    arena.close()
}

fn measure(mut target: Target) -> Result<Figures> {
    let payload = payload(64);
    let mut crowd = Crowd::connect(&target.dialect, CONNECTIONS, 1, &payload)?;
    let pids = usage::tree((target.pid)());
    let calm = crowd.exchange(Duration::from_millis(300), Duration::from_millis(900), &pids)?;
    let before = crowd.gap();
    let comers = Comers::start(target.dialect.address);
    let mut done = 0;
    let slice = crowd.exchange_with(Duration::from_millis(300), APART * (RELOADS + 1), &pids, |elapsed| {
        if done < RELOADS && elapsed >= APART * (done + 1) {
            done += 1;
            (target.reload)(done)?;
        }
        Ok(())
    })?;
    let refused = comers.end();
    Ok(named([
        ("gap", crowd.gap().as_secs_f64() * 1e3),
        ("calm", before.as_secs_f64() * 1e3),
        ("closed", crowd.closed() as f64),
        ("refused", refused as f64),
        ("kept", slice.rate / calm.rate),
    ]))
}

/// Somebody new every 5 milliseconds, who counts how often nobody took it.
struct Comers {
    over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Comers {
    fn start(address: SocketAddr) -> Self {
        let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = std::thread::spawn({
            let (over, refused) = (Arc::clone(&over), Arc::clone(&refused));
            move || {
                while !over.load(Ordering::Relaxed) {
                    if std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { over, refused, thread }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.refused.load(Ordering::Relaxed)
    }
}

const LISTENER: &str = "[[plugin]]\nname = \"passthrough\"\nmodule = \"passthrough.wasm\"\n\
     [[listener]]\nname = \"bytes\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nchain = [\"passthrough\"]\nroute = \"service\"\n\
     framing = { type = \"length\", prefix = \"u32be\", max = \"64KiB\" }\nlimits.ping_interval = \"0s\"\nlimits.accept_rate = 100_000\n";

/// Frames through a plugin to a service. The plugin's file is replaced by another build of it, or a limit of the listener changed.
fn gateway(services: Services, plugin: bool) -> Target {
    let config = format!(
        "{LISTENER}[[cluster]]\nname = \"service\"\nprotocol = \"tcp\"\nendpoints = [\"{}\"]\n\
         framing = {{ type = \"length\", prefix = \"u32be\", max = \"64KiB\" }}\n",
        services.bytes
    );
    let builds = [
        artifact::root().join("tests/fixtures/passthrough-without-batch.wasm"),
        artifact::plugin("passthrough"),
    ];
    let gateway: Rc<Gateway> = Rc::new(weir::start(&config, &[("passthrough.wasm", builds[1].clone())]));
    let dialect = Dialect::prefixed(gateway.address("bytes"));
    let pid = gateway.pid();
    let config = std::fs::read_to_string(gateway.dir().join("weir.toml")).unwrap_or(config);
    Target {
        dialect,
        pid: Box::new(move || pid),
        reload: Box::new(move |number| {
            if plugin {
                gateway.swap("passthrough.wasm", &builds[(number as usize + 1) % 2]);
                return Ok(());
            }
            // A limit that open sessions meet at once.
            let changed = config.replacen(
                "limits.accept_rate = 100_000",
                &format!("limits.accept_rate = {}", 100_000 - number),
                1,
            );
            let (part, file) = (gateway.dir().join(".weir.toml.part"), gateway.dir().join("weir.toml"));
            std::fs::write(&part, changed)?;
            std::fs::rename(&part, &file)?;
            gateway.signal("HUP");
            Ok(())
        }),
    }
}

fn nginx(services: Services) -> Result<Target> {
    let dir = directory("nginx-reload")?;
    let ports: [u16; 3] = std::array::from_fn(|_| free_port());
    let words = [
        ("port", ports[0].to_string()),
        ("web", ports[1].to_string()),
        ("script", ports[2].to_string()),
        ("backend", services.bytes.port().to_string()),
        ("web_backend", services.web.port().to_string()),
    ];
    let file = configure("nginx.conf", &dir, &words)?;
    let arguments = ["-p", &dir.display().to_string(), "-e", "stderr", "-c", &file.display().to_string()]
        .map(str::to_owned);
    let mut process =
        Process::start(SERVED, &dir, &program("nginx")?, &arguments.each_ref().map(String::as_str), &[])?;
    let address = process.answers(ports[0])?;
    Ok(hang_up(process, Dialect::prefixed(address)))
}

fn nats() -> Result<Target> {
    let dir = directory("nats-reload")?;
    let (port, tcp) = (free_port(), free_port());
    let file = configure("nats.conf", &dir, &[("port", port.to_string()), ("tcp", tcp.to_string())])?;
    let mut process =
        Process::start(SERVED, &dir, &program("nats-server")?, &["-c", &file.display().to_string()], &[])?;
    let address = process.answers(port)?;
    let text = std::fs::read_to_string(&file)?;
    let target = hang_up(process, Dialect::nats_echo(address));
    let mut signal = target.reload;
    Ok(Target {
        reload: Box::new(move |number| {
            // It wants something to change.
            std::fs::write(&file, format!("{text}\nmax_payload: {}\n", 1_000_000 + number))?;
            signal(number)
        }),
        ..target
    })
}

/// A reload by SIGHUP.
fn hang_up(process: Process, dialect: Dialect) -> Target {
    let pid = process.pid();
    Target { dialect, pid: Box::new(move || pid), reload: Box::new(move |_| process.signal(Signal::HUP)) }
}

/// Another process takes the listening sockets over from the one before it, as its guide says.
fn haproxy(services: Services) -> Result<Target> {
    let dir = directory("haproxy-reload")?;
    let (port, web) = (free_port(), free_port());
    let words = [
        ("port", port.to_string()),
        ("web", web.to_string()),
        ("backend", services.bytes.port().to_string()),
        ("web_backend", services.web.port().to_string()),
    ];
    let file = haproxy_files(&dir, &words)?.display().to_string();
    let haproxy = program("haproxy")?;
    let mut first = Process::start(SERVED, &dir, &haproxy, &["-db", "-f", &file], &[])?;
    let address = first.answers(port)?;
    let pid = first.pid();
    let all = Rc::new(RefCell::new(vec![first]));
    Ok(Target {
        dialect: Dialect::prefixed(address),
        pid: Box::new(move || pid),
        reload: Box::new(move |_| {
            let before = all.borrow().last().context("a process")?.pid().to_string();
            let socket = dir.join("admin.sock").display().to_string();
            let next = Process::start(
                SERVED,
                &dir,
                &haproxy,
                &["-db", "-f", &file, "-x", &socket, "-sf", &before],
                &[],
            )?;
            all.borrow_mut().push(next);
            Ok(())
        }),
    })
}
