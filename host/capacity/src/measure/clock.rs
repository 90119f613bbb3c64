//! What the kernel knows of a process: CPU time, and on which cores it may run.

use super::MeasureError;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs;
use std::ops::Sub;
use std::sync::OnceLock;
use std::time::Duration;

/// CPU time of all threads of a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// User and system together, to the nanosecond.
    pub used: Duration,
    /// Spent waiting for a core that others had.
    pub waited: Duration,
}

impl Cpu {
    /// `/proc/PID/task/*/schedstat`, proc(5). Threads that have ended are not in it.
    ///
    /// # Errors
    /// There is no such process.
    pub fn of(pid: u32) -> Result<Self, MeasureError> {
        let mut cpu = Self::default();
        for thread in threads(pid)? {
            // One that has just ended is not there.
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")) else {
                continue;
            };
            let mut fields = text.split_whitespace().map_while(|field| field.parse().ok());
            cpu.used += Duration::from_nanos(fields.next().unwrap_or(0));
            cpu.waited += Duration::from_nanos(fields.next().unwrap_or(0));
        }
        Ok(cpu)
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            used: self.used.saturating_sub(before.used),
            waited: self.waited.saturating_sub(before.waited),
        }
    }
}

/// Cores that this process might use before its threads were told where to stand: asked once, for those that are told see fewer.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// All threads of a process on one core.
///
/// # Errors
/// There is no such process, or no such core.
pub fn pin(pid: u32, core: usize) -> Result<(), MeasureError> {
    let mut cores = CpuSet::new();
    cores.set(core);
    for thread in threads(pid)? {
        // One that has just ended needs none.
        let _ = sched_setaffinity(Pid::from_raw(thread), &cores);
    }
    Ok(())
}

/// This thread, and what it starts from now on, on these cores.
///
/// # Errors
/// There are no such cores.
pub fn pin_here(cores: &[usize]) -> Result<(), MeasureError> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(|error| MeasureError::kernel("choose a core")(error.into()))
}

/// Lets this process, and what it starts, have as many files open as it may; gives how many that is.
pub fn open_files() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum;
    // Where it is refused, what there was stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn threads(pid: u32) -> Result<Vec<i32>, MeasureError> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .map_err(MeasureError::kernel("look into the process that is measured"))?;
    Ok(tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect())
}
