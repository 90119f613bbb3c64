//! `peer-fluvio GUEST.wasm`: a chain of one filter, a record a call; and 64 records a call, which is how Fluvio uses it.

use fluvio_protocol::record::Record;
use fluvio_smartengine::{
    DEFAULT_SMARTENGINE_VERSION, SmartEngine, SmartModuleChainBuilder, SmartModuleConfig,
};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use rounds::{LARGE, SMALL, report};

fn main() {
    let guest = std::env::args().nth(1).expect("peer-fluvio GUEST.wasm");
    let bytes = std::fs::read(guest).expect("a module");
    let config =
        SmartModuleConfig::builder().smartmodule_names(&["filter".to_owned()]).build().expect("a config");
    let mut builder = SmartModuleChainBuilder::default();
    builder.add_smart_module(config, bytes);
    let mut chain = builder.initialize(&SmartEngine::new()).expect("a chain");
    let mut process = |payload: &[u8], count: usize| {
        let records = (0..count).map(|_| Record::new(payload)).collect();
        let input =
            SmartModuleInput::try_from_records(records, DEFAULT_SMARTENGINE_VERSION).expect("an input");
        let output = chain.process(input).expect("an output");
        assert!(output.error.is_none() && output.successes.len() == count);
    };
    for (name, payload) in [("128", &SMALL[..]), ("4096", &LARGE[..])] {
        report(name, 5_000, || process(payload, 1));
    }
    report("64x128", 500, || process(&SMALL, 64));
}
