//! Capabilities: what a plugin imports, and what its binding grants.

use std::fmt;

/// A part of the contract that is there only when the binding grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Capability {
    /// Random bytes.
    Random,
    /// Messages of the plugin's own, and verdicts on held ones.
    Messaging,
    /// Joining and leaving groups.
    Groups,
    /// The binding's key-value store.
    Kv,
    /// Calls at an interval.
    Timers,
}

impl Capability {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 5] = [Self::Random, Self::Messaging, Self::Groups, Self::Kv, Self::Timers];

    /// The interface's name in the contract, and the word in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Messaging => "messaging",
            Self::Groups => "groups",
            Self::Kv => "kv",
            Self::Timers => "timers",
        }
    }

    /// The capability that an interface of the contract needs; `None` for those that every plugin has, and for unknown ones.
    pub fn of_interface(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Interfaces that every plugin has.
pub(crate) const ALWAYS: [&str; 5] = ["types", "log", "clock", "attributes", "metrics"];

/// Of all interfaces, those whose calls neither have an effect nor see one: lines and metrics can wait until a call has succeeded.
pub(crate) const BARE: [&str; 5] = ["types", "log", "clock", "random", "metrics"];

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grants(u8);

impl Grants {
    /// Only what every plugin has.
    pub const NONE: Self = Self(0);

    /// Everything: for inspecting a file and for tests.
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Adds one.
    pub fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u8;
    }

    /// Whether it is granted.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// Those in the set, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for Grants {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut grants = Self::NONE;
        capabilities.into_iter().for_each(|capability| grants.insert(capability));
        grants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let grants = Grants::from_iter([Capability::Timers, Capability::Kv]);
        assert_eq!(grants.iter().collect::<Vec<_>>(), [Capability::Kv, Capability::Timers]);
        assert!(!grants.contains(Capability::Random));
        assert_eq!(Grants::all().iter().count(), Capability::ALL.len());
    }
}
