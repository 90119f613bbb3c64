//! Chooses where a JSON message goes by one of its fields. See `docs/plugins/route-by-field.md`.

mod config;
mod table;

pub use config::{Config, Destination, Miss, Other};

use table::Table;
use weir_plugin_json::Pointer;
use weir_sdk::{Message, Plugin, Target, Verdict, plugin};

/// The table of routes, ready for messages.
pub struct RouteByField {
    field: Pointer,
    table: Table,
    default: Verdict,
    not_json: Other,
}

#[plugin]
impl Plugin for RouteByField {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        let field = Pointer::parse(&config.field).map_err(|error| format!("field: {error}"))?;
        let table = Table::new(&config.rules, &config.prefixes)?;
        Ok(Self { field, table, default: config.default.verdict("default")?, not_json: config.not_json })
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        let found = message.utf8().map(|text| (text, self.field.find(text)));
        let Some((text, Ok(spans))) = found else {
            return self.not_json.verdict();
        };
        // An object that repeats a name means different things to different readers: it gets no route of its own.
        let [span] = spans.as_slice() else {
            return self.default.clone();
        };
        let value = &text[span.clone()];
        let choice = if value.starts_with('"') {
            match serde_json::from_str::<String>(value) {
                Ok(value) => self.table.choose(&value),
                Err(_) => return self.not_json.verdict(),
            }
        } else {
            self.table.choose(value)
        };
        choice.unwrap_or(&self.default).clone()
    }
}

impl Destination {
    /// The verdict that sends a message there; `place` names it in errors.
    pub(crate) fn verdict(&self, place: &str) -> Result<Verdict, String> {
        let (kind, name, longest) = match self {
            Self::Cluster(name) => ("cluster", name, 256),
            Self::Group(name) => ("group", name, 256),
        };
        if name.is_empty() || name.len() > longest {
            return Err(format!(
                "{place}.{kind}: a name has 1 to {longest} bytes, this one has {}",
                name.len()
            ));
        }
        Ok(Verdict::route_to(match self {
            Self::Cluster(name) => Target::cluster(name),
            Self::Group(name) => Target::group(name),
        }))
    }
}

impl Miss {
    fn verdict(&self, place: &str) -> Result<Verdict, String> {
        match self {
            Self::Forward => Ok(Verdict::forward()),
            Self::Drop => Ok(Verdict::drop("no-route")),
            Self::Cluster(name) => Destination::Cluster(name.clone()).verdict(place),
            Self::Group(name) => Destination::Group(name.clone()).verdict(place),
        }
    }
}

impl Other {
    fn verdict(self) -> Verdict {
        match self {
            Self::Forward => Verdict::forward(),
            Self::Drop => Verdict::drop("not-json"),
            Self::Close => Verdict::close(1007, "messages here are JSON"),
        }
    }
}
