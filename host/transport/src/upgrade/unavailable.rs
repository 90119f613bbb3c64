//! The answer to a client that may come another time (RFC 9110, sections 15.6.4 and 10.2.3).

use super::told;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, header};
use std::time::Duration;
use weir_codec::http3;
use weir_core::CloseReason;

/// Why a client is not let in now, and when to ask again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unavailable {
    pub(crate) reason: CloseReason,
    /// Seconds; 0: nothing is said.
    wait: u64,
}

impl Unavailable {
    /// `random` chooses from a second to `retry`, so that those who are refused together do not come back together.
    pub(crate) fn new(reason: CloseReason, retry: Duration, random: u32) -> Self {
        let most = retry.as_secs() + u64::from(retry.subsec_nanos() > 0);
        Self { reason, wait: if most == 0 { 0 } else { 1 + (most.saturating_mul(random.into()) >> 32) } }
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let (_, text) = self.reason.close();
        let mut response = told(StatusCode::SERVICE_UNAVAILABLE, text);
        if self.wait > 0 {
            response.headers_mut().insert(header::RETRY_AFTER, self.wait.into());
        }
        response
    }

    /// The same over HTTP/3.
    pub(crate) fn http3(&self) -> Vec<u8> {
        let (_, text) = self.reason.close();
        let wait = self.wait.to_string();
        let headers: &[_] = if self.wait > 0 { &[("retry-after", &*wait)] } else { &[] };
        http3::response(StatusCode::SERVICE_UNAVAILABLE.as_u16(), headers, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_another_time_within_the_bound() {
        let wait = |retry: u64, random| {
            let why = Unavailable::new(CloseReason::Overload, Duration::from_millis(retry), random);
            let response = why.response();
            assert_eq!(response.status(), 503);
            response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(wait(0, 7), None);
        assert_eq!(wait(1, u32::MAX).unwrap(), "1");
        assert_eq!(wait(30_000, 0).unwrap(), "1");
        assert_eq!(wait(30_000, u32::MAX / 2).unwrap(), "15");
        assert_eq!(wait(30_000, u32::MAX).unwrap(), "30");
    }
}
