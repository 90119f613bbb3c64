//! A file before it is compiled: what it is, and what it imports and exports.

use crate::cases;
use crate::contract::{OFFERED, PACKAGE};
use crate::digest::Digest;
use crate::grants::{ALWAYS, BARE, Capability, Grants};
use crate::refusal::Refusal;
use wasmparser::{BinaryReaderError, Encoding, Parser, Payload, Validator};

/// How the file came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As `cargo build` makes it; turned into a component in process.
    Core,
    /// A component.
    Component,
}

/// A plugin file that can be compiled.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) facts: Facts,
    /// The bytes of the component.
    pub(crate) component: Vec<u8>,
}

/// What is known of a file without compiling it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Facts {
    #[serde(skip, default = "Digest::of_nothing")]
    pub(crate) digest: Digest,
    pub(crate) form: Form,
    pub(crate) size: usize,
    /// The contract's version that it was built for, e.g. `0.1.0`.
    pub(crate) contract: String,
    /// Interfaces of the contract that it imports, by bare name.
    pub(crate) interfaces: Vec<String>,
    /// Whether it exports the packed `batch`.
    pub(crate) batch: bool,
    /// The text of its own cases, if it carries any.
    pub(crate) cases: Option<Box<str>>,
}

impl Facts {
    /// The same, of this file for certain.
    pub(crate) fn of_file(self, file: &[u8]) -> Self {
        Self { digest: Digest::of(file), size: file.len(), ..self }
    }

    pub(crate) fn capabilities(&self) -> Grants {
        self.interfaces.iter().filter_map(|name| Capability::of_interface(name)).collect()
    }

    /// Whether several messages may be given to it in one call: it takes them so, and nothing of what it does there stays if the call
    /// fails, or depends on what becomes of the message before.
    pub(crate) fn takes_several(&self) -> bool {
        self.batch && self.interfaces.iter().all(|name| BARE.contains(&name.as_str()))
    }

    /// The first thing that it imports and the binding does not grant.
    pub(crate) fn check_grants(&self, grants: Grants, binding: &str) -> Result<(), Refusal> {
        match self.capabilities().iter().find(|capability| !grants.contains(*capability)) {
            Some(capability) => Err(Refusal::NotGranted { capability, binding: binding.into() }),
            None => Ok(()),
        }
    }
}

impl Artifact {
    /// Reads a file of either form and checks that it is a plugin for a contract that is offered here.
    pub(crate) fn read(bytes: &[u8], most: usize) -> Result<Self, Refusal> {
        if bytes.len() > most {
            return Err(Refusal::TooLarge { size: bytes.len(), most });
        }
        let digest = Digest::of(bytes);
        validate(bytes)?;
        let surface = Surface::of(bytes)?;
        let cases = cases::read(bytes).map_err(|error| Refusal::Cases(error.to_string()))?.map(Into::into);
        let (form, component, surface) = match surface.encoding {
            Encoding::Component => (Form::Component, bytes.to_vec(), surface),
            Encoding::Module => {
                surface.check_module()?;
                let component = encode(bytes)?;
                let surface = Surface::of(&component)?;
                (Form::Core, component, surface)
            }
        };
        let facts = Facts { cases, ..surface.facts(digest, form, bytes.len())? };
        Ok(Self { facts, component })
    }
}

/// The whole file, function bodies included: so what is damaged is told from what the compiler does not take, and what is read of
/// the file afterwards is within the limits of the format.
fn validate(bytes: &[u8]) -> Result<(), Refusal> {
    const MAGIC: &[u8] = b"\0asm";
    if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
        return Err(Refusal::NotWasm);
    }
    if bytes.len() < 8 {
        return Err(Refusal::Truncated);
    }
    Validator::new().validate_all(bytes).map(drop).map_err(|error| damaged(&error))
}

