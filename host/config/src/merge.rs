//! From several texts to one TOML document: `weir.toml`, then `conf.d/*.toml` in the order of their names.
//!
//! Tables are merged key by key, and the later file wins; the lists of plugins, listeners and clusters grow.

use crate::error::ConfigError;
use crate::source::Sources;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Reads a file and what lies in `conf.d` beside it.
pub(crate) fn read(path: &Path) -> Result<Sources, Vec<ConfigError>> {
    let mut sources = Sources::default();
    let mut errors = Vec::new();
    errors.extend(sources.read(path).err());
    let directory = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let failed = |error: std::io::Error| ConfigError {
        message: format!("cannot be listed: {error}"),
        help: None,
        file: directory.clone(),
        place: None,
    };
    let mut paths = Vec::new();
    match std::fs::read_dir(&directory) {
        Ok(entries) => {
            for entry in entries {
                match entry {
                    Ok(entry) => paths.push(entry.path()),
                    Err(error) => errors.push(failed(error)),
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => errors.push(failed(error)),
    }
    // What editors and package managers leave beside a file (`.x.toml.swp`, `x.toml.dpkg-old`, `.#x.toml`) is not part of it.
    paths.retain(|path| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.extension().is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    for path in paths {
        errors.extend(sources.read(&path).err());
    }
    if errors.is_empty() { Ok(sources) } else { Err(errors) }
}

/// Parses all texts and merges them. What could be parsed is given even when there are errors.
pub(crate) fn parse<'a>(sources: &'a Sources, errors: &mut Vec<ConfigError>) -> DeTable<'a> {
    let mut whole = DeTable::new();
    for file in sources.files() {
        let (table, faults) = DeTable::parse_recoverable(&file.text);
        // One fault confuses the parser about what follows; the first is the one to mend.
        errors.extend(faults.first().map(|fault| {
            let span = fault
                .span()
                .map_or(file.base..file.base, |span| span.start + file.base..span.end + file.base);
            let message = fault.message().replace('\n', ", ");
            sources.error(&span, format!("not TOML: {message}"), None, None, None)
        }));
        merge(&mut whole, shift_table(table.into_inner(), file.base), true);
    }
    whole
}

fn merge<'a>(into: &mut DeTable<'a>, from: DeTable<'a>, top: bool) {
    for (key, value) in from {
        let Some((old_key, mut old)) = into.remove_entry(key.get_ref().as_ref()) else {
            into.insert(key, value);
            continue;
        };
        let span = value.span();
        match (old.get_mut(), value.into_inner()) {
            (DeValue::Table(old_table), DeValue::Table(new)) => {
                merge(old_table, new, false);
                into.insert(old_key, old);
            }
            (DeValue::Array(old_array), DeValue::Array(new)) if top => {
                for item in &*new {
                    old_array.push(item.clone());
                }
                into.insert(old_key, old);
            }
            (_, new) => {
                into.insert(key, Spanned::new(span, new));
            }
        }
    }
}

fn shift_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            (Spanned::new(span.start + base..span.end + base, key.into_inner()), shift(value, base))
        })
        .collect()
}

fn shift(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let shifted = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, base)),
        DeValue::Array(items) => {
            let mut array = DeArray::new();
            for item in &*items {
                array.push(shift(item.clone(), base));
            }
            DeValue::Array(array)
        }
        plain => plain,
    };
    Spanned::new(span.start + base..span.end + base, shifted)
}
