//! How hard the process is pressed: memory, descriptors, lateness of the workers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use weir_config::MemoryLimit;

/// So many measurements in a row must find a worker late: one hiccup is none of overload's.
const LATE: usize = 5;

/// Use as a part of what there is; above 1 where more is used than should be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pressure {
    pub(crate) memory: f64,
    pub(crate) descriptors: f64,
    pub(crate) delay: f64,
}

impl Pressure {
    pub(crate) fn highest(&self) -> f64 {
        self.memory.max(self.descriptors).max(self.delay)
    }

    /// By metric label.
    pub(crate) fn each(&self) -> [(&'static str, f64); 3] {
        [("memory", self.memory), ("descriptors", self.descriptors), ("delay", self.delay)]
    }
}

/// A worker's sign of life: when it is due next, and how late the last one was. In microseconds since the start.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    due: AtomicU64,
    late: AtomicU64,
}

impl Beat {
    pub(crate) fn expect(&self, due: Duration) {
        self.due.store(micros(due), Ordering::Relaxed);
    }

    pub(crate) fn came(&self, late: Duration) {
        self.late.store(micros(late), Ordering::Relaxed);
    }

    /// How late the worker is: one that hangs shows by the beat that does not come.
    fn late(&self, now: Duration) -> Duration {
        let due = self.due.load(Ordering::Relaxed);
        let missing = if due == 0 { 0 } else { micros(now).saturating_sub(due) };
        Duration::from_micros(self.late.load(Ordering::Relaxed).max(missing))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Reads what the system and the workers say.
pub(crate) struct Meter {
    memory: MemoryLimit,
    delay: Duration,
    beats: Arc<[Beat]>,
    began: Instant,
    /// The last measurements of each worker.
    lateness: Vec<[Duration; LATE]>,
    turn: usize,
    /// Directories of the control group and of those above it.
    groups: Vec<PathBuf>,
}

impl Meter {
    pub(crate) fn new(config: &weir_config::Overload, beats: Arc<[Beat]>, began: Instant) -> Self {
        Self {
            memory: config.memory,
            delay: config.delay,
            lateness: vec![[Duration::ZERO; LATE]; beats.len()],
            beats,
            began,
            turn: 0,
            groups: fs::read_to_string("/proc/self/cgroup").map(|text| groups(&text)).unwrap_or_default(),
        }
    }

    /// The pressure now, and how many descriptors there may be. What the system does not tell is no pressure.
    pub(crate) fn measure(&mut self) -> (Pressure, Option<usize>) {
        let limit = fs::read_to_string("/proc/self/limits").ok().and_then(|text| open_files(&text));
        let descriptors = limit.map_or(0.0, |limit| part(descriptors(), limit));
        (Pressure { memory: self.memory(), descriptors, delay: self.lateness() }, limit)
    }

    fn memory(&self) -> f64 {
        let own =
            fs::read_to_string("/proc/self/status").ok().and_then(|text| kib(&text, "VmRSS:")).unwrap_or(0);
        match self.memory {
            MemoryLimit::Bytes(limit) => part(own, limit),
            MemoryLimit::Auto => match self.left() {
                // What others use is neither this process's fault nor its to give back: only what is left counts beside its own.
                Some(left) => part(own, own.saturating_add(left)),
                None => 0.0,
            },
        }
    }

    /// Bytes that are left, on the machine or in the control group: the least.
    fn left(&self) -> Option<usize> {
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemAvailable:"));
        self.groups.iter().filter_map(|group| left_in(group)).chain(machine).min()
    }

    fn lateness(&mut self) -> f64 {
        if self.delay.is_zero() {
            return 0.0;
        }
        let now = self.began.elapsed();
        self.turn = (self.turn + 1) % LATE;
        let mut worst = Duration::ZERO;
        for (beat, lately) in self.beats.iter().zip(&mut self.lateness) {
            lately[self.turn] = beat.late(now);
            worst = worst.max(lately.iter().min().copied().unwrap_or_default());
        }
        worst.as_secs_f64() / self.delay.as_secs_f64()
    }
}

fn part(used: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { used as f64 / all as f64 }
}

/// Descriptors that are open. The size of the directory says it (proc(5), since Linux 6.2); before that they are counted.
fn descriptors() -> usize {
    let path = Path::new("/proc/self/fd");
    let told = fs::metadata(path).map_or(0, |directory| directory.len() as usize);
    if told > 0 { told } else { fs::read_dir(path).map_or(0, Iterator::count) }
}

/// The soft limit of `/proc/self/limits`; `None`: there is none.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The bytes of a line of `/proc` that counts KiB.
fn kib(text: &str, key: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim().parse().ok().map(|kib: usize| kib.saturating_mul(1024))
}

/// Where the process is in the hierarchy of control groups (cgroup v2, `0::/path`), the innermost first.
fn groups(cgroup: &str) -> Vec<PathBuf> {
    let Some(path) = cgroup.lines().find_map(|line| line.strip_prefix("0::/")) else { return Vec::new() };
    let root = Path::new("/sys/fs/cgroup");
    let inner = root.join(path);
    inner.ancestors().take_while(|group| group.starts_with(root)).map(Path::to_owned).collect()
}

/// Bytes that a group has left; pages of files that can be dropped are. `None`: it has no limit.
fn left_in(group: &Path) -> Option<usize> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let most: usize = read("memory.max")?.trim().parse().ok()?;
    let used: usize = read("memory.current")?.trim().parse().ok()?;
    let stat = read("memory.stat")?;
    let droppable = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let droppable: usize = droppable.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
    Some(most.saturating_sub(used.saturating_sub(droppable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(config: &weir_config::Overload, workers: usize) -> Meter {
        Meter::new(config, (0..workers).map(|_| Beat::default()).collect(), Instant::now())
    }

    #[test]
    fn the_system_tells_what_this_process_uses() {
        let mut meter = meter(&weir_config::Overload::default(), 1);
        let (before, limit) = meter.measure();
        let limit = limit.expect("there is a limit");
        assert!(before.memory > 0.0 && before.memory < 1.0, "{before:?}");
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let (after, _) = meter.measure();
        let more = (after.descriptors - before.descriptors) * limit as f64;
        // Other tests of this process open and close some too.
        assert!(more > 50.0, "{more}");
        drop(files);
        let small = weir_config::Overload { memory: MemoryLimit::Bytes(16 << 20), ..Default::default() };
        let ballast = vec![1_u8; 16 << 20];
        assert!(self::meter(&small, 1).measure().0.memory > 1.0);
        assert!(ballast.iter().all(|byte| *byte == 1));
    }

    #[test]
    fn limits_and_figures_are_read_as_they_are_written() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            20000                524288               files     \n";
        assert_eq!(open_files(limits), Some(20_000));
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files\n"),
            None
        );
        assert_eq!(kib("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12 << 10));
        let of = |text: &str| groups(text).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            of("4:memory:/x\n0::/a/b\n"),
            ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]
        );
        assert!(of("4:memory:/x\n").is_empty());
    }

    #[test]
    fn a_group_has_left_what_is_not_used_or_can_be_dropped() {
        let group = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(group.path().join(name), text).unwrap();
        write("memory.current", "700\n");
        write("memory.stat", "anon 500\ninactive_file 150\nactive_file 50\n");
        write("memory.max", "max\n");
        assert_eq!(left_in(group.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left_in(group.path()), Some(450));
        write("memory.max", "500\n");
        assert_eq!(left_in(group.path()), Some(0));
    }

    #[test]
    fn a_worker_that_stays_late_presses_and_a_hiccup_does_not() {
        let config = weir_config::Overload { delay: Duration::from_secs(1), ..Default::default() };
        let mut meter = meter(&config, 2);
        for _ in 0..LATE {
            meter.beats[0].came(Duration::from_millis(1));
            assert!(meter.lateness() < 0.01);
        }
        meter.beats[1].came(Duration::from_secs(30));
        for _ in 1..LATE {
            assert!(meter.lateness() < 0.01);
        }
        assert!(meter.lateness() >= 30.0);
        meter.beats[1].came(Duration::ZERO);
        assert!(meter.lateness() < 0.01);
    }

    #[test]
    fn a_worker_that_hangs_shows_by_the_beat_that_does_not_come() {
        let beat = Beat::default();
        assert_eq!(beat.late(Duration::from_secs(100)), Duration::ZERO, "it has not begun");
        beat.expect(Duration::from_secs(5));
        assert_eq!(beat.late(Duration::from_secs(4)), Duration::ZERO);
        assert_eq!(beat.late(Duration::from_secs(7)), Duration::from_secs(2));
    }
}
