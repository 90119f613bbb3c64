//! What this runs on, and how much of it others used while something was measured.

use std::fs;

/// Processor, cores, kernel. How many cores is said to it, because a thread that was told where to stand sees fewer.
pub fn processor(cores: usize) -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim().split('-').next().unwrap_or_default())
}

/// Clock ticks of all cores since the system started, and of this process with its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// Of all cores, whether there was something to do or not.
    all: u64,
    /// Of these, those in which there was, or in which another machine had the core.
    busy: u64,
    /// Of these, those of this process and of children that it has waited for.
    ours: u64,
}

impl Ticks {
    /// As they are now. `None`: there is no /proc, or it is another one than proc(5) describes.
    pub fn now() -> Option<Self> {
        let read = |path| fs::read_to_string(path).ok();
        Self::parse(&read("/proc/stat")?, &read("/proc/self/stat")?)
    }

    fn parse(machine: &str, process: &str) -> Option<Self> {
        let numbers = |text: &str| -> Vec<u64> {
            text.split_whitespace().map_while(|field| field.parse().ok()).collect()
        };
        // proc(5): user, nice, system, idle, iowait, irq, softirq, steal; what guests have is in the first two once more.
        let cores = numbers(machine.lines().next()?.strip_prefix("cpu ")?);
        let all = cores.get(..8)?.iter().sum();
        let busy = all - cores[3] - cores[4];
        // Behind the name, which may hold anything, utime, stime, cutime and cstime are the 12th to 15th.
        let times: Vec<u64> = process
            .rsplit(')')
            .next()?
            .split_whitespace()
            .skip(11)
            .take(4)
            .map_while(|field| field.parse().ok())
            .collect();
        (times.len() == 4).then(|| Self { all, busy, ours: times.iter().sum() })
    }

    /// The part of all cores, from 0 to 1, that others used from then to now. Children that still run count as others.
    pub fn of_others(&self, before: &Self) -> f64 {
        let ours = self.ours.saturating_sub(before.ours);
        let others = self.busy.saturating_sub(before.busy).saturating_sub(ours);
        others as f64 / self.all.saturating_sub(before.all).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_neither_idle_nor_ours_was_others() {
        let before = Ticks::parse(
            "cpu  100 10 50 1000 40 5 5 0 7 7\ncpu0 …",
            "42 (a name) with (more) S 1 1 1 0 -1 0 0 0 0 0 30 20 7 3 20 0",
        );
        let before = before.unwrap();
        assert_eq!(before, Ticks { all: 1210, busy: 170, ours: 60 });
        // 200 ticks more: 100 idle, 70 ours, 20 others' and 10 another machine's.
        let after = Ticks { all: 1410, busy: 270, ours: 130 };
        assert!((after.of_others(&before) - 0.15).abs() < 1e-9);
        // Ours may be known later than all: then it is nothing, not less.
        let early = Ticks { all: 1211, busy: 170, ours: 130 };
        assert!(early.of_others(&before).abs() < f64::EPSILON);
        assert_eq!(Ticks::parse("cpu 1 2 3", "1 (x) S 1"), None);
        assert_eq!(Ticks::parse("", ""), None);
    }

    #[test]
    fn this_machine_has_them() {
        let ticks = Ticks::now().unwrap();
        assert!(ticks.all > ticks.busy && ticks.busy > 0, "{ticks:?}");
        assert!(ticks.of_others(&ticks).abs() < f64::EPSILON);
    }
}
