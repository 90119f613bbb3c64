//! What a plugin implements.

use crate::{Config, Direction, Manifest, Message, Rejection, Session, SessionId, Verdict};
use std::fmt::Display;

/// A plugin with state. The attribute [`#[plugin]`](macro@crate::plugin) on the `impl` block makes it the one that the
/// crate exports; it also fills in `type Config = ();` where that is left out.
///
/// One instance serves each worker of the gateway, so fields are a cache: another worker has its own, and a reload or a
/// panic throws it away. What must last belongs in [`attributes`](crate::attributes) or [`kv`](crate::kv).
///
/// Calls come one at a time and are bounded in time, memory and output. A panic discards the effects of the call; the
/// binding's `on_failure` then decides about the message.
pub trait Plugin: Sized + 'static {
    /// What the operator can configure; see [`Config`].
    type Config: Config;

    /// Makes the instance, before anything else is called. The config has passed the schema; an error refuses it, so
    /// its text should say which value is wrong and what would be right. Any type that can be displayed will do.
    ///
    /// Of effects only [`timers::every`](crate::timers::every) is allowed here; another one refuses the plugin.
    fn new(config: Self::Config) -> Result<Self, impl Display>;

    /// A session begins. An error closes it with that code and reason before any of its messages is read.
    fn on_open(&mut self, session: &Session) -> Result<(), Rejection> {
        let _ = session;
        Ok(())
    }

    /// A message of one of the directions that the attribute lists.
    fn on_message(&mut self, message: &Message) -> Verdict;

    /// A session has ended, with the code and the reason that were sent or received.
    fn on_close(&mut self, session: SessionId, end: &Rejection) {
        let _ = (session, end);
    }

    /// The period set by [`timers::every`](crate::timers::every) has passed. Called on one instance of the binding.
    fn on_timer(&mut self) {}
}

/// What [`#[plugin]`](macro@crate::plugin) adds to a [`Plugin`].
pub trait Registered: Plugin {
    /// Name in the manifest.
    const NAME: &'static str;
    /// Version in the manifest.
    const VERSION: &'static str;
    /// Description in the manifest.
    const DESCRIPTION: &'static str;
    /// Directions whose messages the plugin wants to see.
    const DIRECTIONS: &'static [Direction];

    /// What the plugin tells the gateway about itself.
    fn manifest() -> Manifest {
        Manifest {
            name: Self::NAME.into(),
            version: Self::VERSION.into(),
            description: Self::DESCRIPTION.into(),
            directions: Self::DIRECTIONS.to_vec(),
            config_schema: Self::Config::schema(),
        }
    }
}
