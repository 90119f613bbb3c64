//! Lines of JSON on their way to two services: noise is dropped, secrets are taken out, what is left is marked as seen and goes to
//! the service of its room. The peers' scripts do the same, as far as they can.

use serde_json::{Map, Value};
use weir_sdk::{Message, Target, Verdict, plugin};

/// The verdict on a line.
#[plugin(directions = [inbound])]
pub fn scripted(message: &Message) -> Verdict {
    let Ok(mut members) = message.json::<Map<String, Value>>() else {
        return Verdict::drop("not-json");
    };
    let is = |name: &str, text: &str| members.get(name).and_then(Value::as_str) == Some(text);
    if is("type", "noise") {
        return Verdict::drop("noise");
    }
    let room = if is("room", "b") { "b" } else { "a" };
    members.remove("secret");
    members.insert("seen".to_owned(), Value::Bool(true));
    match serde_json::to_vec(&members) {
        Ok(payload) => Verdict::route_with(Target::cluster(room), payload),
        Err(_) => Verdict::drop("not-json"),
    }
}
