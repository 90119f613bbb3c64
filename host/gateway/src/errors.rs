//! Errors for people.

/// What failed, and why, outermost first; a cause that its effect has told already is not told again.
pub(crate) fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line += ": ";
            line += &cause;
        }
    }
    line
}
