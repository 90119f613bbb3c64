//! Why a file gets no traffic, in sentences that say what to do.

use crate::contract::OFFERED;
use crate::digest::Digest;
use crate::grants::Capability;
use std::time::Duration;
use weir_core::Failure;

/// Why a file is not accepted for a binding. What served before serves on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The file beside it, with the binding's settings.
    #[error("its settings cannot be used: {0}")]
    Settings(String),
    /// More bytes than the limit.
    #[error(
        "the file has {size} bytes; the most is {most}: build it with opt-level = \"s\" and without debug information"
    )]
    TooLarge {
        /// Of the file.
        size: usize,
        /// The limit.
        most: usize,
    },
    /// Files have to be signed, and there is no signature beside it.
    #[error(
        "it is not signed, and plugins.signed_by asks for it: sign it with `minisign -S -m FILE.wasm` \
         and put FILE.wasm.minisig beside it"
    )]
    Unsigned,
    /// There is a signature, and it is not good for this file.
    #[error("its signature does not hold: {0}")]
    Signature(String),
    /// The binding takes one file only, and this is another.
    #[error(
        "its SHA-256 is {found}, and the binding takes {wanted} alone: put that file back, or change `sha256`"
    )]
    OtherDigest {
        /// Of the file.
        found: Digest,
        /// What the binding takes.
        wanted: Digest,
    },
    /// Not WebAssembly at all.
    #[error(
        "this is not WebAssembly: it does not begin with `\\0asm`. Plugins are .wasm files, \
         as `weir plugin build` or `cargo build --target wasm32-unknown-unknown --release` makes them"
    )]
    NotWasm,
    /// It ends in the middle of a section.
    #[error(
        "the file ends too early: it was truncated, or is still being written. \
         Copy it under another name first and rename it"
    )]
    Truncated,
    /// WebAssembly that breaks its own rules.
    #[error(
        "this is not valid WebAssembly: {0}. The file is damaged, or was written only in part: \
         copy it again under another name and rename it; if that does not help, build it again"
    )]
    Invalid(String),
    /// A core module without the custom section that says what it is.
    #[error(
        "this is a WebAssembly module, but no Weir plugin: it carries no component type. \
         Build it with the Weir SDK (`weir plugin new`), and do not strip its custom sections"
    )]
    NoComponentType,
    /// It wants a system interface that is not there.
    #[error(
        "it imports WASI ({imports}), which this version of Weir does not offer: \
         build it with `--target wasm32-unknown-unknown`"
    )]
    Wasi {
        /// Which, abbreviated.
        imports: String,
    },
    /// A component for something else.
    #[error(
        "this component has nothing of weir:plugin ({has}): it was made for another host. Build it with the Weir SDK"
    )]
    Foreign {
        /// What it has instead.
        has: String,
    },
    /// Another version of the contract.
    #[error(
        "this plugin was built for weir:plugin {found}; this gateway offers {OFFERED}: rebuild it with SDK {OFFERED}"
    )]
    Contract {
        /// The plugin's version.
        found: String,
    },
    /// It exports no handler.
    #[error(
        "it exports no weir:plugin/handler ({exports}): mark the plugin with #[plugin] and build it as a cdylib"
    )]
    NoHandler {
        /// What it exports instead.
        exports: String,
    },
    /// It wants something that is not part of the contract.
    #[error("it imports {0}, which this gateway does not have: remove the dependency that needs it")]
    UnknownImport(String),
    /// It wants more than its binding grants.
    #[error(
        "it imports weir:plugin/{capability}, which binding {binding:?} does not grant: add grants = [\"{capability}\"]"
    )]
    NotGranted {
        /// What.
        capability: Capability,
        /// The binding's name.
        binding: String,
    },
    /// The core module could not be turned into a component.
    #[error("it could not be turned into a component: {0}. Rebuild it with SDK {OFFERED}")]
    Encode(String),
    /// It is valid, and the compiler refused it.
    #[error("it does not compile: {0}. Build it for wasm32-unknown-unknown, without further target features")]
    Compile(String),
    /// The compiler did not finish.
    #[error(
        "compiling took longer than {} s and was given up: make the plugin smaller, or raise compile_time of \
         [plugins]; if the machine was busy, offer it again",
        .0.as_secs_f64()
    )]
    CompileTimeout(Duration),
    /// The compiler wanted more than its limit, in bytes.
    #[error(
        "it needs more than {} MiB to compile: make the plugin smaller; compile_memory of [plugins] raises the limit",
        .0 >> 20
    )]
    CompileMemory(usize),
    /// The process of the compiler ended without an answer.
    #[error(
        "it broke the compiler ({0}): build it again, with other versions of what built it if that does not help"
    )]
    CompilerDied(String),
    /// The compiler could not be started.
    #[error("the compiler could not be started: {0}. The machine may be out of memory or processes")]
    NoCompiler(String),
    /// What the process that reads and compiles says.
    #[error("{0}")]
    Said(String),
    /// Earlier compilations that were given up are still running.
    #[error("{0} compilations that took too long are still running: try again when they are done")]
    CompilerBusy(usize),
    /// What it imports or exports is of the contract by name but not by type.
    #[error("it does not fit weir:plugin {OFFERED}: {0}. Rebuild it with SDK {OFFERED}")]
    Link(String),
    /// It could not be started.
    #[error("it failed while it was started ({}): {}", .0.cause.label(), .0.detail)]
    Start(Failure),
    /// `describe` failed.
    #[error("its describe failed ({}): {}", .0.cause.label(), .0.detail)]
    Describe(Failure),
    /// `describe` gave something that is no manifest.
    #[error("its describe gave {0}")]
    Manifest(String),
    /// Its schema is none.
    #[error("its config schema is not a JSON Schema (2020-12): {0}")]
    Schema(String),
    /// Checking its config took too much processor time.
    #[error(
        "checking its config took more than {} s of processor time: its config schema is too intricate. Make it simpler",
        .0.as_secs_f64()
    )]
    SchemaTimeout(Duration),
    /// It takes no config and was given one.
    #[error("it takes no config: remove `config` from the binding")]
    NoConfigAccepted,
    /// The config does not fit the schema.
    #[error("its config does not fit: {0}")]
    Config(String),
    /// `configure` failed.
    #[error("its configure failed ({}): {}", .0.cause.label(), .0.detail)]
    ConfigureFailed(Failure),
    /// `configure` gave an error.
    #[error("it refused its config: {0}")]
    ConfigureSaid(String),
    /// A case that it carries fails, or cannot be read.
    #[error("its own test fails: {0}. Mend the plugin or the case, and see it pass with `weir plugin test`")]
    Cases(String),
    /// It failed under traffic and was taken back.
    #[error("it was taken back: {0}. The generation before it serves again")]
    RolledBack(String),
    /// It was taken back before, with the same settings.
    #[error(
        "it was taken back before ({0}), and is not tried again with the same settings: offer another file, or accept it"
    )]
    TakenBackBefore(String),
}
