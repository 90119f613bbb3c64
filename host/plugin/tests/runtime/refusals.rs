//! Files that get no traffic, and what is said of them.

use crate::guests::{component, guest};
use crate::rig::{RUNTIME, prepare, spec, store};
use serde_json::json;
use std::time::Duration;
use weir_core::FailureCause;
use weir_plugin::{BindingSpec, Capability, Grants, Refusal, Runtime, RuntimeOptions};

fn refused(bytes: &[u8]) -> Refusal {
    let refusal = RUNTIME.prepare(bytes, &spec("x"), &store()).unwrap_err();
    println!("{refusal}");
    refusal
}

/// Checks the variant and that the text says what to do.
macro_rules! assert_refused {
    ($refusal:expr, $variant:pat, $($word:literal),+) => {{
        let refusal = $refusal;
        assert!(matches!(refusal, $variant), "{refusal:?}");
        let text = refusal.to_string();
        println!("{text}");
        $(assert!(text.contains($word), "{:?} is not in {text}", $word);)+
    }};
}

fn configured(what: &serde_json::Value) -> Refusal {
    prepare("configured", &BindingSpec { config: what.clone(), ..spec("configured") }).unwrap_err()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn what_is_no_webassembly() {
    assert_refused!(refused(b"hello, I am a text"), Refusal::NotWasm, "weir plugin build");
    assert_refused!(refused(b"\x7fELF"), Refusal::NotWasm, ".wasm");
}

#[test]
fn truncated_at_every_length() {
    let whole = guest("passthrough");
    for length in [0, 1, 4, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        let refusal = refused(&whole[..length]);
        // A cut between two sections leaves a module that is whole and lacks its component type.
        assert!(matches!(refusal, Refusal::Truncated | Refusal::NoComponentType), "{length}: {refusal:?}");
    }
    let whole = component("passthrough");
    for length in [9, 100, whole.len() / 2, whole.len() - 1] {
        assert_refused!(refused(&whole[..length]), Refusal::Truncated, "rename");
    }
    assert_refused!(refused(&guest("passthrough")[..5000]), Refusal::Truncated, "rename");
}

#[test]
fn garbage_after_the_header() {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&[0xff; 100]);
    assert_refused!(refused(&bytes), Refusal::Invalid(_), "not valid WebAssembly");
    // Bytes of a good plugin, spoiled one at a time: never a panic.
    let whole = guest("passthrough");
    for at in (8..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let _ = RUNTIME.prepare(&bytes, &spec("x"), &store());
    }
}

#[test]
fn damaged_in_the_middle() {
    let whole = guest("passthrough");
    let code = wasmparser::Parser::new(0)
        .parse_all(&whole)
        .find_map(|payload| match payload.unwrap() {
            wasmparser::Payload::CodeSectionStart { range, .. } => Some(range),
            _ => None,
        })
        .unwrap();
    let middle = code.start + code.len() / 2;
    let mut overwritten = whole.clone();
    overwritten[middle..middle + 64].fill(0xff);
    assert_refused!(refused(&overwritten), Refusal::Invalid(_), "damaged", "rename", "build it again");
    let mut cut = whole.clone();
    cut.drain(middle..middle + 64);
    assert_refused!(refused(&cut), Refusal::Invalid(_) | Refusal::Truncated, "rename");
}

#[test]
fn a_module_that_is_no_plugin() {
    assert_refused!(refused(&wat("(module)")), Refusal::NoComponentType, "SDK");
}

