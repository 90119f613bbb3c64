//! Where words are in a text.

use crate::fold::{self, Folded};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::ops::Range;

/// All words as one automaton: a text is read once, however many words there are.
pub(crate) struct Matcher {
    automaton: AhoCorasick,
    whole_words: bool,
}

/// Up to so many bytes of words, the automaton is a table of every state and byte: fastest, and 4 MiB at most.
const SMALL: usize = 4 * 1024;

impl Matcher {
    pub(crate) fn new(words: &[String], whole_words: bool) -> Result<Self, String> {
        let mut words: Vec<_> = words.iter().map(|word| fold::word(word.trim())).collect();
        words.sort_unstable();
        words.dedup();
        let bytes: usize = words.iter().map(String::len).sum();
        let kind = if bytes <= SMALL { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder()
            // What overlaps is found as well: «spam ham» must not hide «ham».
            .match_kind(MatchKind::Standard)
            .kind(Some(kind))
            .prefilter(false)
            .build(&words)
            .map_err(|error| format!("words: {error}"))?;
        Ok(Self { automaton, whole_words })
    }

    /// Whether there is a word in the text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let folded = Folded::new(text);
        self.found(text, &folded).next().is_some()
    }

    /// The stretches of the text that belong to words, in order and apart.
    pub(crate) fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let folded = Folded::new(text);
        let mut spans: Vec<_> = self.found(text, &folded).collect();
        spans.sort_unstable_by_key(|span| span.start);
        spans.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
        spans
    }

    fn found<'a>(&'a self, text: &'a str, folded: &'a Folded) -> impl Iterator<Item = Range<usize>> + 'a {
        self.automaton
            .find_overlapping_iter(folded.text())
            .filter_map(|found| folded.origin(found.range()))
            .filter(|span| !self.whole_words || stands_alone(text, span))
    }
}

fn stands_alone(text: &str, span: &Range<usize>) -> bool {
    let before = text[..span.start].chars().next_back();
    let after = text[span.end..].chars().next();
    !before.is_some_and(belongs_to_word) && !after.is_some_and(belongs_to_word)
}

fn belongs_to_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(words: &[&str], whole_words: bool, text: &str) -> Vec<String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let spans = Matcher::new(&words, whole_words).unwrap().spans(text);
        spans.into_iter().map(|span| text[span].to_owned()).collect()
    }

    #[test]
    fn words_stand_alone_or_not() {
        assert_eq!(spans(&["ham"], true, "ham, Hamster_ham ham."), ["ham", "ham"]);
        assert_eq!(spans(&["ham"], false, "ham Hamster"), ["ham", "Ham"]);
        assert!(spans(&["ham"], true, "ham2 2ham éham hamé _ham").is_empty());
    }

    #[test]
    fn overlapping_words_become_one_stretch() {
        assert_eq!(spans(&["abc", "bcd"], false, "xabcdx"), ["abcd"]);
        assert_eq!(spans(&["spam ham", "ham"], true, "spam ham"), ["spam ham"]);
        assert_eq!(spans(&["spam ham x", "ham"], true, "spam ham y"), ["ham"]);
    }

    #[test]
    fn case_is_no_matter_in_any_script() {
        assert_eq!(spans(&["straße"], true, "STRASSE Straße STRAẞE"), ["STRASSE", "Straße", "STRAẞE"]);
        assert_eq!(spans(&["ΣΊΣΥΦΟΣ"], true, "Σίσυφος"), ["Σίσυφος"]);
        assert_eq!(spans(&["istanbul"], true, "İSTANBUL ıstanbul"), ["İSTANBUL", "ıstanbul"]);
        assert_eq!(spans(&["спам"], true, "СПАМ"), ["СПАМ"]);
        assert_eq!(spans(&["垃圾"], false, "这是垃圾。"), ["垃圾"]);
    }

    #[test]
    fn a_part_of_a_character_is_no_word() {
        assert!(spans(&["as", "s"], false, "aß").is_empty());
        assert_eq!(spans(&["ass"], false, "aß"), ["aß"]);
    }

    #[test]
    fn nothing_is_in_nothing() {
        assert!(spans(&["a"], false, "").is_empty());
    }

    #[test]
    fn the_largest_list_leaves_room_in_the_memory_of_a_binding() {
        use crate::config::{LONGEST_WORD, MOST_BYTES, MOST_WORDS};
        let mut state = 7_u64;
        let mut letters = |length: usize| -> String {
            let letter = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
            };
            (0..length).map(letter).collect()
        };
        let long: Vec<_> = (0..MOST_BYTES / LONGEST_WORD).map(|_| letters(LONGEST_WORD)).collect();
        let many: Vec<_> = (0..MOST_WORDS).map(|_| letters(MOST_BYTES / MOST_WORDS)).collect();
        let small: Vec<_> = (0..SMALL / LONGEST_WORD).map(|_| letters(LONGEST_WORD)).collect();
        for words in [long, many, small] {
            let memory = Matcher::new(&words, true).unwrap().automaton.memory_usage();
            assert!(memory <= 4 << 20, "{memory} bytes");
        }
    }
}
