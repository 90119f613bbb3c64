//! What the binary has of its own that is called often: a value in a JSON payload, which filters (`when`) and conflation look at for each
//! message, and the pages that whoever watches a gateway asks for again and again.

#![allow(
    dead_code,
    unused_imports,
    reason = "the modules are those of main.rs, and a bench calls a few of them"
)]

mod admin;
mod capacity;
mod cli;
mod errors;
mod log;
mod plugin_command;
mod record;
mod reload;
mod remote;
mod replay;
mod run;
mod send;
mod tap;
mod tap_command;
mod top_command;

use run::{Shared, json};
use std::hint::black_box;
use std::sync::Arc;
use weir_core::{BindingId, OnFailure};
use weir_plugin::{
    BindingSpec, Catalogue, Grants, PluginLimits, RolloutPolicy, Runtime, RuntimeOptions, StateStore,
};
use weir_proof::hot::Case;

const CASES: &[Case] = &[
    Case { name: "JSON: a text in 128 B, first member", of: 1, make: || find(OBJECT, "/type") },
    Case { name: "JSON: a number in 128 B, last member but one", of: 1, make: || find(OBJECT, "/valid") },
    Case { name: "JSON: three levels down", of: 1, make: || find(DEEP, "/a/b/2") },
    Case { name: "JSON: none in 4 KiB", of: 1, make: || find(long(), "/other") },
    Case { name: "metrics: one listener", of: 1, make: || metrics(&shared(1, 1, 0, 0)) },
    Case {
        name: "metrics: 20 listeners, 20 plugins, 5 clusters, 8 workers",
        of: 1,
        make: || metrics(&shared(8, 20, 20, 5)),
    },
    Case { name: "plugins: the status of 20", of: 1, make: || status(shared(1, 1, 20, 0)) },
];

const OBJECT: &str = r#"{"type":"reading","device":"gauge-0017","level":2.41,"unit":"m","flow":131.5,"valid":true,"note":"second mark, lower weir open"}"#;
const DEEP: &str = r#"{"x":[1,2,3],"a":{"c":"no","b":[null,true,"here"]}}"#;

fn long() -> &'static str {
    format!(r#"{{"values":[{}]}}"#, vec!["1234"; 800].join(",")).leak()
}

fn find(payload: &'static str, pointer: &'static str) -> Box<dyn FnMut()> {
    let tokens: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
    Box::new(move || {
        let found = json::at(black_box(payload.as_bytes()), &tokens, |value| match value {
            json::Scalar::Text(text) => text.len() as u64,
            json::Scalar::Truth(truth) => u64::from(truth),
            json::Scalar::Unsigned(number) => number,
            json::Scalar::Signed(number) => number.unsigned_abs(),
            json::Scalar::Float(number) => number.to_bits(),
            json::Scalar::Null => 0,
        });
        black_box(found);
    })
}

/// What a gateway with so many of each shows, of which nothing was used yet. What is counted of sessions and messages is added up where
/// it happens: their number makes no page longer.
fn shared(workers: usize, listeners: usize, plugins: usize, clusters: usize) -> Arc<Shared> {
    let names = |what: &str, count: usize| (0..count).map(|number| format!("{what}-{number}")).collect();
    let (listeners, clusters) = (names("listener", listeners), names("cluster", clusters));
    let shared = Shared::new(workers, listeners, clusters, tap::Redaction::default(), Arc::default());
    shared.catalogue.store(Some(Arc::new(catalogue(plugins))));
    Arc::new(shared)
}

/// Bindings whose file was refused: they have all counters, and nothing is compiled for them.
fn catalogue(plugins: usize) -> Catalogue {
    let runtime = Runtime::new(RuntimeOptions::default()).expect("an engine");
    let catalogue = Catalogue::new(runtime, StateStore::in_memory());
    let spec = |number: usize| BindingSpec {
        id: BindingId(number as u16),
        sha256: None,
        name: format!("plugin-{number}").into(),
        config: serde_json::Value::Null,
        limits: PluginLimits::default(),
        grants: Grants::default(),
        on_failure: OnFailure::Closed,
        when: None,
        rollout: RolloutPolicy::default(),
    };
    let specs: Vec<_> = (0..plugins).map(spec).collect();
    catalogue.offer("plugin.wasm", b"no plugin", &specs);
    catalogue
}

fn metrics(shared: &Arc<Shared>) -> Box<dyn FnMut()> {
    let bindings = shared.bindings().len();
    let registry = admin::registry(shared);
    Box::new(move || {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).expect("a page");
        assert_eq!(page.matches("\nweir_plugin_calls_total{").count(), bindings, "each has its line");
        black_box(page);
    })
}

fn status(shared: Arc<Shared>) -> Box<dyn FnMut()> {
    Box::new(move || {
        let status = shared.plugin_status();
        black_box(serde_json::to_string(&status).expect("JSON"));
    })
}

weir_proof::hot!(CASES);
