//! Exports the packed `batch` beside the handler. Its answers are never asked for yet.

mod bindings {
    wit_bindgen::generate!({ path: "../../sdk/wit", world: "batching-plugin" });
}

use bindings::exports::weir::plugin::{batch, handler};
use bindings::weir::plugin::types::{Direction, Forwarding};

struct Batch;

impl batch::Guest for Batch {
    fn handle(_: Vec<u8>) -> Vec<u8> {
        Vec::new()
    }
}

impl handler::Guest for Batch {
    fn describe() -> handler::Manifest {
        handler::Manifest {
            name: "batch".into(),
            version: "1.0.0".into(),
            description: String::new(),
            directions: vec![Direction::Inbound],
            config_schema: String::new(),
        }
    }
    fn configure(_: String) -> Result<(), String> {
        Ok(())
    }
    fn on_open(_: handler::SessionInfo) -> Result<(), handler::Rejection> {
        Ok(())
    }
    fn on_message(_: handler::Message) -> handler::Verdict {
        handler::Verdict::Forward(Forwarding { payload: None, route: None })
    }
    fn on_close(_: u64, _: handler::Rejection) {}
    fn on_timer() {}
}

bindings::export!(Batch with_types_in bindings);
