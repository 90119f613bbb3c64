//! The soak in its short form: everything at once for 20 seconds, and every account at the end. `make soak` has it for an hour, and looks
//! at memory too.

use std::process::Command;

#[test]
fn everything_at_once_is_counted_and_nothing_is_left() {
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .env("SOAK_SECONDS", "20")
        .env("SOAK_CLIENTS", "3")
        .output()
        .expect("the soak runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("all well"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
