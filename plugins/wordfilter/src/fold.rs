//! Case folding that remembers where each character came from.
//!
//! Folding is the lower case of the upper case of the lower case of each character (ẞ needs the first step), by the
//! tables of the standard library. It puts together all that the full case folding of Unicode puts together (ß and SS,
//! ς and Σ, ﬁ and FI; a test goes through every character), and two more, which Turkish writes apart: İ and ı are
//! folded to i.

use std::ops::Range;

/// Folds a character into `output`.
pub(crate) fn fold(character: char, mut output: impl FnMut(char)) {
    match character {
        _ if character.is_ascii() => output(character.to_ascii_lowercase()),
        'İ' => output('i'),
        _ => character
            .to_lowercase()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .for_each(output),
    }
}

/// Folds a word.
pub(crate) fn word(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for character in word.chars() {
        fold(character, |part| folded.push(part));
    }
    folded
}

/// A text as it is compared, with the way back.
pub(crate) struct Folded {
    text: String,
    /// For each byte of `text` where an original character begins, and for its end: where that is in the original.
    /// Empty where both have the same offsets.
    origins: Vec<u32>,
}

/// No original character begins at this byte.
const INSIDE: u32 = u32::MAX;

impl Folded {
    /// Folds a text. One of 4 GiB or more cannot be a message.
    pub(crate) fn new(original: &str) -> Self {
        if original.is_ascii() {
            return Self { text: original.to_ascii_lowercase(), origins: Vec::new() };
        }
        let mut text = String::with_capacity(original.len());
        let mut origins = Vec::with_capacity(original.len() + 1);
        for (offset, character) in original.char_indices() {
            origins.push(u32::try_from(offset).unwrap_or(INSIDE));
            fold(character, |part| text.push(part));
            origins.resize(text.len(), INSIDE);
        }
        origins.push(u32::try_from(original.len()).unwrap_or(INSIDE));
        Self { text, origins }
    }

    /// The folded text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The stretch of the original that a stretch of the folded text came from. `None` where it begins or ends inside
    /// of what one character became: «as» is no part of «aß».
    pub(crate) fn origin(&self, span: Range<usize>) -> Option<Range<usize>> {
        if self.origins.is_empty() {
            return Some(span);
        }
        let start = self.origins[span.start];
        let end = self.origins[span.end];
        (start != INSIDE && end != INSIDE).then_some(start as usize..end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_unicode_folds_together_is_folded_together() {
        for character in ('\0'..=char::MAX).filter(|character| *character != 'İ') {
            let original = character.to_string();
            let standard = caseless::default_case_fold_str(&original);
            assert_eq!(word(&standard), word(&original), "{character:?} U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn the_way_back_crosses_changed_lengths() {
        let folded = Folded::new("aßİﬁ!");
        assert_eq!(folded.text(), "assifi!");
        assert_eq!(folded.origin(1..3), Some(1..3));
        assert_eq!(folded.origin(3..4), Some(3..5));
        assert_eq!(folded.origin(4..6), Some(5..8));
        assert_eq!(folded.origin(0..7), Some(0..9));
        assert_eq!(folded.origin(0..2), None);
        assert_eq!(folded.origin(5..6), None);
    }

    #[test]
    fn empty_text_folds_to_nothing() {
        assert_eq!(Folded::new("").origin(0..0), Some(0..0));
    }
}
