//! What was measured, as it is kept in `docs/performance.json`. The page is made of nothing else.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One run of everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: String,
    /// The last one.
    #[serde(flatten)]
    pub(crate) run: Run,
    /// Of the whole run.
    pub(crate) minutes: f64,
    /// By system: its version.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) workloads: Vec<Workload>,
    /// Who could not take part, and why.
    pub(crate) missing: Vec<Missing>,
    /// What `make bench` measured of Weir alone: figures by `section/case/figure`.
    #[serde(default)]
    pub(crate) alone: BTreeMap<String, f64>,
    /// What `make bench` printed, by section.
    #[serde(default)]
    pub(crate) printed: BTreeMap<String, String>,
}

/// One kind of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Workload {
    pub(crate) name: String,
    /// When, and how: a run may renew some kinds of work and leave others as they were.
    #[serde(default)]
    pub(crate) run: Option<Run>,
    pub(crate) cases: Vec<Case>,
}

/// The run in which something was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// As `date` says it, UTC.
    pub(crate) date: String,
    pub(crate) pairs: usize,
    pub(crate) slice_ms: u64,
}

/// One size of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) series: Vec<Series>,
}

/// One system's runs, in the order of the rounds; nothing where a run failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) system: String,
    pub(crate) runs: Vec<Option<Figures>>,
}

/// By name: `rate`, `cost`, `busy` …
pub(crate) type Figures = BTreeMap<String, f64>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) workload: String,
    pub(crate) system: String,
    pub(crate) why: String,
}

impl Results {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        serde_json::from_str(&text).with_context(|| file.display().to_string())
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| file.display().to_string())
    }

    pub(crate) fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.name == name)
    }

    /// A workload measured anew in this run takes the place of the old one, and what was missing from it is said anew.
    pub(crate) fn renew(&mut self, mut workload: Workload, missing: Vec<Missing>) {
        workload.run = Some(self.run.clone());
        self.missing.retain(|one| one.workload != workload.name);
        self.missing.extend(missing);
        match self.workloads.iter_mut().find(|old| old.name == workload.name) {
            Some(old) => *old = workload,
            None => self.workloads.push(workload),
        }
    }
}

impl Workload {
    pub(crate) fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }
}

impl Case {
    pub(crate) fn series(&self, system: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.system == system)
    }
}
