//! The entry point for a fuzzer, and for the unit test that runs it on the committed corpus.

use crate::load::from_sources;
use crate::source::Sources;
use crate::{Errors, PluginSettings, raw};
use std::path::Path;

/// Any text as a configuration, which a zero byte cuts into files; or, behind a byte that is odd, as the file beside a plugin. It is
/// read, or everything that is wrong with it is told; both times the same.
pub fn load(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut sources = Sources::default();
    for (at, part) in text.split('\0').take(4).enumerate() {
        sources.add(Path::new(&format!("/nowhere/{at}.toml")), part);
    }
    if which % 2 == 0 {
        let read = || from_sources::<raw::File, _>(&sources, "the file", |check, file| check.file(&file));
        same(read(), read());
    } else {
        let defaults = PluginSettings::default();
        let read = || {
            from_sources::<raw::Settings, _>(&sources, "a plugin's file", |check, file| {
                check.settings(&file, &defaults)
            })
        };
        same(read(), read());
    }
}

fn same<T: std::fmt::Debug>(first: Result<T, Errors>, second: Result<T, Errors>) {
    match (first, second) {
        (Ok(first), Ok(second)) => assert_eq!(format!("{first:?}"), format!("{second:?}")),
        (Err(first), Err(second)) => {
            let told = first.to_string();
            assert!(!told.trim().is_empty(), "it says what is wrong");
            assert_eq!(told, second.to_string());
            // The carets stand in the texts, wherever that is.
            assert!(!first.report(false).is_empty());
        }
        (first, second) => panic!("once {first:?}, once {second:?}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn loading_holds_on_its_corpus() {
        weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), "load", 3_000, super::load);
    }
}
