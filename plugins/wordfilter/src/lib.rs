//! Drops messages that contain listed words, or masks the words. See `docs/plugins/wordfilter.md`.

mod config;
mod fold;
mod mask;
mod matcher;

pub use config::{Action, Config};

use matcher::Matcher;
use weir_plugin_json::Pointer;
use weir_sdk::{Kind, Message, Plugin, Verdict, metrics, plugin};

/// The filter, ready for messages.
pub struct Wordfilter {
    matcher: Matcher,
    action: Action,
    mask: char,
    binary: bool,
    pointers: Vec<Pointer>,
    reason: String,
}

#[plugin]
impl Plugin for Wordfilter {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        let pointers = config.json_pointers.iter().map(|pointer| Pointer::parse(pointer));
        Ok(Self {
            pointers: pointers
                .collect::<Result<_, _>>()
                .map_err(|error| format!("json_pointers: {error}"))?,
            matcher: Matcher::new(&config.words, config.whole_words)?,
            action: config.action,
            mask: config.mask,
            binary: config.binary,
            reason: config.reason,
        })
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        let text = match message.kind {
            Kind::Binary if !self.binary => return Verdict::forward(),
            Kind::Text | Kind::Binary => message.utf8(),
        };
        let Some(text) = text else {
            return Verdict::forward();
        };
        match self.action {
            Action::Drop if self.contains(text) => {
                metrics::count("dropped", 1);
                Verdict::drop(self.reason.as_str())
            }
            Action::Drop => Verdict::forward(),
            Action::Mask => match self.masked(text) {
                Some(masked) => {
                    metrics::count("masked", 1);
                    Verdict::forward_with(masked)
                }
                None => Verdict::forward(),
            },
        }
    }
}

impl Wordfilter {
    fn contains(&self, text: &str) -> bool {
        match self.strings(text) {
            Some(strings) => strings.iter().any(|string| self.matcher.matches(&string.value)),
            None => self.matcher.matches(text),
        }
    }

    /// The text with its words masked; `None` if there are none.
    fn masked(&self, text: &str) -> Option<String> {
        let Some(strings) = self.strings(text) else {
            return mask::text(text, &self.matcher.spans(text), self.mask);
        };
        let replaced = strings.into_iter().filter_map(|string| {
            let masked = mask::text(&string.value, &self.matcher.spans(&string.value), self.mask)?;
            Some((string.span, serde_json::Value::String(masked).to_string()))
        });
        mask::splice(text, replaced.collect())
    }

    /// The strings at the configured pointers. `None` where the whole text is to be looked at: without pointers, and
    /// where the text is not JSON, which would else be a way past the filter.
    fn strings(&self, text: &str) -> Option<Vec<mask::JsonString>> {
        if self.pointers.is_empty() {
            return None;
        }
        mask::strings(text, &self.pointers).ok()
    }
}