fn damaged(error: &BinaryReaderError) -> Refusal {
    if error.message().contains("unexpected end") {
        Refusal::Truncated
    } else {
        Refusal::Invalid(error.to_string())
    }
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let encode =
        || wit_component::ComponentEncoder::default().module(module).and_then(|mut encoder| encoder.encode());
    // The encoder trusts a component type more than a file deserves: it panics on some that nobody would make.
    std::panic::catch_unwind(encode)
        .map_err(|_| Refusal::Encode("its component type is damaged".into()))?
        .map_err(|error| Refusal::Encode(format!("{error:#}")))
}

/// The outermost imports and exports of a file.
struct Surface {
    encoding: Encoding,
    imports: Vec<String>,
    exports: Vec<String>,
    typed: bool,
}

impl Surface {
    fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut surface =
            Self { encoding: Encoding::Module, imports: Vec::new(), exports: Vec::new(), typed: false };
        surface.walk(bytes).map_err(|error| damaged(&error))?;
        Ok(surface)
    }

    fn walk(&mut self, bytes: &[u8]) -> wasmparser::Result<()> {
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    if depth == 0 {
                        self.encoding = encoding;
                    }
                    depth += 1;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth != 1 => {}
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        self.imports.push(format!("{}/{}", import.module, import.name));
                    }
                }
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        self.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        self.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                    self.typed = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A core module: whether it can become a component of ours.
    fn check_module(&self) -> Result<(), Refusal> {
        let wasi: Vec<_> = self.imports.iter().filter(|import| import.starts_with("wasi")).collect();
        if !wasi.is_empty() {
            return Err(Refusal::Wasi { imports: some_of(&wasi) });
        }
        if !self.typed {
            return Err(Refusal::NoComponentType);
        }
        Ok(())
    }

    fn facts(&self, digest: Digest, form: Form, size: usize) -> Result<Facts, Refusal> {
        let wasi: Vec<_> = self.imports.iter().filter(|import| import.starts_with("wasi:")).collect();
        if !wasi.is_empty() {
            return Err(Refusal::Wasi { imports: some_of(&wasi) });
        }
        let all: Vec<_> = self.imports.iter().chain(&self.exports).collect();
        let ours: Vec<_> = all.iter().filter_map(|name| OurName::parse(name)).collect();
        if ours.is_empty() {
            return Err(Refusal::Foreign { has: some_of(&all) });
        }
        if let Some(other) = ours.iter().find(|name| !name.is_offered()) {
            return Err(Refusal::Contract { found: other.version.into() });
        }
        let mut interfaces = Vec::new();
        for import in &self.imports {
            match OurName::parse(import) {
                Some(ours) if is_known(ours.interface) => interfaces.push(ours.interface.to_owned()),
                _ => return Err(Refusal::UnknownImport(import.clone())),
            }
        }
        let exports = |interface: &str| {
            self.exports
                .iter()
                .filter_map(|name| OurName::parse(name))
                .any(|name| name.interface == interface)
        };
        if !exports("handler") {
            return Err(Refusal::NoHandler { exports: some_of(&self.exports.iter().collect::<Vec<_>>()) });
        }
        let contract = ours.first().map_or_else(String::new, |name| name.version.to_owned());
        Ok(Facts { digest, form, size, contract, interfaces, batch: exports("batch"), cases: None })
    }
}

fn is_known(interface: &str) -> bool {
    ALWAYS.contains(&interface) || Capability::of_interface(interface).is_some()
}

/// `weir:plugin/<interface>@<version>`.
struct OurName<'a> {
    interface: &'a str,
    version: &'a str,
}

impl<'a> OurName<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (interface, version) = name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')?;
        Some(Self { interface, version })
    }

    /// Patch releases of a contract add functions; what it lacks is found when it is linked.
    fn is_offered(&self) -> bool {
        self.version.strip_prefix(OFFERED).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// The first few of some names, and how many more.
fn some_of(names: &[&String]) -> String {
    const SHOWN: usize = 3;
    if names.is_empty() {
        return "nothing at all".into();
    }
    let shown = names.iter().take(SHOWN).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