#[test]
fn wasi_is_named() {
    let preview1 = wat(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#,
    );
    assert_refused!(refused(&preview1), Refusal::Wasi { .. }, "fd_write", "wasm32-unknown-unknown");
    let preview2 = wat(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#);
    assert_refused!(refused(&preview2), Refusal::Wasi { .. }, "wasi:cli/environment@0.2.0");
}

#[test]
fn a_component_of_another_host() {
    let other = wat(r#"(component (import "acme:proxy/http@1.0.0" (instance)))"#);
    assert_refused!(refused(&other), Refusal::Foreign { .. }, "acme:proxy/http", "SDK");
    assert_refused!(refused(&wat("(component)")), Refusal::Foreign { .. }, "nothing at all");
}

#[test]
fn another_version_of_the_contract() {
    assert_refused!(
        refused(&guest("future")),
        Refusal::Contract { .. },
        "this plugin was built for weir:plugin 0.2.0; this gateway offers 0.1: rebuild it with SDK 0.1"
    );
}

#[test]
fn a_component_without_a_handler() {
    let bare = wat(r#"(component (import "weir:plugin/log@0.1.0" (instance)))"#);
    assert_refused!(refused(&bare), Refusal::NoHandler { .. }, "#[plugin]");
}

#[test]
fn imports_that_are_not_in_the_contract() {
    let other = wat(r#"(component
            (import "weir:plugin/teleport@0.1.0" (instance $i))
            (export "weir:plugin/handler@0.1.0" (instance $i)))"#);
    assert_refused!(refused(&other), Refusal::UnknownImport(_), "weir:plugin/teleport");
}

#[test]
fn names_of_the_contract_with_other_types() {
    let other = wat(r#"(component
            (import "weir:plugin/log@0.1.0" (instance (export "shout" (func))))
            (instance $i)
            (export "weir:plugin/handler@0.1.0" (instance $i)))"#);
    assert_refused!(refused(&other), Refusal::Link(_), "shout", "SDK 0.1");
    let no_functions = wat(r#"(component
            (instance $i)
            (export "weir:plugin/handler@0.1.0" (instance $i)))"#);
    assert_refused!(refused(&no_functions), Refusal::Link(_), "describe");
}

#[test]
fn a_module_whose_imports_do_not_fit_its_type() {
    let module = guest("passthrough");
    // The encoder finds a component type, and a module that has none of its functions.
    let mut bytes = wat("(module)");
    for payload in wasmparser::Parser::new(0).parse_all(&module) {
        if let wasmparser::Payload::CustomSection(section) = payload.unwrap()
            && section.name().starts_with("component-type")
        {
            append_custom(&mut bytes, section.name(), section.data());
        }
    }
    assert_refused!(refused(&bytes), Refusal::Encode(_), "SDK 0.1");
}

fn append_custom(module: &mut Vec<u8>, name: &str, data: &[u8]) {
    let leb = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let mut body = leb(name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    module.push(0);
    module.extend(leb(body.len()));
    module.extend(body);
}

#[test]
fn what_is_not_granted_is_named() {
    let only_kv = Grants::from_iter([Capability::Kv]);
    let spec = BindingSpec { name: "dedupe".into(), grants: only_kv, ..spec("x") };
    assert_refused!(
        prepare("capabilities", &spec).unwrap_err(),
        Refusal::NotGranted { capability: Capability::Random, .. },
        "it imports weir:plugin/random, which binding \"dedupe\" does not grant: add grants = [\"random\"]"
    );
    // What it does not import it need not be granted, whatever the contract has.
    assert!(prepare("passthrough", &BindingSpec { grants: Grants::NONE, ..spec }).is_ok());
}

#[test]
fn an_ungranted_import_is_refused_before_compiling() {
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let spec = BindingSpec { grants: Grants::NONE, ..spec("x") };
    assert!(runtime.prepare(&guest("capabilities"), &spec, &store()).is_err());
    assert_eq!(runtime.compilations(), 0);
}

#[test]
fn files_and_compilations_are_bounded() {
    let small = Runtime::new(RuntimeOptions { max_module: 1000, ..RuntimeOptions::default() }).unwrap();
    let refusal = small.prepare(&guest("passthrough"), &spec("x"), &store()).unwrap_err();
    assert_refused!(refusal, Refusal::TooLarge { most: 1000, .. }, "opt-level");

    let hasty =
        Runtime::new(RuntimeOptions { compile_time: Duration::from_nanos(1), ..RuntimeOptions::default() })
            .unwrap();
    let mut refusals = Vec::new();
    for name in ["passthrough", "liar", "capabilities", "configured"] {
        refusals.push(hasty.prepare(&guest(name), &spec("x"), &store()).unwrap_err());
    }
    assert_refused!(refusals.swap_remove(0), Refusal::CompileTimeout(_), "smaller");
    // Whoever comes while the first two still run is told so; how many do depends on the machine.
    for refusal in refusals {
        assert!(matches!(refusal, Refusal::CompileTimeout(_) | Refusal::CompilerBusy(_)), "{refusal:?}");
    }
}

#[test]
fn compilations_at_the_same_time_do_not_count_as_given_up() {
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    std::thread::scope(|scope| {
        for name in ["passthrough", "liar", "capabilities", "configured"] {
            let runtime = &runtime;
            scope.spawn(move || runtime.prepare(&guest(name), &spec(name), &store()).unwrap());
        }
    });
    assert_eq!(runtime.compilations(), 4);
}

#[test]
fn a_module_that_does_not_validate() {
    // A body that leaves nothing where a number must be; the encoder does not look into bodies.
    let mut bytes = wat(r#"(component
            (core module (func (result i32) i32.const 1))
            (instance $i)
            (export "weir:plugin/handler@0.1.0" (instance $i)))"#);
    let at = bytes.windows(3).position(|window| window == [0x41, 0x01, 0x0b]).unwrap();
    bytes[at] = 0x1a;
    assert_refused!(refused(&bytes), Refusal::Invalid(_), "build it again");
}

#[test]
fn what_is_valid_and_not_offered_is_not_called_damaged() {
    let collected = wat(r#"(component
            (core module (type (struct)))
            (instance $i)
            (export "weir:plugin/handler@0.1.0" (instance $i)))"#);
    assert_refused!(refused(&collected), Refusal::Compile(_), "wasm32-unknown-unknown");
}

#[test]
fn a_plugin_that_cannot_say_what_it_is() {
    let Refusal::Describe(failure) = refused(&guest("trap_describe")) else { panic!() };
    assert_eq!(failure.cause, FailureCause::Trap);
}

#[test]
fn a_plugin_that_does_not_start_in_its_memory() {
    let mut spec = spec("passthrough");
    spec.limits.memory = 65_536;
    let Refusal::Start(failure) = prepare("passthrough", &spec).unwrap_err() else { panic!() };
    assert_eq!(failure.cause, FailureCause::Memory);
}

#[test]
fn configs_that_do_not_fit() {
    assert_refused!(configured(&json!({"limit": 0})), Refusal::Config(_), "/limit");
    assert_refused!(configured(&json!({"limits": 1})), Refusal::Config(_), "limits");
    let spec = BindingSpec { config: json!({"a": 1}), ..spec("passthrough") };
    assert_refused!(prepare("passthrough", &spec).unwrap_err(), Refusal::NoConfigAccepted, "remove");
}

#[test]
fn plugins_that_refuse_their_config_or_fail_on_it() {
    assert_refused!(configured(&json!({"do": "fail"})), Refusal::ConfigureSaid(_), "the word list is empty");
    let cause = |what: &str| match configured(&json!({"do": what})) {
        Refusal::ConfigureFailed(failure) => {
            println!("{what}: {failure:?}");
            failure.cause
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(cause("panic"), FailureCause::Trap);
    assert_eq!(cause("loop"), FailureCause::Deadline);
    assert_eq!(cause("send"), FailureCause::Configure);
    assert_eq!(cause("attribute"), FailureCause::Configure);
}
