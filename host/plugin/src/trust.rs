//! Whose files are taken.

use crate::refusal::Refusal;
use minisign_verify::{Error, PublicKey, Signature};

/// The most bytes of a signature file. Minisign's have some 300; their comments may be longer.
pub const MAX_SIGNATURE: usize = 8 << 10;

/// The keys of those who may sign plugins (minisign: Ed25519 over BLAKE2b-512 of the file). Without any, every file is taken.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Vec<PublicKey>,
}

impl Trust {
    /// A file must be signed by one of these.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys }
    }

    /// Whether files have to be signed.
    pub fn asks(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether a file is taken. `signature` is the text of the file `NAME.wasm.minisig` beside it.
    pub fn check(&self, bytes: &[u8], signature: Option<&str>) -> Result<(), Refusal> {
        if !self.asks() {
            return Ok(());
        }
        let text = signature.ok_or(Refusal::Unsigned)?;
        let wrong = |why: &str| Refusal::Signature(why.to_owned());
        let signature = Signature::decode(text)
            .map_err(|_| wrong("the signature file is damaged, or was not made by minisign"))?;
        let mut why = wrong("it was signed with a key that plugins.signed_by does not list");
        for key in &self.keys {
            match key.verify(bytes, &signature, false) {
                Ok(()) => return Ok(()),
                Err(Error::UnexpectedKeyId) => {}
                Err(Error::UnexpectedAlgorithm | Error::UnsupportedLegacyMode) => {
                    why = wrong(
                        "it was signed in minisign's legacy format: sign it again with `minisign -S -H`",
                    );
                }
                Err(_) => {
                    why = wrong(
                        "the signature is not of these bytes: the file was changed, or another was signed",
                    );
                }
            }
        }
        Err(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;
    use std::io::Cursor;

    fn key() -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let public = PublicKey::from_base64(&pair.pk.to_base64()).unwrap();
        (pair, public)
    }

    fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
        minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None).unwrap().into_string()
    }

    #[test]
    fn a_file_is_taken_as_it_was_signed_by_one_who_may() {
        let ((ours, our_key), (others, other_key)) = (key(), key());
        let trust = Trust::new(vec![other_key, our_key.clone()]);
        let signature = sign(&ours, b"plugin");
        assert_eq!(trust.check(b"plugin", Some(&signature)), Ok(()));
        assert_eq!(trust.check(b"plugin", None), Err(Refusal::Unsigned));
        let said = |bytes: &[u8], signature: &str, trust: &Trust| {
            trust.check(bytes, Some(signature)).unwrap_err().to_string()
        };
        assert!(said(b"plugin!", &signature, &trust).contains("was changed"));
        assert!(said(b"plugin", "untrusted comment: none", &trust).contains("damaged"));
        let alone = Trust::new(vec![our_key]);
        assert!(said(b"plugin", &sign(&others, b"plugin"), &alone).contains("signed_by does not list"));
    }

    #[test]
    fn a_signature_that_was_tampered_with_is_none() {
        let (pair, public) = key();
        let trust = Trust::new(vec![public]);
        let signature = sign(&pair, b"plugin");
        for at in 0..signature.len() {
            let mut bytes = signature.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            // The untrusted comment is nobody's word, and is not signed.
            let comment = at < signature.find('\n').unwrap();
            assert!(comment || trust.check(b"plugin", Some(&text)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn without_keys_every_file_is_taken() {
        assert_eq!(Trust::default().check(b"plugin", None), Ok(()));
    }
}
