//! What the plugin that forwards everything costs where messages really go: an echo, with it in the chain and without.

use crate::fleet::{Fleet, Wire};
use crate::report::{heading, light, median, range};
use crate::{gateway, setting};
use std::time::{Duration, Instant};
use weir_tests::process::Cpu;

/// Of a message, in bytes.
const PAYLOAD: usize = 64;
/// Connections, messages in flight on each, and the part of the throughput that must be left with the plugin.
const CASES: [(usize, usize, Option<f64>); 4] =
    [(100, 1, Some(0.95)), (1_000, 1, Some(0.95)), (100, 16, None), (100, 64, Some(0.80))];

/// One slice of an echo.
pub(crate) struct Slice {
    /// Messages a second.
    pub(crate) rate: f64,
    /// CPU time of the gateway, in microseconds a message.
    pub(crate) cost: f64,
    /// The part of the time in which the gateway had something to do: it ran, or waited for its core.
    pub(crate) busy: f64,
    /// The same of this process.
    pub(crate) own_busy: f64,
    pub(crate) system: f64,
}

/// Both sides of a comparison, slice by slice.
struct Pairs {
    without: Vec<Slice>,
    with: Vec<Slice>,
}

pub(crate) fn run() {
    let only = std::env::var("BENCH_CASE").ok();
    for wire in [Wire::WebSocket, Wire::Tcp] {
        let gateway = gateway(&format!(
            "[[listener]]\nname = \"plain\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\nchain = []\n{0}\nlimits.ping_interval = \"0s\"\n\
             [[listener]]\nname = \"plugged\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\nchain = [\"passthrough\"]\n{0}\nlimits.ping_interval = \"0s\"\n\
             [[plugin]]\nname = \"filtered\"\nmodule = \"passthrough.wasm\"\nwhen = {{ prefix = \"x\" }}\n\
             [[listener]]\nname = \"filtered\"\nbind = \"127.0.0.1:0\"\nroute = \"echo\"\nchain = [\"filtered\"]\n{0}\nlimits.ping_interval = \"0s\"\n",
            wire.config()
        ));
        for (listener, what) in [
            ("plugged", "passthrough (called twice an echo: in and out)"),
            ("filtered", "passthrough behind a `when` that no message matches"),
        ] {
            heading(&format!("Echo over {}, {PAYLOAD} bytes: no plugin against {what}", wire.name()));
            println!(
                "{:>12} {:>10} {:>10} {:>15} {:>7} {:>9} {:>9} {:>9} {:>8} {:>6} {:>9}  bar",
                "conns × deep",
                "msg/s",
                "with",
                "ratio (range)",
                "µs/msg",
                "with",
                "added ns",
                "CPU ratio",
                "in kernel",
                "busy",
                "generator"
            );
            for (connections, depth, bar) in CASES {
                if only.as_ref().is_some_and(|only| *only != format!("{connections}x{depth}")) {
                    continue;
                }
                let payload = [b'm'; PAYLOAD];
                let mut plain = Fleet::connect(wire, gateway.address("plain"), connections, depth, &payload);
                let mut plugged =
                    Fleet::connect(wire, gateway.address(listener), connections, depth, &payload);
                let pairs = compare(gateway.pid(), &mut plain, &mut plugged);
                print(connections, depth, bar, &pairs);
            }
        }
        let (batches, calls, skipped) = {
            let metrics = gateway.metrics();
            let of = |family: &str, binding: &str| metrics.sum(family, &[("binding", binding)]);
            (
                of("plugin_batches", "passthrough"),
                of("plugin_calls", "passthrough"),
                of("plugin_messages_skipped", "filtered"),
            )
        };
        println!(
            "calls for several messages: {batches}; messages answered by passthrough: {calls}; let by by `when`: {skipped}"
        );
        let plugin = gateway.binding("passthrough").expect("it is known");
        assert_eq!(plugin["state"], "active", "it has served to the end");
        gateway.settle("everything", |metrics| metrics.sum("sessions", &[]) == 0);
    }
}

/// Slices in turn, the first of each side thrown away.
fn compare(pid: u32, plain: &mut Fleet, plugged: &mut Fleet) -> Pairs {
    let pairs = setting("BENCH_PAIRS", 7);
    let time = Duration::from_millis(setting("BENCH_MS", 400));
    let mut done = Pairs { without: Vec::new(), with: Vec::new() };
    for pair in 0..=pairs {
        // Which is first changes, so that neither always follows the other.
        let (mut without, mut with) = (None, None);
        for second in [false, true] {
            if second == (pair % 2 == 0) {
                with = Some(slice(pid, plugged, time));
            } else {
                without = Some(slice(pid, plain, time));
            }
        }
        if pair > 0 {
            done.without.extend(without);
            done.with.extend(with);
        }
    }
    done
}

/// Runs an echo for so long, and reads the clocks around it.
pub(crate) fn slice(pid: u32, fleet: &mut Fleet, time: Duration) -> Slice {
    let (cpu, own, begun) = (Cpu::of(pid), Cpu::own(), Instant::now());
    let messages = fleet.echo(time) as f64;
    let elapsed = begun.elapsed().as_secs_f64();
    let (cpu, own) = (Cpu::of(pid) - cpu, Cpu::own() - own);
    Slice {
        rate: messages / elapsed,
        cost: cpu.used.as_secs_f64() * 1e6 / messages,
        busy: (cpu.used + cpu.waited).as_secs_f64() / elapsed,
        own_busy: (own.used + own.waited).as_secs_f64() / elapsed,
        system: cpu.system_share(),
    }
}

fn print(connections: usize, depth: usize, bar: Option<f64>, pairs: &Pairs) {
    let of = |slices: &[Slice], value: fn(&Slice) -> f64| median(slices.iter().map(value).collect());
    let ratios = |value: fn(&Slice, &Slice) -> f64| -> Vec<f64> {
        pairs.without.iter().zip(&pairs.with).map(|(without, with)| value(without, with)).collect()
    };
    let throughput = ratios(|without, with| with.rate / without.rate);
    let (low, high) = range(&throughput);
    let ratio = median(throughput);
    let cpu = median(ratios(|without, with| without.cost / with.cost));
    let added = median(ratios(|without, with| (with.cost - without.cost) * 1000.0));
    let busy = of(&pairs.without, |slice| slice.busy).min(of(&pairs.with, |slice| slice.busy));
    let own = of(&pairs.without, |slice| slice.own_busy).max(of(&pairs.with, |slice| slice.own_busy));
    println!(
        "{:>12} {:>10.0} {:>10.0} {ratio:>5.2} ({low:.2}–{high:.2}) {:>7.2} {:>9.2} {added:>9.0} {cpu:>9.2} {:>7.0} % {:>4.0} % {:>7.0} %  {}",
        format!("{connections} × {depth}"),
        of(&pairs.without, |slice| slice.rate),
        of(&pairs.with, |slice| slice.rate),
        of(&pairs.without, |slice| slice.cost),
        of(&pairs.with, |slice| slice.cost),
        of(&pairs.without, |slice| slice.system) * 100.0,
        busy * 100.0,
        own * 100.0,
        match bar {
            Some(bar) => format!("{bar:.2}: {}", light(cpu.min(ratio) >= bar)),
            None => "–".into(),
        }
    );
    if busy < 0.9 {
        println!(
            "{:>12} the gateway was idle for a part of that: the generator is the limit, trust the CPU ratio",
            ""
        );
    }
}
