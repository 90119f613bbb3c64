//! What a process and everything that it started have used: CPU time, and memory. Processes may end meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The process and all below it.
pub(crate) fn tree(root: u32) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // proc(5): behind the name, which may hold anything, come the state and the parent.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::from([root]);
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                next.push(*child);
            }
        }
    }
    found
}

/// CPU time so far, in microseconds, of all threads of these processes: `schedstat`, to the nanosecond.
pub(crate) fn cpu_us(pids: &BTreeSet<u32>) -> f64 {
    let mut nanoseconds = 0_u64;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split(' ').next().and_then(|used| used.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    nanoseconds as f64 / 1e3
}

/// Resident memory of these processes, in bytes; what they share counts in part (`Pss`).
pub(crate) fn memory(pids: &BTreeSet<u32>) -> f64 {
    let of = |pid: &u32| -> Option<f64> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
    };
    pids.iter().filter_map(of).sum()
}
