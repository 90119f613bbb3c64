//! The table from values to routes.

use crate::Destination;
use std::collections::{BTreeMap, HashMap};
use weir_sdk::Verdict;

/// Most rules, and most prefixes.
const MOST: usize = 10_000;

/// Values that are known whole, and beginnings of values by their length, longest first.
pub(crate) struct Table {
    whole: HashMap<String, Verdict>,
    prefixes: Vec<(usize, HashMap<String, Verdict>)>,
}

impl Table {
    pub(crate) fn new(
        rules: &BTreeMap<String, Destination>,
        prefixes: &BTreeMap<String, Destination>,
    ) -> Result<Self, String> {
        for (place, count) in [("rules", rules.len()), ("prefixes", prefixes.len())] {
            if count > MOST {
                return Err(format!("{place}: {count} of them; at most {MOST} are allowed"));
            }
        }
        if rules.is_empty() && prefixes.is_empty() {
            return Err("rules: there are none, and no prefixes either: nothing would be routed".into());
        }
        let mut table = Self { whole: HashMap::new(), prefixes: Vec::new() };
        for (value, destination) in rules {
            table.whole.insert(value.clone(), destination.verdict(&format!("rules.{value}"))?);
        }
        let mut by_length = BTreeMap::<usize, HashMap<String, Verdict>>::new();
        for (prefix, destination) in prefixes {
            if prefix.is_empty() {
                return Err("prefixes: an empty one fits every value; `default` says the same".into());
            }
            let choice = destination.verdict(&format!("prefixes.{prefix}"))?;
            by_length.entry(prefix.len()).or_default().insert(prefix.clone(), choice);
        }
        table.prefixes = by_length.into_iter().rev().collect();
        Ok(table)
    }

    /// The route of a value: one look-up, and one for each length that a prefix has.
    pub(crate) fn choose(&self, value: &str) -> Option<&Verdict> {
        self.whole.get(value).or_else(|| {
            self.prefixes.iter().find_map(|(length, prefixes)| prefixes.get(value.get(..*length)?))
        })
    }
}
