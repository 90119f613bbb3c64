//! What operators order: each is carried out in one step, and remembered.

use super::outcome::{Change, Outcome, Was};
use super::{Binding, Catalogue, NotRestored, lock};
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::state::{BindingRecord, Good, Pin};
use std::sync::Arc;

/// Why an order is not carried out; everything is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Nothing is known of the binding.
    #[error("there is no plugin of this name: `weir plugin list` shows all")]
    Unknown,
    /// It is in no chain already.
    #[error("it is disabled already: `weir plugin enable` ends that")]
    AlreadyDisabled,
    /// It was not taken out.
    #[error("it is not disabled: `weir plugin list` shows what it is")]
    NotDisabled,
    /// What serves is pinned.
    #[error("it is pinned already: `weir plugin unpin` ends that")]
    AlreadyPinned,
    /// Nothing is.
    #[error("it is not pinned: whatever is offered is tried")]
    NotPinned,
    /// No generation serves.
    #[error(
        "nothing of it serves: offer a file that is accepted first; `weir plugin list` shows why the last one was not"
    )]
    NothingServes,
    /// Nothing is known to have served before.
    #[error(
        "there is nothing to go back to: no other version has served before this one and stood its trial. Offer another \
         file, or disable it"
    )]
    NothingBefore,
    /// The file of what served before is not there any more.
    #[error(
        "what served before, with SHA-256 {0}, is not kept any more: offer that file again, or disable the plugin. Files are \
         kept in the directory that plugins.state names"
    )]
    Gone(Box<str>),
    /// What served before does not any more.
    #[error("what served before does not serve again: {0}")]
    Refused(Refusal),
    /// Nothing was taken back.
    #[error("nothing of it is refused: there is nothing to accept")]
    NothingRefused,
    /// Too much is remembered already.
    #[error("too many orders are remembered: end some first, those that `weir plugin list` shows")]
    TooMany,
}

impl Catalogue {
    /// Takes a binding out of all chains. What is offered is tried, and serves nobody; what it keeps, it keeps.
    pub fn disable(&self, name: &str) -> Result<Outcome, OrderError> {
        let _order = lock(&self.change);
        let (name, before) = self.known(name)?;
        let now = Clock::now();
        self.remember_order(&name, |record| {
            if record.disabled.is_some() {
                return Err(OrderError::AlreadyDisabled);
            }
            record.disabled = Some(now);
            Ok(())
        })?;
        self.next();
        Ok(Outcome { binding: name, change: Change::Disabled, before, offered: None })
    }

    /// Puts it back. What is on trial has its whole time before it.
    pub fn enable(&self, name: &str) -> Result<Outcome, OrderError> {
        let _order = lock(&self.change);
        let (name, before) = self.known(name)?;
        if !self.state.is_disabled(&name) {
            return Err(OrderError::NotDisabled);
        }
        // A chain would leave it out, and nobody would know.
        if before.is_none() {
            return Err(OrderError::NothingServes);
        }
        let (now, _) = self.next();
        if let Some(binding) = self.lock().get_mut(&name) {
            binding.resume(now);
        }
        self.remember_order(&name, |record| {
            record.disabled = None;
            Ok(())
        })?;
        Ok(Outcome { binding: name, change: Change::Enabled, before, offered: None })
    }

    /// Calls a canary off; where there is none, what served before serves again. What served until now is not tried again until it is
    /// accepted. What is pinned is then what was gone back to. `why` is remembered, as the end of a sentence.
    pub fn roll_back(&self, name: &str, why: &str) -> Result<Outcome, OrderError> {
        let _order = lock(&self.change);
        let (name, before) = self.known(name)?;
        let otherwise = self.before_restart(&name)?;
        self.next();
        let mut bindings = self.lock();
        let binding = bindings.get_mut(&name).ok_or(OrderError::Unknown)?;
        if binding.serving().is_none() {
            return Err(OrderError::NothingServes);
        }
        let taken_back = binding.roll_back(otherwise, why).ok_or(OrderError::NothingBefore)?;
        self.remember(&name, &taken_back);
        let serving = Good::of(&taken_back.serving);
        self.state.change(&name, |record| {
            if let Some(pin) = &mut record.pinned {
                pin.good = serving;
            }
        });
        let change = Change::RolledBack { bad: taken_back.bad, serving: taken_back.serving };
        Ok(Outcome { binding: name, change, before, offered: None })
    }

