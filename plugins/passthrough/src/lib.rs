//! Forwards every message as it is, in both directions: what a plugin costs when it does nothing.

use weir_sdk::{Message, Verdict, plugin};

/// The verdict on every message.
#[plugin(directions = [inbound, outbound])]
pub fn passthrough(_message: &Message) -> Verdict {
    Verdict::forward()
}

#[cfg(test)]
mod tests {
    use super::passthrough;
    use weir_sdk::{Registered as _, Verdict, test::Harness};

    #[test]
    fn forwards_whatever_comes() {
        let mut harness = Harness::<passthrough>::new("");
        for payload in [&b""[..], b"text", b"\xff\x00", &vec![7; 1 << 20]] {
            let outcome = harness.binary(payload);
            assert_eq!(outcome.verdict(), &Verdict::forward());
            assert!(outcome.effects.is_empty() && outcome.logs.is_empty());
        }
        assert_eq!(harness.outbound("back").verdict(), &Verdict::forward());
    }

    #[test]
    fn takes_no_config() {
        assert_eq!(passthrough::manifest().config_schema, "");
        assert_eq!(
            Harness::<passthrough>::try_new(r#"{"a": 1}"#).err().unwrap(),
            "this plugin takes no config"
        );
    }
}
