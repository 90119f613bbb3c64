//! Everybody who takes part in a kind of work, and their turns: round by round, each in its turn, so that whatever else the machine does
//! meets all of them. Who fails is left out, with the reason.

use crate::crowd::Slice;
use crate::results::{Case, Figures, Missing, Series, Workload};
use crate::settings::Settings;
use crate::site::{Site, Start};
use crate::usage;
use anyhow::{Result, anyhow};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// So many failures on end, and a system has no more turns in a case.
const PATIENCE: usize = 2;

/// A case that has taken so long gets no further round, so that the whole run stays within its time.
const BUDGET: Duration = Duration::from_mins(8);

/// How long others are given to come to rest, how long they are looked at for that, and the part of the time in which they may still run:
/// runtimes have timers.
const REST: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);
const CALM: f64 = 0.1;

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
        let all = self.sites.clone();
        self.turns(name, &systems, |at| {
            come_to_rest(&all);
            turn(&sites[at])
        });
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
            for at in order(round, systems.len()) {
                if failures[at] >= PATIENCE {
                    series[at].runs.push(None);
                    continue;
                }
                let since = Instant::now();
                match attempt(|| turn(at)) {
                    Ok(figures) => {
                        failures[at] = 0;
                        print(&systems[at], &figures, since.elapsed());
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
        (Workload { name: self.workload.to_owned(), run: None, cases: self.cases }, self.missing)
    }
}

/// Who is first changes, and so does who follows whom: every other round goes backwards.
fn order(round: usize, systems: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..systems).map(|place| (place + round) % systems).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Waits until nobody is busy any more with what its last turn has left behind, as one that takes long to let go of a thousand
/// connections is: whoever comes next would share the core with it.
fn come_to_rest(sites: &[Site]) {
    let pids: BTreeSet<u32> = sites.iter().flat_map(Site::pids).collect();
    let begun = Instant::now();
    while begun.elapsed() < REST {
        let (before, at) = (usage::cpu_us(&pids), Instant::now());
        std::thread::sleep(LOOK);
        if usage::cpu_us(&pids) - before < CALM * at.elapsed().as_secs_f64() * 1e6 {
            break;
        }
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

fn print(system: &str, figures: &Figures, time: Duration) {
    let figures: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
    println!("    {system:<14} {}  ({:.1} s)", figures.join("  "), time.as_secs_f64());
}

/// What is kept of a slice.
pub(crate) fn figures(slice: &Slice) -> Figures {
    named([("rate", slice.rate), ("cost", slice.cost), ("busy", slice.busy), ("own", slice.own)])
}

/// Figures by their names.
pub(crate) fn named<const N: usize>(figures: [(&str, f64); N]) -> Figures {
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn everybody_has_a_turn_and_nobody_always_follows_the_same() {
        let rounds: Vec<Vec<usize>> = (0..5).map(|round| order(round, 4)).collect();
        for round in &rounds {
            let mut all = round.clone();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        }
        let before_first: std::collections::BTreeSet<usize> = rounds
            .concat()
            .windows(2)
            .filter(|pair| pair[1] == 0 && pair[0] != 0)
            .map(|pair| pair[0])
            .collect();
        assert!(before_first.len() > 1, "{before_first:?}");
    }
}
