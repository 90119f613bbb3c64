//! The filter before a plugin.

use super::{Check, MAX_MESSAGE};
use crate::value::Size;
use crate::words::{DirectionWord, KindWord};
use crate::{When, raw};
use serde_json::Value;
use toml::Spanned;
use weir_core::{Direction, Kind, MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTE_VALUE};

/// Of each: every message is compared with them.
const MOST: usize = 16;
/// Bytes: a longer prefix is no prefix.
const PREFIX: usize = 1024;

impl Check<'_> {
    /// Which messages a plugin is called for. That its listeners are there is [checked](Self::listeners_of_filters) when all are known.
    pub(super) fn when(&mut self, raw: &raw::When) -> When {
        let least = self.size(&raw.min_size, "min_size", 0..=MAX_MESSAGE, 0);
        let most = self.size(&raw.max_size, "max_size", 0..=MAX_MESSAGE, usize::MAX);
        if let Some(span) = raw.min_size.span().filter(|_| least > most) {
            let (least, most) = (Size(least), Size(most));
            self.blame(span, format!("`min_size` is {least} and `max_size` {most}: no message is like that"));
        }
        let listeners = self.list(raw.listener.as_ref(), "listener").unwrap_or_default();
        if let Some(list) = raw.listener.as_ref().filter(|list| list.get_ref().is_empty()) {
            self.blame(&list.span(), "`listener` is empty: no message is of such a session; leave it out");
        }
        When {
            kind: self.read(&raw.kind, "kind").map(|(word, _)| match word {
                KindWord::Text => Kind::Text,
                KindWord::Binary => Kind::Binary,
            }),
            direction: self.read(&raw.direction, "direction").map(|(word, _)| match word {
                DirectionWord::Inbound => Direction::Inbound,
                DirectionWord::Outbound => Direction::Outbound,
            }),
            size: [least, most],
            listeners: listeners.into_iter().map(|(name, _)| name.clone()).collect(),
            attributes: self.attributes(raw),
            prefix: self.prefix(raw),
            json: self.says(raw),
        }
    }

    fn prefix(&mut self, raw: &raw::When) -> String {
        let Some((prefix, span)) = self.read(&raw.prefix, "prefix") else { return String::new() };
        if !(1..=PREFIX).contains(&prefix.len()) {
            self.blame(span, format!("`prefix` has 1 to {PREFIX} bytes, not {}", prefix.len()));
        }
        prefix.clone()
    }

    fn attributes(&mut self, raw: &raw::When) -> Vec<(String, String)> {
        let Some((table, span)) = self.read(&raw.attribute, "attribute") else { return Vec::new() };
        let members = table.0.as_object().into_iter().flatten();
        if members.clone().count() > MOST {
            self.blame(span, format!("`attribute` has more than {MOST} attributes"));
        }
        members
            .filter_map(|(name, value)| {
                let shown = name.escape_debug();
                let Value::String(value) = value else {
                    let message = format!("the attribute \"{shown}\" must be compared with a text, not {value}");
                    self.blame_with_help(span, message, "such as `attribute = { \"weir.path\" = \"/chat\" }`");
                    return None;
                };
                let fits = (1..=MAX_ATTRIBUTE_NAME).contains(&name.len());
                if !fits || value.len() > MAX_ATTRIBUTE_VALUE {
                    let message = format!(
                        "no session has such an attribute as \"{shown}\": a name has 1 to {MAX_ATTRIBUTE_NAME} bytes, a value at \
                         most {MAX_ATTRIBUTE_VALUE}"
                    );
                    self.blame(span, message);
                }
                Some((name.clone(), value.clone()))
            })
            .collect()
    }

    fn says(&mut self, raw: &raw::When) -> Vec<(crate::Pointer, Value)> {
        let Some((table, span)) = self.read(&raw.json, "json") else { return Vec::new() };
        let members = table.0.as_object().into_iter().flatten();
        if members.clone().count() > MOST {
            self.blame(span, format!("`json` has more than {MOST} pointers"));
        }
        members
            .filter_map(|(pointer, value)| {
                let shown = pointer.escape_debug();
                if value.is_object() || value.is_array() {
                    let message =
                        format!("what `json` has at \"{shown}\" must be a text, a number or a truth");
                    self.blame_with_help(span, message, "such as `json = { \"/type\" = \"chat\" }`");
                    return None;
                }
                Some((self.pointer(pointer, "a pointer of `json`", span)?, value.clone()))
            })
            .collect()
    }

    /// A filter that names a listener which is not there would keep the plugin from everything.
    pub(super) fn listeners_of_filters<'n>(
        &mut self,
        raw: &[Spanned<raw::Plugin>],
        listeners: &(impl Iterator<Item = &'n str> + Clone),
    ) {
        for plugin in raw {
            let list = plugin.get_ref().when.as_ref().and_then(|when| when.get_ref().listener.as_ref());
            for item in list.into_iter().flat_map(Spanned::get_ref) {
                // What is no text was blamed when it was read.
                let Some((name, span)) =
                    item.0.as_ref().and_then(|it| Some((it.value.as_ref().ok()?, &it.span)))
                else {
                    continue;
                };
                if listeners.clone().all(|known| known != name) {
                    let message =
                        format!("`when` names a listener \"{}\", and there is none", name.escape_debug());
                    let help = "name one of the listeners of the file, or leave `listener` out".to_owned();
                    self.nowhere(span, &message, name, listeners.clone(), help);
                }
            }
        }
    }
}
