//! What the kernel knows of processes: CPU time and memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Of a process and all that it started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    processes: BTreeMap<u32, Times>,
    /// Resident memory in bytes. What processes share counts for each.
    pub(crate) resident: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// User and system, in clock ticks; of all its threads, those that have ended too.
    ticks: [u64; 2],
    /// Of the threads that are there, in nanoseconds.
    exact: u64,
}

/// CPU time between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) processes: usize,
}

impl Spent {
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }

    /// As it would be in a time that is so much longer.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { user: self.user.mul_f64(factor), system: self.system.mul_f64(factor), ..self }
    }
}

/// A clock tick is 10 ms on every Linux that Rust's standard library runs on: proc(5), `USER_HZ`.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    /// Of this process alone.
    pub(crate) fn own() -> Self {
        let pid = std::process::id();
        let times = times(pid).map(|(times, _)| times).unwrap_or_default();
        Self { processes: [(pid, times)].into(), resident: resident(pid) }
    }

    /// `None`: there is no such process, or none any more.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let (first, _) = times(pid)?;
        let mut usage = Self { processes: [(pid, first)].into(), resident: resident(pid) };
        let mut children: BTreeMap<u32, Vec<(u32, Times)>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(other) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some((times, parent)) = times(other) {
                children.entry(parent).or_default().push((other, times));
            }
        }
        let mut parents = vec![pid];
        while let Some(parent) = parents.pop() {
            for (child, times) in children.remove(&parent).unwrap_or_default() {
                usage.resident += resident(child);
                usage.processes.insert(child, times);
                parents.push(child);
            }
        }
        Some(usage)
    }

    /// What was spent since an earlier look, by the processes that are there now.
    pub(crate) fn since(&self, before: &Self) -> Spent {
        let mut spent = Spent { processes: self.processes.len(), ..Spent::default() };
        for (pid, now) in &self.processes {
            let then = before.processes.get(pid).copied().unwrap_or_default();
            let ticks: [u64; 2] = std::array::from_fn(|at| now.ticks[at].saturating_sub(then.ticks[at]));
            let [user, system] = ticks.map(|ticks| TICK * ticks as u32);
            let exact = Duration::from_nanos(now.exact.saturating_sub(then.exact));
            // Ticks are coarse, and the exact time lacks threads that have ended. Close to each other, the exact one is right; it is
            // divided as the ticks are.
            let total = user + system;
            let total = if exact + 4 * TICK > total { exact } else { total };
            let in_user = user.as_secs_f64() / (user + system).as_secs_f64().max(1e-9);
            let in_user = if ticks == [0, 0] { 0.5 } else { in_user };
            spent.user += total.mul_f64(in_user);
            spent.system += total.mul_f64(1.0 - in_user);
        }
        spent
    }
}

/// `/proc/PID/stat`, and who started it.
fn times(pid: u32) -> Option<(Times, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields are counted from behind the name, which may hold anything: the parent is the 4th, utime and stime are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    // It has ended, and who started it has not looked yet.
    if fields.first() == Some(&"Z") {
        return None;
    }
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let ticks = [field(11)?, field(12)?];
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let of_thread = |name: &std::ffi::OsStr| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{}/schedstat", name.to_str()?)).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let exact = tasks.flatten().filter_map(|task| of_thread(&task.file_name())).sum();
    Some((Times { ticks, exact }, field(1)? as u32))
}

/// `/proc/PID/status`, in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_and_memory_too() {
        let before = Usage::own();
        let mut sum = 0_u64;
        // Until the kernel has seen 50 ms of it, however fast or busy the machine is.
        while Usage::own().since(&before).total() < Duration::from_millis(50) {
            for value in 0..1_000_000_u64 {
                sum = std::hint::black_box(sum.wrapping_add(value * value));
            }
        }
        assert!(before.resident > 1 << 20, "{}", before.resident);
    }

    #[test]
    fn children_are_counted() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.processes.contains_key(&child.id()), "{usage:?}");
        child.kill().unwrap();
        // Not waited for yet: the kernel still knows it.
        while Usage::of(child.id()).is_some() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(Usage::of(u32::MAX - 1).is_none());
    }
}
