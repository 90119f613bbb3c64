//! Versions of the guest program `stamp`, and what they leave on payloads.

use crate::{Gateway, artifact};
use std::fs;
use std::path::Path;

/// The file of a version: each is another WebAssembly module.
pub fn version(number: u32) -> Vec<u8> {
    const PLACE: &[u8] = b"@version=000000@";
    let mut file = fs::read(artifact::guest("stamp")).expect("the guest");
    let mut places = file.windows(PLACE.len()).enumerate().filter(|(_, bytes)| *bytes == PLACE);
    let (at, _) = places.next().expect("it has a version");
    assert!(places.next().is_none(), "it has one version");
    file[at..at + PLACE.len()].copy_from_slice(format!("@version={number:06}@").as_bytes());
    file
}

/// A payload that plugins have stamped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// What was there before.
    pub text: String,
    /// Mark and version of each stamp on the way in, the first one first.
    pub inbound: Vec<(String, u32)>,
    /// On the way out, likewise.
    pub outbound: Vec<(String, u32)>,
}

/// Takes the stamps off a payload. `text` may contain neither `<` nor `>`.
pub fn read(payload: &[u8]) -> Stamped {
    let payload = std::str::from_utf8(payload).expect("text");
    let end = payload.find(['<', '>']).unwrap_or(payload.len());
    let (text, stamps) = payload.split_at(end);
    let mut stamped = Stamped { text: text.to_owned(), inbound: Vec::new(), outbound: Vec::new() };
    let mut rest = stamps;
    while let Some(way) = rest.chars().next() {
        let end = rest[1..].find(['<', '>']).map_or(rest.len(), |at| at + 1);
        let stamp = &rest[1..end];
        let digits = stamp.find(|letter: char| letter.is_ascii_digit()).unwrap_or(stamp.len());
        let (mark, version) = stamp.split_at(digits);
        let version = version.parse().unwrap_or_else(|_| panic!("a mark and a version: {payload}"));
        let to = if way == '<' { &mut stamped.inbound } else { &mut stamped.outbound };
        to.push((mark.to_owned(), version));
        rest = &rest[end..];
    }
    stamped
}

/// How a file in the watched directory is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Another file is renamed over it.
    Rename,
    /// It is truncated and written anew.
    InPlace,
    /// It is removed, and another is made.
    Recreate,
}

impl Swap {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Rename, Self::InPlace, Self::Recreate];

    /// Replaces a plugin in this way.
    pub fn apply(self, gateway: &Gateway, name: &str, file: &[u8]) {
        let path = gateway.plugin_path(name);
        match self {
            Self::Rename => rename(&path, &gateway.plugin_path(&format!(".{name}.part")), file),
            Self::InPlace => fs::write(path, file).expect("written in place"),
            Self::Recreate => {
                fs::remove_file(&path).expect("removed");
                fs::write(path, file).expect("written anew");
            }
        }
    }
}

fn rename(path: &Path, temporary: &Path, file: &[u8]) {
    fs::write(temporary, file).expect("written");
    fs::rename(temporary, path).expect("renamed");
}
