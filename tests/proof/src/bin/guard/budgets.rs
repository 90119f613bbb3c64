//! The file that says how many instructions each case had when somebody last looked.

use crate::machine::Machine;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

const HEAD: &str = "\
# Instructions of the hot functions, counted by valgrind (callgrind); written by: UPDATE_INSTRUCTIONS=1 make guard
#
# `make guard`, which is part of `make test`, counts them again and fails where there are more, by over `tolerance` percent and over
# two instructions. Each number is of one message, or of one of what the name of the case says. They are of one compiler, C library
# and kind of processor: elsewhere nothing is compared, and it is said so.

";

/// What is allowed beyond the tolerance, in instructions: a few of them are nobody's fault in a case of a hundred.
const FEW: f64 = 2.0;

/// See [`HEAD`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Budgets {
    /// In percent.
    pub(crate) tolerance: f64,
    pub(crate) machine: Machine,
    /// By crate and case.
    instructions: BTreeMap<String, BTreeMap<String, f64>>,
}

/// What a count is, compared with the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// There was none.
    New,
    Same,
    /// By so many percent.
    More(f64),
    Less(f64),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.pad("new"),
            Self::Same => f.pad("="),
            Self::More(percent) => f.pad(&format!("+{percent:.1} %")),
            Self::Less(percent) => f.pad(&format!("-{percent:.1} %")),
        }
    }
}

impl Budgets {
    /// The file; nothing, with the usual tolerance, if there is none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self { tolerance: 3.0, machine: Machine::default(), instructions: BTreeMap::new() });
        }
        Ok(toml::from_str(&std::fs::read_to_string(path)?)?)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, format!("{HEAD}{}", toml::to_string(self)?))?)
    }

    pub(crate) fn of(&self, name: &str, case: &str) -> Option<f64> {
        self.instructions.get(name)?.get(case).copied()
    }

    pub(crate) fn judge(&self, before: Option<f64>, now: f64) -> Verdict {
        let Some(before) = before else { return Verdict::New };
        let percent = (now / before - 1.0) * 100.0;
        if percent.abs() <= self.tolerance || (now - before).abs() <= FEW {
            Verdict::Same
        } else if percent > 0.0 {
            Verdict::More(percent)
        } else {
            Verdict::Less(-percent)
        }
    }

    /// Cases that were not counted.
    pub(crate) fn without(&self, counted: &[(String, String, f64)]) -> Vec<(String, String)> {
        let all =
            self.instructions.iter().flat_map(|(name, cases)| cases.keys().map(move |case| (name, case)));
        let gone =
            all.filter(|(name, case)| !counted.iter().any(|(own, has, _)| own == *name && has == *case));
        gone.map(|(name, case)| (name.clone(), case.clone())).collect()
    }

    /// Takes all counts as they are.
    pub(crate) fn set(&mut self, machine: Machine, counted: &[(String, String, f64)]) {
        self.machine = machine;
        self.instructions.clear();
        for (name, case, count) in counted {
            let rounded = (count * 10.0).round() / 10.0;
            self.instructions.entry(name.clone()).or_default().insert(case.clone(), rounded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets() -> Budgets {
        let machine = Machine { compiler: "c".into(), libc: "l".into(), processor: "p".into() };
        let mut budgets =
            Budgets { tolerance: 3.0, machine: Machine::default(), instructions: BTreeMap::new() };
        budgets
            .set(machine, &[("core".into(), "a: b".into(), 1000.04), ("core".into(), "short".into(), 20.0)]);
        budgets
    }

    #[test]
    fn more_than_the_tolerance_is_more() {
        let budgets = budgets();
        let judge = |case, now| budgets.judge(budgets.of("core", case), now);
        assert_eq!(judge("a: b", 1029.0), Verdict::Same);
        assert!(matches!(judge("a: b", 1031.0), Verdict::More(percent) if (3.0..3.2).contains(&percent)));
        assert!(matches!(judge("a: b", 900.0), Verdict::Less(_)));
        assert_eq!(judge("short", 22.0), Verdict::Same);
        assert!(matches!(judge("short", 23.0), Verdict::More(_)));
        assert_eq!(judge("other", 1.0), Verdict::New);
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("budgets.toml");
        budgets().write(&path).unwrap();
        let again = Budgets::read(&path).unwrap();
        assert_eq!(again.of("core", "a: b"), Some(1000.0));
        assert_eq!(again.machine, budgets().machine);
        let counted = [("core".to_owned(), "short".to_owned(), 1.0)];
        assert_eq!(again.without(&counted), [("core".to_owned(), "a: b".to_owned())]);
    }
}
