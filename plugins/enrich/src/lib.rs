//! Adds who sent a JSON message, when and over what, to the message itself. See `docs/plugins/enrich.md`.

mod config;
mod splice;
mod time;

pub use config::{Config, Existing, NotObject, Source};

use splice::{Addition, Clash};
use std::{borrow::Cow, cell::OnceCell};
use weir_sdk::{Message, Plugin, SessionId, Verdict, attributes, clock, plugin};

/// The fields, ready for messages.
pub struct Enrich {
    fields: Vec<Field>,
    existing: Existing,
    not_object: NotObject,
}

struct Field {
    name: String,
    label: String,
    source: Value,
}

/// Where a value comes from; what is always the same is JSON text already.
enum Value {
    Fixed(String),
    From(Source),
}

#[plugin]
impl Plugin for Enrich {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        let fields = config.fields.into_iter().map(|(name, source)| {
            let label = splice::label(&name);
            let source = match source {
                Source::Static(value) => Value::Fixed(value.to_string()),
                other => Value::From(other),
            };
            Field { name, label, source }
        });
        Ok(Self { fields: fields.collect(), existing: config.existing, not_object: config.not_object })
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        let text = message.utf8();
        let Some((text, members)) = text.and_then(|text| Some((text, weir_plugin_json::members(text).ok()?)))
        else {
            return self.not_an_object(message);
        };
        match splice::add(text, &members, &self.additions(message.session), self.existing) {
            Ok(enriched) => Verdict::forward_with(enriched),
            Err(Clash) => Verdict::drop("exists"),
        }
    }
}

impl Enrich {
    fn not_an_object(&self, message: &Message) -> Verdict {
        match self.not_object {
            NotObject::Forward => Verdict::forward(),
            NotObject::Drop => Verdict::drop("not-an-object"),
            NotObject::Wrap => match message.utf8() {
                Some(text) => Verdict::forward_with(splice::wrap(text, &self.additions(message.session))),
                None => Verdict::drop("not-utf8"),
            },
        }
    }

    fn additions(&self, session: SessionId) -> Vec<Addition<'_>> {
        // Read once, so that all fields of a message tell the same time.
        let read = OnceCell::new();
        let now = || *read.get_or_init(clock::now);
        let fields = self.fields.iter().map(|field| {
            let value = match &field.source {
                Value::Fixed(value) => Cow::Borrowed(value.as_str()),
                Value::From(source) => source.value(session, now).into(),
            };
            Addition { name: &field.name, label: &field.label, value }
        });
        fields.collect()
    }
}

impl Source {
    /// The value as JSON text.
    fn value(&self, session: SessionId, now: impl Fn() -> u64) -> String {
        match self {
            // Beyond 2^53 a number is not the same in every reader of JSON.
            Self::Session => format!("\"{session}\""),
            Self::Peer => attribute(session, "weir.peer"),
            Self::Listener => attribute(session, "weir.listener"),
            Self::Time => format!("\"{}\"", time::rfc3339(now())),
            Self::TimeMs => now().to_string(),
            Self::Attribute(name) => attribute(session, name),
            Self::Static(value) => value.to_string(),
        }
    }
}

fn attribute(session: SessionId, name: &str) -> String {
    attributes::get(session, name).map_or_else(|| "null".into(), |value| splice::quoted(&value))
}