    /// What served before, made anew; `None`: what served in this process is enough.
    fn before_restart(&self, name: &str) -> Result<Option<Arc<crate::Generation>>, OrderError> {
        let (spec, store) = {
            let bindings = self.lock();
            let Some(binding) = bindings.get(name) else { return Ok(None) };
            let lineup = &binding.lineup;
            let Some(spec) = binding.spec() else { return Ok(None) };
            if lineup.stable().is_none() || lineup.previous().is_some() || lineup.has_canary() {
                return Ok(None);
            }
            (spec.clone(), binding.store.clone())
        };
        let Some(good) = self.state.record(name).previous else { return Ok(None) };
        match self.restore(&spec, &store, good) {
            Ok(generation) => Ok(Some(generation)),
            Err(NotRestored::Gone(file)) => Err(OrderError::Gone(file)),
            Err(NotRestored::Refused(refusal)) => Err(OrderError::Refused(refusal)),
        }
    }

    /// What serves all sessions goes on serving them, watched no more, whatever file or config is offered. A canary is called off.
    pub fn pin(&self, name: &str) -> Result<Outcome, OrderError> {
        let _order = lock(&self.change);
        let (name, before) = self.known(name)?;
        let serving = self.serving(&name).ok_or(OrderError::NothingServes)?;
        let pin = Pin { good: Good::of(&serving), at_ms: Clock::now() };
        self.remember_order(&name, |record| {
            if record.pinned.is_some() {
                return Err(OrderError::AlreadyPinned);
            }
            record.pinned = Some(pin);
            Ok(())
        })?;
        self.next();
        let mut bindings = self.lock();
        let pinned = bindings.get_mut(&name).and_then(Binding::pin);
        let (serving, called_off) = pinned.unwrap_or((serving, None));
        Ok(Outcome { binding: name, change: Change::Pinned { serving, called_off }, before, offered: None })
    }

    /// Ends that. What waits is to be offered again: its file is among [`Catalogue::take_wanted`].
    pub fn unpin(&self, name: &str) -> Result<Outcome, OrderError> {
        let _order = lock(&self.change);
        let (name, before) = self.known(name)?;
        self.remember_order(&name, |record| record.pinned.take().map(|_| ()).ok_or(OrderError::NotPinned))?;
        self.want(&name, |refusal| matches!(refusal, Refusal::Pinned { .. }));
        Ok(Outcome { binding: name, change: Change::Unpinned, before, offered: None })
    }

    /// What was taken back of a binding may be tried again: its file is among [`Catalogue::take_wanted`] if it was offered last.
    pub fn accept(&self, name: &str) -> Result<Outcome, OrderError> {
        let _order = lock(&self.change);
        let (name, before) = self.known(name)?;
        let refused = self.state.record(&name).refused.len();
        if refused > 0 {
            self.state.change(&name, |record| record.refused.clear());
        }
        // A version that waits for the end of a pin was not refused.
        let wanted = self.want(&name, |refusal| !matches!(refusal, Refusal::Pinned { .. }));
        if refused == 0 && !wanted {
            return Err(OrderError::NothingRefused);
        }
        Ok(Outcome { binding: name, change: Change::Accepted(refused), before, offered: None })
    }

    /// Has the last offer made again, if it was refused for a reason that fits.
    fn want(&self, name: &str, fits: impl FnOnce(&Refusal) -> bool) -> bool {
        let mut bindings = self.lock();
        let Some(binding) = bindings.get_mut(name) else { return false };
        let refused = binding.forgive(fits);
        if refused {
            lock(&self.wanted).insert(binding.file().into());
        }
        refused
    }

    /// Its name, and what serves.
    fn known(&self, name: &str) -> Result<(Arc<str>, Option<Was>), OrderError> {
        if let Some((name, binding)) = self.lock().get_key_value(name) {
            return Ok((name.clone(), binding.serving().map(Was::of)));
        }
        // Its file may be gone for the moment.
        if self.state.record(name) == BindingRecord::default() {
            return Err(OrderError::Unknown);
        }
        Ok((name.into(), None))
    }

    fn remember_order(
        &self,
        name: &str,
        order: impl FnOnce(&mut BindingRecord) -> Result<(), OrderError>,
    ) -> Result<(), OrderError> {
        let mut done = Ok(());
        let remembered = self.state.change(name, |record| done = order(record));
        done?;
        if remembered { Ok(()) } else { Err(OrderError::TooMany) }
    }
}
