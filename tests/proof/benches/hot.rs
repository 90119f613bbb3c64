//! What the binary has of its own on the way of a message: a value in a JSON payload, which filters (`when`) and conflation look at.

use std::hint::black_box;
use weir_proof::hot::Case;

#[path = "../../../host/gateway/src/run/json.rs"]
mod json;

const CASES: &[Case] = &[
    Case { name: "JSON: a text in 128 B, first member", of: 1, make: || find(OBJECT, "/type") },
    Case { name: "JSON: a number in 128 B, last member but one", of: 1, make: || find(OBJECT, "/valid") },
    Case { name: "JSON: three levels down", of: 1, make: || find(DEEP, "/a/b/2") },
    Case { name: "JSON: none in 4 KiB", of: 1, make: || find(long(), "/other") },
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

weir_proof::hot!(CASES);
