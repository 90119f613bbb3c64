//! What the operator can say.

/// Most words in a list.
pub(crate) const MOST_WORDS: usize = 10_000;
/// Longest word, in bytes.
pub(crate) const LONGEST_WORD: usize = 256;
/// All words together, in bytes: an automaton of that size fits into the memory that a binding has by default.
pub(crate) const MOST_BYTES: usize = 128 * 1024;
/// Most JSON pointers.
const MOST_POINTERS: usize = 64;

/// The config of the plugin.
#[weir_sdk::config]
pub struct Config {
    /// Words or phrases to look for, in any case: at most 10,000, each of at most 256 bytes, 128 KiB together.
    #[schemars(length(min = 1, max = 10_000), inner(length(min = 1, max = 256)))]
    pub words: Vec<String>,
    /// What happens to a message that contains one.
    #[serde(default)]
    pub action: Action,
    /// What each character of a word becomes when it is masked.
    #[serde(default = "mask")]
    pub mask: char,
    /// Only words that stand alone: with neither letter, digit nor underscore before or after.
    #[serde(default = "yes")]
    pub whole_words: bool,
    /// Look at binary messages too, where they are UTF-8.
    #[serde(default)]
    pub binary: bool,
    /// Look only at the strings that these JSON Pointers (RFC 6901) name. A message that is not JSON is looked at as
    /// a whole all the same.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub json_pointers: Vec<String>,
    /// The reason that is counted for a dropped message.
    #[serde(default = "reason")]
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
}

/// What happens to a message that contains a word.
#[weir_sdk::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The message is dropped.
    #[default]
    Drop,
    /// The words are masked and the message goes on.
    Mask,
}

impl Config {
    /// What the schema cannot say, or says in bytes where the schema counts characters.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.words.is_empty() {
            return Err("words: the list is empty; name at least one word".into());
        }
        if self.words.len() > MOST_WORDS {
            return Err(format!("words: {} of them; at most {MOST_WORDS} are allowed", self.words.len()));
        }
        for (index, word) in self.words.iter().enumerate() {
            if word.trim().is_empty() {
                return Err(format!("words[{index}]: it is empty, which would match everywhere"));
            }
            if word.len() > LONGEST_WORD {
                let length = word.len();
                return Err(format!("words[{index}]: {length} bytes; at most {LONGEST_WORD} are allowed"));
            }
        }
        let bytes: usize = self.words.iter().map(String::len).sum();
        if bytes > MOST_BYTES {
            return Err(format!(
                "words: {bytes} bytes together; at most {MOST_BYTES} are allowed: split the list over two bindings"
            ));
        }
        if self.json_pointers.len() > MOST_POINTERS {
            let count = self.json_pointers.len();
            return Err(format!("json_pointers: {count} of them; at most {MOST_POINTERS} are allowed"));
        }
        if self.mask.is_control() {
            return Err("mask: a control character would break the text; use one that can be seen".into());
        }
        Ok(())
    }
}

fn mask() -> char {
    '*'
}

fn yes() -> bool {
    true
}

fn reason() -> String {
    "word".into()
}
