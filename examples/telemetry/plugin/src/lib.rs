//! Drops readings that no sensor can give: a broken wire reads as 999 degrees.

use weir_sdk::{Message, Verdict, config, metrics, plugin, serde_json::Value};

/// What the operator can say.
#[config]
pub struct Config {
    /// Lowest value that goes on.
    least: f64,
    /// Highest value that goes on.
    most: f64,
}

/// The verdict on every message of a device. One without a value, such as an alarm, goes on.
#[plugin]
pub fn plausible(message: &Message, config: &Config) -> Verdict {
    let Ok(reading) = message.json::<Value>() else {
        return Verdict::drop("not-json");
    };
    match reading["value"].as_f64() {
        Some(value) if value < config.least || value > config.most => {
            metrics::count("implausible", 1);
            Verdict::drop("implausible")
        }
        _ => Verdict::forward(),
    }
}

#[cfg(test)]
mod tests {
    use super::plausible;
    use weir_sdk::{Verdict, test::Harness};

    #[test]
    fn only_what_a_sensor_can_give_goes_on() {
        let mut harness = Harness::<plausible>::new(r#"{"least": -60, "most": 150}"#);
        for (message, verdict) in [
            (r#"{"type": "reading", "value": 21.5}"#, Verdict::forward()),
            (r#"{"type": "reading", "value": -60}"#, Verdict::forward()),
            (r#"{"type": "reading", "value": 999}"#, Verdict::drop("implausible")),
            (r#"{"type": "alarm", "what": "door"}"#, Verdict::forward()),
            ("21.5 degrees", Verdict::drop("not-json")),
        ] {
            assert_eq!(harness.message(message).verdict(), &verdict, "{message}");
        }
    }
}
