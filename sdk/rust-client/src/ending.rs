//! What an end says about coming back.

use crate::Error;
use std::time::Duration;

/// The gateway's own sentences with 1008 that tell of a bad network, not of a client that may not be here.
const SLOW: [&str; 4] =
    ["handshake took too long", "frame took too long", "took nothing for too long", "reading too slowly"];
/// More than a gateway's drain asks for; a peer cannot send a client away for days.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Whether it makes sense to connect again.
pub(crate) fn comes_back(cause: &Error) -> bool {
    match cause {
        Error::Closed { code: 1008, reason } => SLOW.contains(&reason.as_str()),
        // Of the codes of applications the lower half of each thousand asks to come back, the upper half to stay away.
        Error::Closed { code, .. } if *code >= 3000 => code % 1000 < 500,
        Error::Closed { code, .. } => ![1000, 1002, 1003, 1007, 1009, 1010].contains(code),
        Error::Protocol(_) | Error::NotSpoken => false,
        _ => true,
    }
}

/// What the gateway asks to wait (`retry-after-ms=N` in the reason), at most ten minutes.
pub(crate) fn retry_after(cause: &Error) -> Duration {
    let Error::Closed { reason, .. } = cause else { return Duration::ZERO };
    let asked = reason
        .split([' ', ';'])
        .find_map(|word| word.strip_prefix("retry-after-ms="))
        .and_then(|number| number.parse().ok());
    asked.map_or(Duration::ZERO, |asked| Duration::from_millis(asked).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, reason: &str) -> Error {
        Error::Closed { code, reason: reason.to_owned() }
    }

    #[test]
    fn codes() {
        for code in [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3000, 4000, 4499] {
            assert!(comes_back(&closed(code, "")), "{code}");
        }
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3500, 4500, 4999] {
            assert!(!comes_back(&closed(code, "")), "{code}");
        }
        assert!(comes_back(&closed(1008, "reading too slowly")) && comes_back(&Error::Silent));
        assert!(!comes_back(&closed(1008, "sending too fast")) && !comes_back(&Error::NotSpoken));
    }

    #[test]
    fn what_the_gateway_asks_for() {
        let asked = |reason| retry_after(&closed(1001, reason)).as_millis();
        assert_eq!(asked("gateway is going away; retry-after-ms=4321"), 4321);
        assert_eq!(asked("gateway is going away"), 0);
        assert_eq!(asked("xretry-after-ms=5"), 0);
        assert_eq!(asked("retry-after-ms=many"), 0);
        assert_eq!(asked("retry-after-ms=999999999"), 600_000);
    }
}
