//! `weir plugin new`: a project with the SDK of this version inside, so that it builds wherever crates.io can be reached.

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};
use std::path::Path;

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/rust");

/// Where the SDK lies in a project.
const SDK_HOME: &str = "vendor/weir-sdk";
/// Parts of the SDK's folder that a plugin project needs.
const SDK_PARTS: [&str; 4] = ["Cargo.toml", "README.md", "src", "macros"];

pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_crate_name(name) {
        bail!("{name:?} cannot be a plugin's name: use a letter, then letters, digits, - and _");
    }
    if path.exists() {
        bail!("{} is there already; choose another name, or remove it first", path.display());
    }
    let template = SDK.get_dir("template").context("the SDK in this binary has no template")?;
    let krate = name.replace('-', "_");
    let fill = |text: &str| {
        let sdk = format!("{{ path = \"{SDK_HOME}\" }}");
        text.replace("{{name}}", name).replace("{{crate}}", &krate).replace("{{sdk}}", &sdk)
    };
    write(template, template.path(), path, &fill)?;
    let sdk = path.join(SDK_HOME);
    for part in SDK_PARTS {
        match SDK.get_entry(part) {
            Some(include_dir::DirEntry::Dir(dir)) => write(dir, Path::new(""), &sdk, &str::to_owned)?,
            Some(include_dir::DirEntry::File(file)) => write_file(&sdk.join(part), file.contents())?,
            None => bail!("the SDK in this binary has no {part}"),
        }
    }
    println!("made {}", path.display());
    println!();
    println!("  cd {}", path.display());
    println!("  cargo test                          # its test, on this machine");
    println!("  weir plugin build --out PLUGINS     # to .wasm, into the directory that a gateway watches");
    Ok(())
}

/// What cargo takes for a package name, less what would surprise.
fn is_crate_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '-' || next == '_')
        && name.len() <= 64
}

/// Writes a directory of the SDK; paths are taken relative to `base`. Files that end in `.tmpl` lose the ending,
/// and `gitignore` gets its dot.
fn write(dir: &Dir<'_>, base: &Path, to: &Path, edit: &dyn Fn(&str) -> String) -> anyhow::Result<()> {
    for file in dir.files() {
        let relative = file.path().strip_prefix(base).unwrap_or(file.path());
        let mut target = to.join(relative);
        if target.extension().is_some_and(|extension| extension == "tmpl") {
            target.set_extension("");
        } else if target.file_name().is_some_and(|name| name == "gitignore") {
            target.set_file_name(".gitignore");
        }
        match file.contents_utf8() {
            Some(text) => write_file(&target, edit(text).as_bytes())?,
            None => write_file(&target, file.contents())?,
        }
    }
    for inner in dir.dirs() {
        write(inner, base, to, edit)?;
    }
    Ok(())
}

fn write_file(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    std::fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_cargo_takes() {
        for good in ["filter", "my-filter", "a1_b"] {
            assert!(is_crate_name(good), "{good}");
        }
        for bad in ["", "1filter", "a b", "../x", "-a", "ä"] {
            assert!(!is_crate_name(bad), "{bad}");
        }
    }
}
