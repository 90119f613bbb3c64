//! One run of a bench under valgrind: every case, each counted apart.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Command;
use weir_proof::hot::{COUNT, MARK};

/// Where profiles are left, from the root of the project.
const DIRECTORY: &str = "target/guard";

/// Each case, and the instructions of one of what it counts.
pub(crate) fn count(name: &str, executable: &Path) -> Result<Vec<(String, f64)>> {
    std::fs::create_dir_all(DIRECTORY)?;
    let out = format!("{DIRECTORY}/{name}.out");
    for old in std::fs::read_dir(DIRECTORY)?.filter_map(Result::ok) {
        if old.file_name().to_string_lossy().starts_with(&format!("{name}.out")) {
            std::fs::remove_file(old.path())?;
        }
    }
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=weir_proof::hot::weir_guarded"])
        .args(["--dump-after=weir_proof::hot::weir_guarded", &format!("--callgrind-out-file={out}")])
        .arg(executable)
        .env(COUNT, "1")
        .output()
        .context("valgrind does not run; install it, or run: make guard")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("it failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut counts = Vec::new();
    for (at, line) in said.lines().filter_map(|line| line.strip_prefix(MARK)).enumerate() {
        let (of, case) = line.split_once(' ').context("a number and a name")?;
        let path = format!("{out}.{}", at + 1);
        let profile = std::fs::read_to_string(&path).context(path)?;
        let total = total(&profile).with_context(|| format!("no total of {case}"))?;
        counts.push((case.to_owned(), total as f64 / of.parse::<f64>()?));
    }
    Ok(counts)
}

/// Instructions in a profile: callgrind's format, the line `totals` or `summary`.
fn total(profile: &str) -> Option<u64> {
    let of = |name| profile.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    of("totals:").or_else(|| of("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read() {
        assert_eq!(total("version: 1\nsummary: 12\n\nfn=(1) f\n1 3\n\ntotals: 12\n"), Some(12));
        assert_eq!(total("summary: 7\n"), Some(7));
        assert_eq!(total("version: 1\n"), None);
    }
}
