//! Plugin files change while messages pass, and nobody notices but by the answers.

mod files;
mod fleet;
mod load;
