//! Keys that remember where they stand and never fail to be read: what is wrong with them is said later, all of it at once.

use crate::source::Span;
use crate::value::{Fault, Read};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use std::borrow::Cow;
use toml::Spanned;

/// A key's value, if the key is there.
#[derive(Clone, Debug)]
pub(crate) struct Field<T>(pub(crate) Option<Written<T>>);

/// What stands in the file.
#[derive(Clone, Debug)]
pub(crate) struct Written<T> {
    pub(crate) span: Span,
    pub(crate) value: Result<T, Fault>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Field<T> {
    /// Where it stands, if it does.
    pub(crate) fn span(&self) -> Option<&Span> {
        self.0.as_ref().map(|written| &written.span)
    }
}

impl<'de, T: Read> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<toml::Value>::deserialize(deserializer)?;
        Ok(Self(Some(Written { span: spanned.span(), value: T::read(spanned.get_ref()) })))
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A list, if the key is there; its items remember where they stand.
pub(crate) type List<T> = Option<Spanned<Vec<Field<T>>>>;

/// `"auto"` or a list of names.
#[derive(Clone, Debug)]
pub(crate) enum Chain {
    Auto,
    Named(Vec<Field<String>>),
    Neither(Field<String>),
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Twice from one value: the items' places are lost in a `toml::Value`, its kind is unknown in a `Vec`.
        let value = Spanned::<Either>::deserialize(deserializer)?;
        let span = value.span();
        Ok(match value.into_inner() {
            Either::List(items) => Self::Named(items),
            Either::Other(toml::Value::String(word)) if word == "auto" => Self::Auto,
            Either::Other(other) => {
                let fault = Fault::wrong("\"auto\" or a list of bindings", &other);
                Self::Neither(Field(Some(Written { span, value: Err(fault) })))
            }
        })
    }
}

enum Either {
    List(Vec<Field<String>>),
    Other(toml::Value),
}

impl<'de> Deserialize<'de> for Either {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Either;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"auto\" or a list of bindings")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Either, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Either::List(list))
            }

            fn visit_str<E>(self, word: &str) -> Result<Either, E> {
                Ok(Either::Other(toml::Value::String(word.to_owned())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Either, E> {
                Ok(Either::Other(toml::Value::Integer(number)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Either, E> {
                Ok(Either::Other(toml::Value::Float(number)))
            }

            // Dates arrive as maps too.
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Either, A::Error> {
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                Ok(Either::Other(toml::Value::Table(toml::Table::new())))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Either, E> {
                Ok(Either::Other(toml::Value::Boolean(truth)))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Chain {
    fn schema_name() -> Cow<'static, str> {
        "Chain".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "const": "auto" }, { "type": "array", "items": { "type": "string" } }] })
    }
}
