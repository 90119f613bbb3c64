//! Drops messages that are too long. Replace it by what your plugin does; `cargo test` runs the tests below.

use weir_sdk::{Message, Verdict, config, plugin};

/// What the operator may write in `config = { … }`. Comments become descriptions in the schema.
#[config]
pub struct Config {
    /// Longest message that goes on, in bytes.
    #[serde(default = "longest")]
    longest: usize,
}

fn longest() -> usize {
    1024
}

/// The verdict on every message of a client.
#[plugin]
pub fn verdict(message: &Message, config: &Config) -> Verdict {
    if message.payload().len() > config.longest {
        Verdict::drop("too-long")
    } else {
        Verdict::forward()
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use weir_sdk::{Verdict, test::Harness};

    #[test]
    fn long_messages_are_dropped() {
        let mut harness = Harness::<verdict>::new(r#"{"longest": 5}"#);
        assert_eq!(harness.message("short").verdict(), &Verdict::forward());
        assert_eq!(harness.message("longer").verdict(), &Verdict::drop("too-long"));
    }

    #[test]
    fn a_config_with_a_typing_error_is_refused() {
        assert!(Harness::<verdict>::try_new(r#"{"longes": 5}"#).is_err());
    }
}
