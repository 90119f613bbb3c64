//! Whose plugin files are taken.

use crate::{errors, good};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

#[test]
fn keys_and_digests_are_read() {
    let digest = "00ff".repeat(16);
    let config = good(&format!(
        "[plugins]\nsigned_by = [\"{KEY}\"]\n[[plugin]]\nmodule = \"a.wasm\"\nsha256 = \"{digest}\"\n"
    ));
    assert_eq!(config.plugins.signed_by.len(), 1);
    let sha256 = config.bindings[0].settings.sha256.expect("a digest");
    assert_eq!(sha256[..4], [0, 0xff, 0, 0xff]);
    assert!(good("").plugins.signed_by.is_empty());
}

#[test]
fn what_is_no_key_or_digest_is_told() {
    assert_eq!(
        errors("[plugins]\nsigned_by = [\"RWQshort\"]\n"),
        "weir.toml:2:14: `signed_by` must have public keys of minisign (it is the second line of minisign.pub, and begins with RW)"
    );
    for digest in ["ab".to_owned(), "+1".repeat(32), "é".repeat(32), "xy".repeat(32)] {
        let said = errors(&format!("[[plugin]]\nmodule = \"a.wasm\"\nsha256 = \"{digest}\"\n"));
        assert!(said.contains("`sha256` must be 64 hexadecimal digits"), "{said:?}");
    }
}
