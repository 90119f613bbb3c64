//! Where two payloads differ, for people.

use std::fmt::Write as _;

/// Characters before and after what differs.
const AROUND: usize = 24;
/// Characters, or bytes, of what differs.
const MOST: usize = 160;

/// Both, cut to where they differ: text as it is, with what would not show escaped; what is no text in hexadecimal digits.
pub(super) fn excerpts(one: &[u8], other: &[u8]) -> (String, String) {
    match (std::str::from_utf8(one), std::str::from_utf8(other)) {
        (Ok(one), Ok(other)) => {
            let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
            both(&one, &other, |part| part.iter().flat_map(|next| escaped(*next)).collect())
        }
        _ => both(one, other, hexadecimal),
    }
}

/// The beginning of one payload.
pub(super) fn beginning(payload: &[u8]) -> String {
    excerpts(payload, &[]).0
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Memory takes what is written.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn escaped(next: char) -> Vec<char> {
    if next.is_control() { next.escape_debug().collect() } else { vec![next] }
}

fn both<T: PartialEq>(one: &[T], other: &[T], show: impl Fn(&[T]) -> String) -> (String, String) {
    let same =
        |pairs: &mut dyn Iterator<Item = (&T, &T)>| pairs.take_while(|(one, other)| one == other).count();
    let before = same(&mut one.iter().zip(other));
    let after = same(&mut one[before..].iter().rev().zip(other[before..].iter().rev()));
    let cut = |whole: &[T]| {
        let from = before.saturating_sub(AROUND);
        let to = (whole.len() - after + AROUND).min(whole.len());
        let to_shown = to.min(from + MOST + 2 * AROUND);
        let ellipsis = |there: bool| if there { "…" } else { "" };
        format!("{}{}{}", ellipsis(from > 0), show(&whole[from..to_shown]), ellipsis(to_shown < whole.len()))
    };
    (cut(one), cut(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        let (one, other) = excerpts(b"darn it", b"**** it");
        assert_eq!((&*one, &*other), ("darn it", "**** it"));
        let long = "x".repeat(500);
        let (one, other) =
            excerpts(format!("{long}a{long}").as_bytes(), format!("{long}bc{long}").as_bytes());
        assert_eq!(one, format!("…{0}a{0}…", "x".repeat(AROUND)));
        assert_eq!(other, format!("…{0}bc{0}…", "x".repeat(AROUND)));
        let (one, other) = excerpts(b"aa", b"aaa");
        assert_eq!((&*one, &*other), ("aa", "aaa"));
        assert_eq!(excerpts(b"a\nb\x1b", b"").0, "a\\nb\\u{1b}");
        assert_eq!(excerpts(b"\xff\x00", b"a"), ("ff00".into(), "61".into()));
        assert!(beginning(long.as_bytes()).chars().count() < 250);
    }
}
