//! What is shown of the rates, as lines of a width.

use super::rates::{Listener, Plugin, Rates, Session};
use super::table::{Column, bytes, fit, lines, short, time};
use std::cmp::Ordering;
use std::fmt;

/// What decides the order of the plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Calls,
    Cpu,
    P99,
    Memory,
    Failures,
    Name,
}

impl Sort {
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "calls" => Self::Calls,
            "cpu" => Self::Cpu,
            "p99" => Self::P99,
            "memory" => Self::Memory,
            "failures" => Self::Failures,
            "name" => Self::Name,
            _ => return None,
        })
    }

    pub(super) fn of_key(key: u8) -> Option<Self> {
        Some(match key {
            b'c' => Self::Calls,
            b'u' => Self::Cpu,
            b'p' => Self::P99,
            b'm' => Self::Memory,
            b'f' => Self::Failures,
            b'n' => Self::Name,
            _ => return None,
        })
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Calls => "CALLS/s",
            Self::Cpu => "CPU%",
            Self::P99 => "P99",
            Self::Memory => "MEM",
            Self::Failures => "FAIL/s",
            Self::Name => "PLUGIN",
        }
    }

    /// The most first; by name, the first in the alphabet.
    fn compare(self, one: &Plugin, two: &Plugin) -> Ordering {
        let by = |read: fn(&Plugin) -> f64| read(two).total_cmp(&read(one));
        let first = match self {
            Self::Calls => by(|plugin| plugin.calls),
            Self::Cpu => by(|plugin| plugin.cpu_percent),
            Self::P99 => by(|plugin| plugin.p99_ns.unwrap_or(-1.0)),
            Self::Memory => two.memory.cmp(&one.memory),
            Self::Failures => by(|plugin| plugin.failed),
            Self::Name => Ordering::Equal,
        };
        first.then_with(|| one.name.cmp(&two.name))
    }
}

/// A screen, or a page.
pub(super) struct View<'a> {
    pub(super) rates: &'a Rates,
    pub(super) gateway: String,
    pub(super) sort: Sort,
    pub(super) width: usize,
    /// The most lines.
    pub(super) height: usize,
    pub(super) colours: bool,
    /// Instead of how the gateway is.
    pub(super) note: Option<String>,
}

const fn column(title: &'static str, width: usize, rank: u8) -> Column {
    Column { title, width, right: true, rank }
}

const fn words(title: &'static str, width: usize, rank: u8) -> Column {
    Column { title, width, right: false, rank }
}

impl View<'_> {
    fn head(&self) -> String {
        let rates = self.rates;
        let state = match (&self.note, rates.ready, rates.overload) {
            (Some(note), _, _) => note.clone(),
            (None, false, _) => "not ready".to_owned(),
            (None, true, 0) => "ready".to_owned(),
            (None, true, level) => format!("overload, step {level}"),
        };
        let time = (rates.time_us / 1_000_000) % 86_400;
        let clock = format!("{:02}:{:02}:{:02} UTC", time / 3600, time / 60 % 60, time % 60);
        let workers = format!("{} worker{}", rates.workers, if rates.workers == 1 { "" } else { "s" });
        fit(&format!("weir {}  {}  {workers}  {state}  {clock}", rates.version, self.gateway), self.width)
    }

    fn listeners(&self) -> Vec<String> {
        let columns = [
            words("LISTENER", 0, 0),
            column("SESS", 6, 0),
            column("NEW/s", 6, 2),
            column("IN/s", 6, 0),
            column("IN B/s", 7, 3),
            column("OUT/s", 6, 0),
            column("OUT B/s", 7, 3),
            column("DROP/s", 7, 0),
        ];
        let row = |listener: &Listener| {
            vec![
                listener.name.clone(),
                short(listener.sessions as f64),
                short(listener.opened),
                short(listener.received),
                short(listener.received_bytes),
                short(listener.delivered),
                short(listener.delivered_bytes),
                short(listener.dropped),
            ]
        };
        lines(&columns, &self.rates.listeners.iter().map(row).collect::<Vec<_>>(), self.width, "")
    }

    fn plugins(&self) -> Vec<String> {
        let columns = [
            words("PLUGIN", 0, 0),
            column("GEN", 4, 0),
            words("STATE", 9, 5),
            column("CALLS/s", 8, 0),
            column("CPU%", 5, 0),
            column("P50", 6, 4),
            column("P99", 6, 0),
            column("MEM", 5, 6),
            column("CHG/s", 6, 2),
            column("DROP/s", 7, 3),
            column("CLOSE/s", 7, 1),
            column("HOLD/s", 6, 1),
            column("FAIL/s", 7, 0),
        ];
        let cells = |name: String, plugin: &Plugin, state: &str| {
            vec![
                name,
                plugin.generation.clone(),
                state.to_owned(),
                short(plugin.calls),
                short(plugin.cpu_percent),
                time(plugin.p50_ns),
                time(plugin.p99_ns),
                bytes(plugin.memory),
                short(plugin.changed),
                short(plugin.dropped),
                short(plugin.closed),
                short(plugin.held),
                short(plugin.failed),
            ]
        };
        let mut plugins: Vec<&Plugin> = self.rates.plugins.iter().collect();
        plugins.sort_by(|one, two| self.sort.compare(one, two));
        let mut rows = Vec::new();
        for plugin in plugins {
            rows.push(cells(plugin.name.clone(), plugin, &plugin.state));
            for generation in &plugin.generations {
                rows.push(cells("  of these".to_owned(), generation, ""));
            }
        }
        lines(&columns, &rows, self.width, self.sort.title())
    }

    fn sessions(&self) -> Vec<String> {
        let columns = [
            words("LOUDEST", 0, 0),
            words("LISTENER", 12, 2),
            words("PEER", 21, 1),
            column("IN/s", 6, 0),
            column("IN B/s", 7, 3),
            column("OUT/s", 6, 0),
            column("OUT B/s", 7, 3),
        ];
        let row = |session: &Session| {
            vec![
                session.id.clone(),
                session.listener.clone(),
                session.peer.clone(),
                short(session.inbound),
                short(session.inbound_bytes),
                short(session.outbound),
                short(session.outbound_bytes),
            ]
        };
        lines(&columns, &self.rates.sessions.iter().map(row).collect::<Vec<_>>(), self.width, "")
    }
}

impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = fit("sort: c calls  u cpu  p p99  m memory  f failures  n name    q quits", self.width);
        let mut all = vec![(self.head(), false)];
        let mut blocks = vec![self.listeners(), self.plugins()];
        if self.rates.counts_sessions {
            blocks.push(self.sessions());
        }
        for block in blocks {
            all.push((String::new(), false));
            all.extend(block.into_iter().enumerate().map(|(at, line)| (line, at == 0)));
        }
        let live = self.height != usize::MAX;
        let room = self.height.saturating_sub(usize::from(live) * 2);
        let left_out = all.len().saturating_sub(room);
        all.truncate(room);
        for (line, is_title) in all {
            match (self.colours, is_title) {
                (true, true) => writeln!(f, "\x1b[7m{line:<width$}\x1b[0m", width = self.width)?,
                _ => writeln!(f, "{line}")?,
            }
        }
        match (live, left_out) {
            (false, _) => Ok(()),
            (true, 0) => writeln!(f, "\n{keys}"),
            (true, more) => writeln!(f, "{}\n{keys}", fit(&format!("… {more} lines more"), self.width)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(name: &str, calls: f64, memory: u64) -> Plugin {
        Plugin {
            name: name.to_owned(),
            generation: "3".into(),
            state: "active".into(),
            calls,
            memory,
            p99_ns: Some(1_234_567.0),
            ..Plugin::default()
        }
    }

    fn view(rates: &Rates, width: usize, sort: Sort) -> String {
        let gateway = "http://127.0.0.1:7900".to_owned();
        View { rates, gateway, sort, width, height: usize::MAX, colours: false, note: None }.to_string()
    }

    fn rates() -> Rates {
        let name = "a-binding-whose-name-is-as-long-as-names-may-be-that-is-64-chars";
        Rates {
            version: "0.1.0".into(),
            workers: 2,
            ready: true,
            listeners: vec![Listener {
                name: name.into(),
                sessions: 123_456,
                received: 1e6,
                ..Listener::default()
            }],
            plugins: vec![plugin(name, 1.0, 1 << 30), plugin("wordfilter", 123_456.0, 1 << 20)],
            sessions: vec![Session {
                id: "1000000001".into(),
                peer: "[2001:db8::1]:65535".into(),
                ..Session::default()
            }],
            counts_sessions: true,
            ..Rates::default()
        }
    }

    #[test]
    fn every_line_fits_whatever_the_names() {
        for width in [40, 80, 100, 200] {
            for line in view(&rates(), width, Sort::Calls).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        let narrow = view(&rates(), 80, Sort::Calls);
        for title in [
            "LISTENER", "PLUGIN", "GEN", "STATE", "CALLS/s*", "CPU%", "P50", "P99", "MEM", "DROP/s", "FAIL/s",
        ] {
            assert!(narrow.contains(title), "{title} in\n{narrow}");
        }
    }

    #[test]
    fn the_order_is_what_was_asked_for() {
        let first = |sort| {
            let page = view(&rates(), 200, sort);
            page.lines()
                .skip_while(|line| !line.starts_with("PLUGIN"))
                .nth(1)
                .unwrap()
                .starts_with("wordfilter")
        };
        assert!(first(Sort::Calls) && !first(Sort::Memory) && !first(Sort::Name));
    }
}
