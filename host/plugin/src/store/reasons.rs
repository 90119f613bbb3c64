//! The words with which a plugin drops messages: metric labels, so few and short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The most different reasons of a binding; every further one is counted as `other`.
pub const MAX_REASONS: usize = 64;
/// The most bytes in a reason; a longer one is cut.
const MAX_BYTES: usize = 64;
const UNNAMED: &str = "unnamed";
const OTHER: &str = "other";

/// A reason and how often it was given.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) name: Arc<str>,
    count: AtomicU64,
}

impl Reason {
    pub(crate) fn count(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The reasons of one binding.
#[derive(Debug, Default)]
pub struct DropReasons {
    /// At most [`MAX_REASONS`] and `other`.
    known: RwLock<Vec<Arc<Reason>>>,
}

impl DropReasons {
    /// The reason of this name, made if there is room.
    pub(crate) fn intern(&self, text: &str) -> Arc<Reason> {
        let name = label(text);
        let place = |known: &[Arc<Reason>]| {
            let find = |name: &str| known.iter().find(|reason| &*reason.name == name).cloned();
            find(name).or_else(|| if known.len() < MAX_REASONS { None } else { find(OTHER) })
        };
        if let Some(reason) = place(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            return reason;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Meanwhile another worker may have made it.
        place(&known).unwrap_or_else(|| {
            let name = if known.len() < MAX_REASONS { name } else { OTHER };
            let reason = Arc::new(Reason { name: name.into(), count: AtomicU64::new(0) });
            known.push(reason.clone());
            reason
        })
    }

    /// Every reason and how often it was given.
    pub fn read(&self) -> Vec<(Arc<str>, u64)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|reason| (reason.name.clone(), reason.count.load(Ordering::Relaxed))).collect()
    }
}

/// What a plugin said, as a label.
pub(crate) fn label(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_BYTES);
    let cut = text[..end].trim();
    if cut.is_empty() || cut.chars().any(char::is_control) { UNNAMED } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_printable() {
        assert_eq!(label("spam"), "spam");
        assert_eq!(label(""), UNNAMED);
        assert_eq!(label("a\nb"), UNNAMED);
        assert_eq!(label(&"é".repeat(40)).len(), 64);
    }

    #[test]
    fn too_many_reasons_are_one() {
        let reasons = DropReasons::default();
        for number in 0..1000 {
            reasons.intern(&number.to_string()).count();
        }
        let read = reasons.read();
        assert_eq!(read.len(), MAX_REASONS + 1);
        assert_eq!(read.iter().map(|(_, count)| count).sum::<u64>(), 1000);
        assert_eq!(read.last().map(|(name, _)| &**name), Some(OTHER));
    }
}
