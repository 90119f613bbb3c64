//! From files to a [`Config`].

use crate::error::{ConfigError, Errors};
use crate::source::Sources;
use crate::validate::Check;
use crate::{Config, PluginSettings, merge, raw, schema, shape};
use serde::de::DeserializeOwned;
use std::path::Path;
use toml::Spanned;
use toml::de::Deserializer;

/// Loads a configuration: this file, then `conf.d/*.toml` beside it in the order of their names.
///
/// Paths in a file are resolved from the directory of that file.
///
/// # Errors
/// Everything that is wrong with the files, at least one error.
pub fn load(path: &Path) -> Result<Config, Errors> {
    let sources = merge::read(path).map_err(Errors::new)?;
    from_sources::<raw::File, _>(&sources, "the file", |check, file| check.file(&file))
}

/// Loads the file beside a plugin of an automatic chain (`10-auth.toml` beside `10-auth.wasm`): the keys of a `[[plugin]]` table
/// without `name` and `module`. What it leaves out is as in `defaults`.
///
/// # Errors
/// Everything that is wrong with the file, at least one error.
pub fn sidecar(path: &Path, defaults: &PluginSettings) -> Result<PluginSettings, Errors> {
    let mut sources = Sources::default();
    sources.read(path).map_err(|error| Errors::new(vec![error]))?;
    from_sources::<raw::Settings, _>(&sources, "a plugin's file", |check, file| {
        check.settings(&file, defaults)
    })
}

pub(crate) fn from_sources<R, T>(
    sources: &Sources,
    what: &str,
    validate: impl FnOnce(&mut Check<'_>, R) -> T,
) -> Result<T, Errors>
where
    R: DeserializeOwned + schemars::JsonSchema,
{
    let mut errors = Vec::new();
    let mut table = merge::parse(sources, &mut errors);
    // What cannot be parsed is not blamed for what it then lacks.
    if !errors.is_empty() {
        return Err(Errors::new(errors));
    }
    shape::check(&mut table, &schema::of::<R>(), &(0..0), what, sources, &mut errors);
    let raw = match R::deserialize(Deserializer::from(Spanned::new(0..0, table))) {
        Ok(raw) => raw,
        Err(error) => {
            errors.push(unexpected(&error, sources));
            return Err(Errors::new(errors));
        }
    };
    let mut check = Check::new(sources, errors);
    let validated = validate(&mut check, raw);
    match check.into_errors() {
        errors if errors.is_empty() => Ok(validated),
        errors => Err(Errors::new(errors)),
    }
}

/// The shape has been checked and leaves never fail, so nothing should get here; if it does, it is still a place and a sentence.
fn unexpected(error: &toml::de::Error, sources: &Sources) -> ConfigError {
    sources.error(&error.span().unwrap_or(0..0), error.message().to_owned(), None, None, None)
}
