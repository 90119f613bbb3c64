//! Compiled modules, and what was read of their files, kept in a private directory.
//!
//! What is read from there is run as native code, so the directory must be ours and nobody else may write to it; that is checked on
//! the open directory, and every file is opened relative to it. A checksum in front of each file tells what was cut short or rotted
//! (not what was forged: whoever may write there runs as us already); such a file is compiled again.

use crate::artifact::Facts;
use crate::digest::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

const MAGIC: &[u8; 8] = b"weircwa3";
const HEADER: usize = MAGIC.len() + 32;
/// Files beyond this many are removed, the oldest first.
const MAX_FILES: usize = 256;

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It could not be made or opened.
    #[error(
        "the cache directory {} cannot be used: {source}. Let this user make and write it, name another, or set cache = \"off\"",
        path.display()
    )]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put native code there.
    #[error(
        "the cache directory {} is not private ({why}): what lies there is run as native code. \
         Use a directory that only this user may write to: chown it to this user and chmod it 0700",
        path.display()
    )]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

/// The open directory.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: OwnedFd,
}

impl Cache {
    /// Opens the directory, making it where it is absent.
    pub(crate) fn open(path: &Path) -> Result<Self, CacheError> {
        let io = |source| CacheError::Io { path: path.into(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| io(error.into()))?;
        let stat = rustix::fs::fstat(&directory).map_err(|error| io(error.into()))?;
        let not_private = |why| Err(CacheError::NotPrivate { path: path.into(), why });
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return not_private("another user owns it");
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return not_private("others may write to it");
        }
        Ok(Self { directory })
    }

    /// The compiled module of this file, if it is there and whole.
    pub(crate) fn load(&self, engine: &Engine, file: &[u8], digest: &Digest) -> Option<(Facts, Component)> {
        let name = name(engine, digest);
        let code = match self.read(&name) {
            Ok(code) => code,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("compiled module {name} is not used and will be made again: {error}");
                return None;
            }
        };
        let kept = || {
            let (facts, code) = split(&code)?;
            Ok::<_, wasmtime::Error>((facts.of_file(file), deserialize(engine, code)?))
        };
        match kept() {
            Ok(kept) => Some(kept),
            Err(error) => {
                tracing::warn!("compiled module {name} does not load and will be made again: {error:#}");
                None
            }
        }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.directory, name, flags, Mode::empty())?);
        let stat = rustix::fs::fstat(&file)?;
        let private = stat.st_uid == rustix::process::geteuid().as_raw()
            && !Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
        if !private || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is not a private file"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let sum: [u8; 32] = Sha256::digest(bytes.get(HEADER..).unwrap_or_default()).into();
        if bytes.len() <= HEADER || bytes[..MAGIC.len()] != *MAGIC || bytes[MAGIC.len()..HEADER] != sum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
        }
        Ok(bytes.split_off(HEADER))
    }

    /// Keeps a compiled module. A cache that cannot be written costs time, nothing else.
    pub(crate) fn store(&self, engine: &Engine, facts: &Facts, code: &[u8]) {
        let name = name(engine, &facts.digest);
        let head = serde_json::to_vec(facts).map_err(io::Error::other);
        let done = head.and_then(|head| {
            let length = u32::try_from(head.len()).map_err(io::Error::other)?.to_le_bytes();
            self.write(&name, &[&length[..], &head, code].concat())
        });
        if let Err(error) = done.and_then(|()| self.prune()) {
            tracing::warn!("the compiled module {name} could not be kept: {error}");
        }
    }

    fn write(&self, name: &str, code: &[u8]) -> io::Result<()> {
        // Unique among the threads of this process and other processes; left behind only by a crash.
        let part = format!("{name}.{}.{:?}.part", std::process::id(), std::thread::current().id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file =
            File::from(rustix::fs::openat(&self.directory, &part, flags, Mode::RUSR | Mode::WUSR)?);
        let sum: [u8; 32] = Sha256::digest(code).into();
        let written = [MAGIC.as_slice(), &sum, code].iter().try_for_each(|part| file.write_all(part));
        let done =
            written.and_then(|()| Ok(rustix::fs::renameat(&self.directory, &part, &self.directory, name)?));
        if done.is_err() {
            // The first error is the one to tell.
            let _ = rustix::fs::unlinkat(&self.directory, &part, AtFlags::empty());
        }
        done
    }

    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.directory)? {
            let name = entry?.file_name().to_owned();
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            match rustix::fs::statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => files.push((stat.st_mtime, name)),
                // Another process that uses the directory was faster.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        files.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
        for (_, name) in files.drain(..).skip(MAX_FILES) {
            match rustix::fs::unlinkat(&self.directory, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The file's name: of the plugin's digest, and of everything about the engine that the code depends on.
fn name(engine: &Engine, digest: &Digest) -> String {
    // Its keys are fixed: the same for the same build of this program; another build may compile again.
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}", hasher.finish())
}

/// The facts and the code of a kept file.
fn split(kept: &[u8]) -> wasmtime::Result<(Facts, &[u8])> {
    let short = || wasmtime::format_err!("it is too short");
    let (length, rest) = kept.split_first_chunk::<4>().ok_or_else(short)?;
    let (facts, code) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(short)?;
    Ok((serde_json::from_slice(facts).map_err(|error| wasmtime::format_err!("{error}"))?, code))
}

#[expect(unsafe_code, reason = "the engine cannot verify native code; see the safety comment")]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` must be what the compiler gave, unchanged. Either it comes from the compiler in this process or in one that this
    // process started from its own executable, through a pipe that nobody else has; or from a component of this process. Or it was
    // read, through the descriptor of a directory that we own and no one else may write to, from a regular file with the same
    // properties, and its SHA-256 is the one that was written with it; and only `Cache::store` writes there. The engine checks by itself that its version and settings are the same.
    unsafe { Component::deserialize(engine, code) }
}
