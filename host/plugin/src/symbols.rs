//! Where in a plugin's sources something is, where its file says: DWARF, which compilers leave in the file unless they are told not to.
//!
//! The engine could do this itself, on the worker and for every trap. Debug information is as trustworthy as the plugin: reading it takes
//! as long as it is large, and longer if it is made for that. So a trap tells names and offsets, which cost nothing, and what is logged
//! is [located](Symbols::locate) on another thread.

use crate::artifact::Artifact;
use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use wasmparser::{Parser, Payload};

/// Debug information of more bytes is left out: nobody needs to wait for it.
const MOST: usize = 16 << 20;
/// Places that are remembered.
const KNOWN: usize = 256;
/// Functions that are inlined in each other and told for one place.
const INLINED: usize = 4;
/// What stands before an offset in the text of a failure.
pub(crate) const MARK: &str = " @0x";

/// The debug information of a file's core modules.
#[derive(Debug)]
pub(crate) struct Symbols {
    modules: Vec<ModuleSymbols>,
    /// What was found, by offset; one thread at a time looks for more.
    known: Mutex<HashMap<u64, String>>,
}

#[derive(Debug, Default)]
struct ModuleSymbols {
    /// Where its code is in the file. Addresses count from its beginning (DWARF for WebAssembly).
    code: Range<u64>,
    sections: HashMap<String, Vec<u8>>,
}

impl Symbols {
    /// What a file carries that was compiled already: reading it again takes no longer than the compiler was given.
    pub(crate) fn of_file(bytes: &[u8], most: usize) -> Option<Self> {
        memchr::memmem::find(bytes, b".debug_line")?;
        Self::read(&Artifact::read(bytes, most).ok()?.component)
    }

    /// What a component carries; `None`: nothing, or too much.
    pub(crate) fn read(component: &[u8]) -> Option<Self> {
        let mut modules = Vec::new();
        // A component in a module there is not, so one module at a time is enough.
        let mut module: Option<ModuleSymbols> = None;
        let mut bytes = 0;
        for payload in Parser::new(0).parse_all(component) {
            match payload.ok()? {
                Payload::Version { encoding: wasmparser::Encoding::Module, .. } => {
                    module = Some(ModuleSymbols::default());
                }
                Payload::CodeSectionStart { range, .. } => {
                    if let Some(module) = &mut module {
                        module.code = range.start as u64..range.end as u64;
                    }
                }
                Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                    bytes += section.data().len();
                    if let Some(module) = module.as_mut().filter(|_| bytes <= MOST) {
                        module.sections.insert(section.name().to_owned(), section.data().to_vec());
                    }
                }
                Payload::End(_) => {
                    modules
                        .extend(module.take().filter(|module| module.sections.contains_key(".debug_line")));
                }
                _ => {}
            }
        }
        let fits = bytes <= MOST && !modules.is_empty();
        fits.then(|| Self { modules, known: Mutex::default() })
    }

    /// Puts its place in the sources behind every offset in the text of a failure. May take a while: not for a worker's thread.
    pub(crate) fn locate(&self, text: &str) -> String {
        let mut parts = text.split(MARK);
        let mut located = parts.next().unwrap_or_default().to_owned();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
            let (digits, rest) = part.split_at(digits);
            located += MARK;
            located += digits;
            if let Ok(offset) = u64::from_str_radix(digits, 16) {
                if known.len() >= KNOWN {
                    known.clear();
                }
                located += known.entry(offset).or_insert_with(|| self.find(offset).unwrap_or_default());
            }
            located += rest;
        }
        located
    }

    /// ` (src/lib.rs:7)`, or ` (value at src/lib.rs:7, inlined at src/lib.rs:20)`.
    fn find(&self, offset: u64) -> Option<String> {
        let module = self.modules.iter().find(|module| module.code.contains(&offset))?;
        let section = |id: SectionId| -> Result<_, addr2line::gimli::Error> {
            let bytes = module.sections.get(id.name()).map_or(&[][..], Vec::as_slice);
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let context = Context::from_dwarf(Dwarf::load(section).ok()?).ok()?;
        let mut frames = context.find_frames(offset - module.code.start).skip_all_loads().ok()?;
        let mut places = Vec::new();
        while let Ok(Some(frame)) = frames.next()
            && places.len() < INLINED
        {
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let name = name.map(|name| clean(&format!("{:#}", rustc_demangle::demangle(&name))));
            let location =
                frame.location.and_then(|location| Some((location.file.map(short)?, location.line?)));
            places.push((name, location.map(|(file, line)| format!("{}:{line}", clean(file)))));
        }
        let mut text = String::new();
        let inlined = places.len() > 1;
        for (at, (name, place)) in places.iter().enumerate() {
            let place = place.as_deref().unwrap_or("?");
            let _ = match (at, name) {
                (0, Some(name)) if inlined => write!(text, "{name} at {place}"),
                (0, _) => write!(text, "{place}"),
                (_, _) => write!(text, ", inlined at {place}"),
            };
        }
        (!text.is_empty()).then(|| format!(" ({text})"))
    }
}

/// What a file says of itself, for a log line.
fn clean(text: &str) -> String {
    const LONGEST: usize = 120;
    text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The end of a path: the crate, or what lies above it, and what is below.
fn short(path: &str) -> &str {
    const PARTS: usize = 4;
    let cut = path.rmatch_indices('/').nth(PARTS - 1);
    cut.map_or(path, |(at, _)| &path[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_debug_information_has_none() {
        assert!(Symbols::read(&wat::parse_str("(component (core module (func)))").unwrap()).is_none());
        assert!(Symbols::read(b"rubbish").is_none());
    }

    #[test]
    fn rubbish_in_the_place_of_debug_information_locates_nothing() {
        let sections = ["info", "abbrev", "line", "str", "ranges"];
        let sections: String = sections
            .map(|name| format!("(@custom \".debug_{name}\" \"\\ff\\ff\\00\\01\\02rubbish\")"))
            .concat();
        let file = format!("(component (core module (func (export \"f\") unreachable) {sections}))");
        let file = wat::parse_str(file).unwrap();
        let symbols = Symbols::read(&file).unwrap();
        let code = symbols.modules[0].code.clone();
        let text = format!("it trapped in f @0x{:x} < g @0xzz < h @0xffffffffffffffffff", code.start + 1);
        assert_eq!(symbols.locate(&text), text);
    }

    #[test]
    fn paths_are_cut_at_their_beginning() {
        assert_eq!(short("/home/x/shop/src/basket/price.rs"), "shop/src/basket/price.rs");
        assert_eq!(short("src/lib.rs"), "src/lib.rs");
    }
}
