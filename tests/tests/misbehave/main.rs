//! Plugins that misbehave cost their own messages, each of which is counted, and nobody else's.

mod fates;
mod neighbours;
mod renewal;
