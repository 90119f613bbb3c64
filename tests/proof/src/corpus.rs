//! Inputs that are committed, and what is near to them: the short form of a fuzzer, which is the same in every run.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Inputs that a corpus has at least: fewer are forgotten ones.
const FEWEST: usize = 8;
/// Where the lots begin. Another number finds other inputs; a fuzzer finds more.
const SEED: u64 = 0x5eed_0f5e;

/// Runs an entry point on each input of `fuzz/corpus/NAME` of a crate, then on so many that were changed in up to four places.
///
/// # Panics
/// The entry point did; the input stands above, escaped. Or there are too few inputs.
pub fn run(crate_directory: &str, name: &str, changed: usize, target: impl Fn(&[u8])) {
    let directory = Path::new(crate_directory).join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("the corpus {} is committed: {error}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // In an order that is the same on every machine.
    files.sort();
    assert!(files.len() >= FEWEST, "{} has {} inputs", directory.display(), files.len());
    let inputs: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("a file")).collect();
    for (file, input) in files.iter().zip(&inputs) {
        told(&target, input, &file.display());
    }
    let mut lots = Lots(SEED);
    for at in 0..changed {
        let mut input = inputs[at % inputs.len()].clone();
        for _ in 0..=lots.below(4) {
            change(&mut input, &inputs, &mut lots);
        }
        told(&target, &input, &format_args!("near to {}", files[at % files.len()].display()));
    }
}

/// Runs it, and says with what if it panics.
fn told(target: &impl Fn(&[u8]), input: &[u8], name: &dyn Display) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!("the input was {name}: b\"{}\"", input.escape_ascii());
        resume_unwind(panic);
    }
}

/// What fuzzers do: a bit, a byte, a number that is a limit somewhere, a part of it away, again, or from another input.
fn change(input: &mut Vec<u8>, others: &[Vec<u8>], lots: &mut Lots) {
    const LIMITS: [u8; 10] = [0, 1, 0x7d, 0x7e, 0x7f, 0x80, 0xfe, 0xff, b'\n', b'"'];
    let place = lots.below(input.len() + 1);
    let length = lots.below(17).min(input.len() - place);
    match lots.below(8) {
        0 if place < input.len() => input[place] ^= 1 << lots.below(8),
        1 if place < input.len() => input[place] = lots.next() as u8,
        2 if place < input.len() => input[place] = LIMITS[lots.below(LIMITS.len())],
        3 => input.truncate(place),
        4 => drop(input.drain(place..place + length)),
        5 => {
            let part = input[place..place + length].to_vec();
            input.splice(place..place, part);
        }
        6 => {
            let other = &others[lots.below(others.len())];
            let from = lots.below(other.len() + 1);
            let part = &other[from..(from + 16).min(other.len())];
            input.splice(place..place, part.iter().copied());
        }
        _ => input.insert(place, LIMITS[lots.below(LIMITS.len())]),
    }
}

/// Knuth's generator: good enough, and the same everywhere.
struct Lots(u64);

impl Lots {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn corpus(count: usize) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let inputs = dir.path().join("fuzz/corpus/name");
        std::fs::create_dir_all(&inputs).unwrap();
        for number in 0..count {
            std::fs::write(inputs.join(number.to_string()), format!("input {number}")).unwrap();
        }
        dir
    }

    fn seen(dir: &tempfile::TempDir, changed: usize) -> Vec<Vec<u8>> {
        let seen = RefCell::new(Vec::new());
        run(dir.path().to_str().unwrap(), "name", changed, |input| seen.borrow_mut().push(input.to_vec()));
        seen.into_inner()
    }

    #[test]
    fn all_inputs_are_run_and_the_changes_are_the_same_each_time() {
        let dir = corpus(9);
        let first = seen(&dir, 500);
        assert_eq!(first.len(), 509);
        assert_eq!(
            first[..9],
            (0..9).map(|number| format!("input {number}").into_bytes()).collect::<Vec<_>>()
        );
        assert_eq!(first, seen(&dir, 500));
        let mut different = first.clone();
        different.sort();
        different.dedup();
        assert!(different.len() > 400, "{}", different.len());
    }

    #[test]
    #[should_panic(expected = "has 3 inputs")]
    fn a_corpus_that_is_forgotten_is_told() {
        seen(&corpus(3), 0);
    }

    #[test]
    #[should_panic(expected = "as it must")]
    fn a_panic_goes_on() {
        let dir = corpus(8);
        run(dir.path().to_str().unwrap(), "name", 0, |_| panic!("as it must"));
    }
}
