//! The proof that a server speaks WebSocket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// RFC 6455, section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What `Sec-WebSocket-Accept` must be for a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2). The key is taken as it is; whether it
/// is one, [`is_key`] says.
pub fn accept_key(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether a `Sec-WebSocket-Key` is what a client must send: 16 bytes in base64 (RFC 6455, section 4.2.1).
pub fn is_key(key: &[u8]) -> bool {
    // Checked before anything is decoded: 16 bytes are 24 characters.
    let mut nonce = [0; 18];
    key.len() == 24 && STANDARD.decode_slice(key, &mut nonce) == Ok(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_as_the_example_of_the_rfc() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_sixteen_bytes_in_base64() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for key in
            [&b""[..], b"dGhlIHNhbXBsZSBub25jZQ", b"dGhlIHNhbXBsZSBub25jZQ=!", b"AAAAAAAAAAAAAAAAAAAAAAAA"]
        {
            assert!(!is_key(key), "{}", key.escape_ascii());
        }
    }
}
