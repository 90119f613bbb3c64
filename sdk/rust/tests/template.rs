//! The project that `weir plugin new` makes builds, and its tests pass.

use std::{fs, path::Path, process::Command};

/// What the binary fills in: `{{name}}`, `{{crate}}` and `{{sdk}}`, the value of the dependency.
fn lay(template: &Path, project: &Path, sdk: &Path) {
    for (from, to) in
        [("Cargo.toml.tmpl", "Cargo.toml"), ("src/lib.rs", "src/lib.rs"), ("README.md", "README.md")]
    {
        let text = fs::read_to_string(template.join(from)).expect("the template is there");
        let text = text
            .replace("{{name}}", "my-plugin")
            .replace("{{crate}}", "my_plugin")
            .replace("{{sdk}}", &format!("{{ path = \"{}\" }}", sdk.display()));
        assert!(!text.contains("{{"), "{from} has a placeholder that nobody fills in");
        let to = project.join(to);
        fs::create_dir_all(to.parent().expect("it has a directory")).expect("directories can be made");
        fs::write(to, text).expect("files can be written");
    }
}

#[test]
fn a_new_project_passes_its_tests() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("my-plugin");
    lay(&sdk.join("template"), &project, sdk);
    // What is in the lock file of the repository is what has been downloaded.
    if let Ok(lock) = fs::read(sdk.join("../../plugins/Cargo.lock")) {
        fs::write(project.join("Cargo.lock"), lock).expect("files can be written");
    }
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("template-target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("2 passed"), "{text}");
}

#[test]
fn the_sdk_can_be_copied() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    for manifest in ["Cargo.toml", "macros/Cargo.toml"] {
        let text = fs::read_to_string(sdk.join(manifest)).expect("it is there");
        assert!(
            !text.contains("workspace = true"),
            "{manifest} inherits from a workspace that a copy has not"
        );
    }
}
