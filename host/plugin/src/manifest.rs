//! What a plugin says of itself.

use serde::ser::SerializeStruct as _;
use weir_core::Directions;

/// The answer to `describe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// At most 64 bytes, not empty.
    pub name: String,
    /// At most 64 bytes.
    pub version: String,
    /// At most 4 KiB.
    pub description: String,
    /// For which messages it is called.
    pub directions: Directions,
    /// JSON Schema (2020-12) of its config, at most 64 KiB; empty: it takes none.
    pub config_schema: String,
}

impl Manifest {
    /// The first thing that is wrong with it, as the end of a sentence.
    pub(crate) fn fault(&self) -> Option<String> {
        let bounds = [
            ("name", self.name.len(), 64),
            ("version", self.version.len(), 64),
            ("description", self.description.len(), 4 << 10),
            ("config schema", self.config_schema.len(), 64 << 10),
        ];
        if self.name.is_empty() {
            return Some("an empty name".into());
        }
        bounds
            .into_iter()
            .find(|(_, length, most)| length > most)
            .map(|(field, length, most)| format!("a {field} of {length} bytes; the most is {most}"))
    }
}

impl serde::Serialize for Manifest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let directions: Vec<_> =
            [("inbound", self.directions.inbound), ("outbound", self.directions.outbound)]
                .into_iter()
                .filter_map(|(name, wanted)| wanted.then_some(name))
                .collect();
        let mut fields = serializer.serialize_struct("Manifest", 5)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("version", &self.version)?;
        fields.serialize_field("description", &self.description)?;
        fields.serialize_field("directions", &directions)?;
        // As JSON inside JSON where it is JSON; as the text that it is where it is not.
        match serde_json::from_str::<serde_json::Value>(&self.config_schema) {
            Ok(schema) => fields.serialize_field("config_schema", &schema)?,
            Err(_) => fields.serialize_field("config_schema", &self.config_schema)?,
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_named() {
        let good = Manifest {
            name: "x".into(),
            version: String::new(),
            description: String::new(),
            directions: Directions::default(),
            config_schema: String::new(),
        };
        assert_eq!(good.fault(), None);
        assert!(Manifest { name: String::new(), ..good.clone() }.fault().is_some());
        let long = Manifest { version: "1".repeat(65), ..good };
        assert_eq!(long.fault().unwrap(), "a version of 65 bytes; the most is 64");
    }
}
