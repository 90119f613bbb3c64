//! `weir plugin test`: the author's cases, in the runtime that a gateway has.

use super::build;
use crate::run::plugin_runtime;
use anyhow::{Context, bail};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_config::{Cache, Config, Plugins};
use weir_plugin::Cases;

/// How long all cases of a file may take.
const TIME: Duration = Duration::from_mins(1);

pub(super) fn run(plugin: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    let built = if plugin.is_dir() { build::build(plugin, None)? } else { vec![plugin.to_owned()] };
    let plugins = Plugins { cache: Cache::Off, ..Config::zero().plugins };
    let runtime = plugin_runtime(&plugins, 1)?;
    let (mut run, mut failed) = (0, 0);
    for file in built {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let cases = if files.is_empty() {
            runtime.cases_of(&bytes).with_context(|| file.display().to_string())?
        } else {
            Cases::parse(&read(files)?)?
        };
        println!("{}", file.display());
        for outcome in runtime.test(&bytes, &cases, TIME).with_context(|| file.display().to_string())? {
            run += 1;
            match outcome.failed {
                None => println!("  ok      {}", outcome.name),
                Some(why) => {
                    failed += 1;
                    println!("  FAILED  {}: {why}", outcome.name);
                }
            }
        }
    }
    match (run, failed) {
        (0, _) => bail!("there are no cases; write some into tests/NAME.case, or name their files"),
        (_, 0) => Ok(()),
        _ => bail!("{failed} of {run} cases failed"),
    }
}

/// The text of a project's cases: what its `tests/*.case` have, in the order of their names.
pub(super) fn of_project(project: &Path) -> anyhow::Result<String> {
    let tests = project.join("tests");
    if !tests.is_dir() {
        return Ok(String::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&tests).with_context(|| format!("cannot list {}", tests.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "case") {
            files.push(path);
        }
    }
    files.sort();
    read(&files)
}

fn read(files: &[PathBuf]) -> anyhow::Result<String> {
    let mut all = String::new();
    for file in files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Cases::parse(&text).with_context(|| file.display().to_string())?;
        let _ = writeln!(all, "{}", text.trim_end());
    }
    Ok(all)
}
