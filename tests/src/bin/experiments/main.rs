//! The founding experiments: what Weir's design was decided on, each in a file, to be measured again on any machine.
//!
//! `experiments [NAME…]` runs them and prints a table each; with `--write` the tables go into docs/experiments.md. Servers are processes of
//! this same program (`experiments serve …`), so that the kernel tells their CPU time apart. What is compared takes turns in slices of a
//! fraction of a second, so that whatever else the machine does meets all of it.

mod batching;
mod buffers;
mod capacity;
mod child;
mod connections;
mod decoding;
mod frames;
mod paced;
mod page;
mod serve;
mod stealing;
mod table;

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use table::Table;

/// What the gateway uses.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An experiment: the tables that it prints.
type Experiment = fn() -> anyhow::Result<Vec<Table>>;

/// Their names, as `ONLY` and the marks in docs/experiments.md say them.
const EXPERIMENTS: [(&str, Experiment); 6] = [
    ("connections", connections::run),
    ("batching", batching::run),
    ("buffers", buffers::run),
    ("decoding", decoding::run),
    ("stealing", stealing::run),
    ("capacity", capacity::run),
];

/// The root of the project.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((role, options)) = arguments.split_first().filter(|(role, _)| *role == "serve") {
        debug_assert_eq!(role, "serve");
        return serve::run(options);
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != "--write").collect();
    for name in &wanted {
        let known = EXPERIMENTS.map(|(name, _)| name);
        ensure!(
            known.contains(&name.as_str()),
            "there is no experiment \"{name}\"; there are: {}",
            known.join(", ")
        );
    }
    weir_capacity::measure::open_files();
    println!("{}\n", table::machine());
    for (name, run) in EXPERIMENTS {
        if !wanted.is_empty() && !wanted.iter().any(|asked| *asked == name) {
            continue;
        }
        let begun = std::time::Instant::now();
        let tables = run().with_context(|| format!("experiment {name}"))?;
        let text = tables.iter().map(Table::markdown).collect::<Vec<_>>().join("\n");
        println!("## {name} ({:.0} s)\n\n{text}", begun.elapsed().as_secs_f64());
        if arguments.iter().any(|argument| argument == "--write") {
            page::write(&root().join("docs/experiments.md"), name, &text)?;
        }
    }
    Ok(())
}
