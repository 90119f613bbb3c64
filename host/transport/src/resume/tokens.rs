//! Tokens of sessions: opaque to clients, made and understood by this process alone.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt;
use weir_core::{Hello, SessionId, Time};

/// Bytes of a token: a version, the session, when it expires in seconds of the process, and the beginning of the HMAC of these.
const LENGTH: usize = SIGNED + MAC;
const SIGNED: usize = 1 + 8 + 8;
/// Half of it is enough where whoever guesses must ask the gateway each time (RFC 2104, section 5).
const MAC: usize = 16;
const VERSION: u8 = 1;

/// Signs with a key that the process makes for itself: a session lives in one process, and so do its tokens.
pub struct Tokens(Key);

impl Tokens {
    /// With a new key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> std::io::Result<Self> {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new());
        key.map(Self).map_err(|_| std::io::Error::other("the system gives no random numbers"))
    }

    /// Whose token it is, if it is good.
    pub(crate) fn verify(&self, token: &str, now: Time) -> Result<SessionId, Hello> {
        // Before any work: what is longer is none.
        let decoded =
            (token.len() <= 2 * LENGTH).then(|| BASE64_URL_SAFE_NO_PAD.decode(token).ok()).flatten();
        let Some(bytes) = decoded.and_then(|bytes| <[u8; LENGTH]>::try_from(bytes).ok()) else {
            return Err(Hello::Unknown);
        };
        let (signed, mac) = bytes.split_at(SIGNED);
        let own = hmac::sign(&self.0, signed);
        if verify_slices_are_equal(&own.as_ref()[..MAC], mac).is_err() || signed[0] != VERSION {
            return Err(Hello::Unknown);
        }
        let number = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&signed[from..from + 8]);
            u64::from_be_bytes(bytes)
        };
        if number(9) <= seconds(now) {
            return Err(Hello::Expired);
        }
        Ok(SessionId::from_raw(number(1)))
    }
}

impl weir_core::Tokens for Tokens {
    fn issue(&self, session: SessionId, expires: Time) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend_from_slice(&session.raw().to_be_bytes());
        bytes.extend_from_slice(&seconds(expires).to_be_bytes());
        let mac = hmac::sign(&self.0, &bytes);
        bytes.extend_from_slice(&mac.as_ref()[..MAC]);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn seconds(time: Time) -> u64 {
    time.0 / 1_000_000
}

impl fmt::Debug for Tokens {
    /// The key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::Tokens as _;

    const NOW: Time = Time(5_000_000);

    #[test]
    fn a_token_is_good_for_its_session_and_its_time() {
        let tokens = Tokens::new().unwrap();
        let session = SessionId::from_raw(0x0102_0304_0506_0708);
        let token = tokens.issue(session, Time(9_000_000));
        assert_eq!(tokens.verify(&token, NOW), Ok(session));
        assert_eq!(tokens.verify(&token, Time(8_999_999)), Ok(session));
        assert_eq!(tokens.verify(&token, Time(9_000_000)), Err(Hello::Expired));
        assert_eq!(Tokens::new().unwrap().verify(&token, NOW), Err(Hello::Unknown), "another process");
    }

    #[test]
    fn no_bit_of_it_can_be_changed() {
        let tokens = Tokens::new().unwrap();
        let token = tokens.issue(SessionId::from_raw(7), Time(9_000_000));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let forged = BASE64_URL_SAFE_NO_PAD.encode(&forged);
            assert_eq!(tokens.verify(&forged, NOW), Err(Hello::Unknown), "bit {bit}");
        }
        for wrong in ["", "x", "*", &token[1..], &format!("{token}AA"), &"A".repeat(10_000)] {
            assert_eq!(tokens.verify(wrong, NOW), Err(Hello::Unknown), "{wrong}");
        }
    }
}
