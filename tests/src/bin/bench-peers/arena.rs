//! Everybody who takes part in a kind of work, and their turns: round by round, each in its turn, so that whatever else the machine does
//! meets all of them. Who fails is left out, with the reason.

use crate::crowd::Slice;
use crate::results::{Case, Figures, Missing, Series, Workload};
use crate::settings::Settings;
use crate::site::{Site, Start};
use anyhow::{Result, anyhow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// So many failures on end, and a system has no more turns in a case.
const PATIENCE: usize = 2;

/// A case that has taken so long gets no further round, so that the whole run stays within its time.
const BUDGET: Duration = Duration::from_mins(8);

pub(crate) struct Arena<'a> {
    settings: &'a Settings,
    workload: &'static str,
    pub(crate) sites: Vec<Site>,
    cases: Vec<Case>,
    missing: Vec<Missing>,
}

impl<'a> Arena<'a> {
    /// Nobody is there yet.
    pub(crate) fn empty(settings: &'a Settings, workload: &'static str) -> Self {
        println!("\n{workload}");
        Self { settings, workload, sites: Vec::new(), cases: Vec::new(), missing: Vec::new() }
    }

    /// Starts everybody who is invited.
    pub(crate) fn open(settings: &'a Settings, workload: &'static str, starts: Vec<Start<'_>>) -> Self {
        let mut arena = Self::empty(settings, workload);
        for (name, start) in starts {
            if !settings.invites(name) {
                continue;
            }
            // A port that was free may be taken the next moment.
            match attempt(&start).or_else(|_| attempt(&start)) {
                Ok(sites) => arena.sites.extend(sites),
                Err(error) => arena.miss(name, &error),
            }
        }
        arena
    }

    /// Somebody could not take part.
    pub(crate) fn miss(&mut self, system: &str, error: &anyhow::Error) {
        let why = format!("{error:#}");
        println!("  {system} takes no part: {why}");
        self.missing.push(Missing { workload: self.workload.to_owned(), system: system.to_owned(), why });
    }

    /// One case: each site that fits has its turn in each round.
    pub(crate) fn case(
        &mut self,
        name: &str,
        fits: impl Fn(&Site) -> bool,
        mut turn: impl FnMut(&Site) -> Result<Figures>,
    ) {
        let sites: Vec<Site> = self.sites.iter().filter(|site| fits(site)).cloned().collect();
        let systems: Vec<String> = sites.iter().map(|site| site.name.to_owned()).collect();
        self.turns(name, &systems, |at| turn(&sites[at]));
    }

    /// The same for whoever is named.
    pub(crate) fn turns(
        &mut self,
        name: &str,
        systems: &[String],
        mut turn: impl FnMut(usize) -> Result<Figures>,
    ) {
        println!("  {name}");
        let mut series: Vec<Series> =
            systems.iter().map(|system| Series { system: system.clone(), runs: Vec::new() }).collect();
        let mut failures = vec![0; systems.len()];
        let begun = Instant::now();
        for round in 0..self.settings.pairs {
            if round > 0 && begun.elapsed() > BUDGET {
                let error = anyhow!("{round} of {} rounds: there was no more time", self.settings.pairs);
                self.miss(&format!("everybody, {name}"), &error);
                break;
            }
            // Who is first changes, so that nobody always follows the same.
            for place in 0..systems.len() {
                let at = (place + round) % systems.len();
                if failures[at] >= PATIENCE {
                    series[at].runs.push(None);
                    continue;
                }
                match attempt(|| turn(at)) {
                    Ok(figures) => {
                        failures[at] = 0;
                        print(&systems[at], &figures);
                        series[at].runs.push(Some(figures));
                    }
                    Err(error) => {
                        failures[at] += 1;
                        series[at].runs.push(None);
                        if failures[at] == PATIENCE || self.settings.pairs < PATIENCE {
                            let system = format!("{}, {name}", systems[at]);
                            self.miss(&system, &error);
                        } else {
                            println!("    {}: failed: {error:#}", systems[at]);
                        }
                    }
                }
            }
        }
        series.retain(|series| series.runs.iter().any(Option::is_some));
        self.cases.push(Case { name: name.to_owned(), series });
    }

    pub(crate) fn close(self) -> (Workload, Vec<Missing>) {
        (Workload { name: self.workload.to_owned(), cases: self.cases }, self.missing)
    }
}

/// What goes wrong in one turn is its own failure: the tests' gateway panics where it does not start.
fn attempt<T>(turn: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(turn)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(anyhow!("{}", text.unwrap_or_else(|| "it panicked".into())))
    })
}

fn print(system: &str, figures: &Figures) {
    let figures: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
    println!("    {system:<14} {}", figures.join("  "));
}

/// What is kept of a slice.
pub(crate) fn figures(slice: &Slice) -> Figures {
    [("rate", slice.rate), ("cost", slice.cost), ("busy", slice.busy), ("own", slice.own)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
