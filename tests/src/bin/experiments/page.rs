//! Tables in a page of the documentation: what stands between two marks is replaced, everything else is people's.

use anyhow::Context;
use std::fs;
use std::path::Path;

/// Puts the text between `<!-- NAME: measured -->` and `<!-- end -->`.
pub(crate) fn write(page: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let named = || page.display().to_string();
    let old = fs::read_to_string(page).with_context(named)?;
    let new =
        replace(&old, name, text).with_context(|| format!("{}: it has no place for \"{name}\"", named()))?;
    fs::write(page, new).with_context(named)
}

/// The page with another text there. `None`: it has no such place.
pub(crate) fn replace(page: &str, name: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {name}: measured -->\n");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!("{before}{begin}\n{}\n\n<!-- end -->{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let page = "one\n<!-- a: measured -->\nold\n<!-- end -->\ntwo\n<!-- b: measured -->\n<!-- end -->\n";
        let new = replace(page, "a", "new").unwrap();
        assert_eq!(
            new,
            "one\n<!-- a: measured -->\n\nnew\n\n<!-- end -->\ntwo\n<!-- b: measured -->\n<!-- end -->\n"
        );
        assert_eq!(replace(&new, "a", "new").unwrap(), new);
        assert_eq!(replace(page, "c", "new"), None);
    }
}
