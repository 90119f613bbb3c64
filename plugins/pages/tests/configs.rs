//! The configs on the pages are accepted, by the schema and by the plugin, and every key of a config is on its page.

use serde_json::Value;
use std::path::Path;
use weir_sdk::{Registered, test::Harness};

/// The page of a plugin.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/plugins/{name}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The `[[plugin]]` tables on a page.
fn tables(page: &str) -> Vec<Value> {
    let blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("a block ends"));
    let tables = blocks.flat_map(|block| {
        let table: Value = toml::from_str(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        table["plugin"].as_array().expect("a block is a [[plugin]] table").clone()
    });
    tables.collect()
}

fn check<P: Registered>() {
    let page = page(P::NAME);
    let manifest = P::manifest();
    let tables = tables(&page);
    assert!(!tables.is_empty(), "{}: the page shows no config", P::NAME);
    for table in &tables {
        assert_eq!(table["name"], P::NAME);
        assert_eq!(
            table["module"],
            format!("{}.wasm", P::NAME),
            "the name that `make plugins` gives the file"
        );
        let config = table.get("config").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        if let Err(error) = Harness::<P>::try_new(&config) {
            panic!("{}: {error}", P::NAME);
        }
        if !manifest.config_schema.is_empty() {
            let schema: Value = serde_json::from_str(&manifest.config_schema).expect("the schema is JSON");
            jsonschema::draft202012::meta::validate(&schema).expect("the schema is one");
            let validator = jsonschema::draft202012::new(&schema).expect("the schema can be used");
            assert!(validator.is_valid(&config), "{}: {:?}", P::NAME, validator.validate(&config));
            for key in schema["properties"].as_object().expect("a config has members").keys() {
                assert!(
                    page.contains(&format!("| `{key}` |")),
                    "{}: the page does not explain `{key}`",
                    P::NAME
                );
            }
        }
    }
}

#[test]
fn passthrough() {
    check::<passthrough::passthrough>();
}

#[test]
fn wordfilter() {
    check::<wordfilter::Wordfilter>();
}

#[test]
fn route_by_field() {
    check::<route_by_field::RouteByField>();
}

#[test]
fn enrich() {
    check::<enrich::Enrich>();
}
