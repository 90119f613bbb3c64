//! What the kernel knows of a process: CPU time, memory, the cores that it may use.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// CPU time of all threads of a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// User and system together, to the nanosecond.
    pub used: Duration,
    /// Spent waiting for a core that others had.
    pub waited: Duration,
    /// In user space and in the kernel, to the clock tick (10 ms).
    pub ticks: [u64; 2],
}

impl Cpu {
    /// `/proc/PID/stat`, and `/proc/PID/task/*/schedstat` for what that rounds.
    pub fn of(pid: u32) -> Self {
        let mut cpu = Self::default();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
        // Fields are counted from behind the name, which may hold anything: utime and stime are the 14th and 15th of all.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        cpu.ticks =
            std::array::from_fn(|_| fields.next().and_then(|field| field.parse().ok()).expect("a time"));
        for thread in threads(pid) {
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")) else {
                continue;
            };
            let mut fields = text.split_whitespace().map_while(|field| field.parse().ok());
            cpu.used += Duration::from_nanos(fields.next().unwrap_or(0));
            cpu.waited += Duration::from_nanos(fields.next().unwrap_or(0));
        }
        cpu
    }

    /// Of this process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// The part of the time that was spent in the kernel.
    pub fn system_share(&self) -> f64 {
        let [user, system] = self.ticks.map(|ticks| ticks as f64);
        system / (user + system).max(1.0)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            used: self.used.saturating_sub(before.used),
            waited: self.waited.saturating_sub(before.waited),
            ticks: [self.ticks[0] - before.ticks[0], self.ticks[1] - before.ticks[1]],
        }
    }
}

/// Resident memory of a process, and its share of what it has in common with others; bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All pages that it has.
    pub resident: u64,
    /// Pages that others have too count in part.
    pub proportional: u64,
    /// Pages that no file is behind: what it has allocated.
    pub anonymous: u64,
}

impl Memory {
    /// `/proc/PID/smaps_rollup`.
    pub fn of(pid: u32) -> Self {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process runs");
        let of = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
        };
        Self { resident: of("Rss:"), proportional: of("Pss:"), anonymous: of("Anonymous:") }
    }
}

/// Every thread of a process, and what they start, on one core.
pub fn pin(pid: u32, core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    for thread in threads(pid) {
        // One that has just ended needs none.
        let _ = sched_setaffinity(Pid::from_raw(thread), &cores);
    }
}

/// Threads of a process, apart from each other: those whose names begin so on the first core, the others on the rest. Nothing where
/// there is one core only.
pub fn part(pid: u32, first: &str) {
    let Some(rest) = rest() else { return };
    let mut core = CpuSet::new();
    core.set(0);
    for thread in threads(pid) {
        let cores = if name_of(pid, thread).starts_with(first) { &core } else { &rest };
        // One that has just ended needs none.
        let _ = sched_setaffinity(Pid::from_raw(thread), cores);
    }
}

/// This thread, and what it starts, on all cores but the first. Nothing where there is one core only.
pub fn leave_first_core() {
    if let Some(rest) = rest() {
        sched_setaffinity(None, &rest).expect("cores that are there");
    }
}

/// This thread, and what it starts, gives way to everybody else.
pub fn give_way() {
    setpriority_process(None, 19).expect("lower is always allowed");
}

/// How long threads with names that begin so have waited for a core that others had: proc(5), `schedstat`.
pub fn waited(pid: u32, name: &str) -> Duration {
    let threads = threads(pid).into_iter().filter(|thread| name_of(pid, *thread).starts_with(name));
    threads.filter_map(|thread| waited_for_core(&format!("/proc/{pid}/task/{thread}/schedstat"))).sum()
}

/// The same, of the thread that asks.
pub fn waited_here() -> Duration {
    waited_for_core("/proc/thread-self/schedstat").expect("this thread runs, and the kernel counts")
}

/// `None` where the thread has ended.
fn waited_for_core(schedstat: &str) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// All cores but the first.
fn rest() -> Option<CpuSet> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let mut cores = CpuSet::new();
    (1..count).for_each(|core| cores.set(core));
    (count > 1).then_some(cores)
}

fn name_of(pid: u32, thread: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/task/{thread}/comm")).unwrap_or_default()
}

/// This process on one core.
pub fn pin_self(core: usize) {
    pin(std::process::id(), core);
}

/// Lets this process, and what it starts, have as many files open as it may; gives how many that is. At least `wanted`, or this panics.
pub fn open_files(wanted: u64) -> u64 {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("up to the maximum");
    let most = most.unwrap_or(u64::MAX);
    assert!(most >= wanted, "this needs {wanted} open files, and may have {most}; raise `ulimit -Hn`");
    most
}

fn threads(pid: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect()
}
