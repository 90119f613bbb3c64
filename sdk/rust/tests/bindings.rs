//! `src/bindings.rs` is what the generator makes of the contract. After a change of `plugin.wit`, or of the generator:
//! `WEIR_BLESS=1 cargo test -p weir-sdk --test bindings`.

use std::path::Path;
use wit_bindgen_core::{Files, WorldGenerator as _, wit_parser::Resolve};

#[test]
fn bindings_are_those_of_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root.join("../wit")).expect("the contract parses");
    let world = resolve.select_world(&[package], Some("batching-plugin")).expect("it has that world");
    let options = wit_bindgen_rust::Opts {
        format: true,
        runtime_path: Some("::wit_bindgen::rt".into()),
        additional_derive_attributes: vec!["PartialEq".into(), "Eq".into(), "Hash".into()],
        generate_unused_types: true,
        default_bindings_module: Some("::weir_sdk::__rt::bindings".into()),
        export_macro_name: Some("__export_plugin".into()),
        pub_export_macro: true,
        ..Default::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).expect("bindings can be generated");
    let (_, text) = files.iter().next().expect("one file is generated");
    let generated = std::str::from_utf8(text).expect("it is text");

    let path = root.join("src/bindings.rs");
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, generated).expect("src/bindings.rs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "src/bindings.rs is out of date: run this test with WEIR_BLESS=1");
}
