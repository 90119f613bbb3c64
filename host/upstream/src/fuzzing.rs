//! Entry points for fuzzers, and for the unit tests that run them on the committed corpora.

use crate::{Endpoint, response};

/// Of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Any bytes as a server's answer to the handshake: understood when it is whole and not before, and the same whatever follows.
pub fn answer(data: &[u8]) {
    let offered = ["v1".to_owned(), "v2".to_owned()];
    let whole = response::accept(data, KEY, &offered);
    if let Ok(Some(length)) = whole {
        assert!(length <= data.len());
        assert!(matches!(response::accept(&data[..length], KEY, &offered), Ok(Some(same)) if same == length));
        for end in 0..length {
            let part = response::accept(&data[..end], KEY, &offered);
            assert!(matches!(part, Ok(None)), "{end} of {length} bytes: {part:?}");
        }
        let more = [data, b"\x81\x01x"].concat();
        assert!(matches!(response::accept(&more, KEY, &offered), Ok(Some(same)) if same == length));
    }
    if let Err(refusal) = whole {
        // What a server wrote is shown cut and escaped.
        let told = refusal.to_string();
        assert!(told.len() < 2_000 && !told.chars().any(char::is_control), "{told:?}");
        assert!(!refusal.advice().is_empty());
    }
}

/// Any text as an endpoint: what is read is written as it would be read again.
pub fn endpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint.clone()), "{text:?}");
        assert!(!endpoint.host().is_empty());
    }
}

#[cfg(test)]
mod tests {
    fn corpus(name: &str, target: fn(&[u8])) {
        weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), name, 10_000, target);
    }

    #[test]
    fn answers_hold_on_their_corpus() {
        corpus("answer", super::answer);
    }

    #[test]
    fn endpoints_hold_on_their_corpus() {
        corpus("endpoint", super::endpoint);
    }
}
