//! Plugins that misbehave cost their own messages, each of which is counted, and nobody else's. What attacks is a row of
//! docs/robustness.md, with its figure on a line that begins with `attack:`.

mod bombs;
mod compiler;
mod fates;
mod floods;
mod loops;
mod neighbours;
mod quarantine;
mod renewal;
mod scene;
