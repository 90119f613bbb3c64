//! Cases of a hot function, each run in two ways: as often as it takes to know how long one takes, or once, with its instructions
//! counted by valgrind.

use std::hint::black_box;

/// Set to count instructions: the benches then do everything a few times, and the last time within a function that valgrind knows by its
/// name. `1`: all cases; else those with that text in their names, for a profile.
pub const COUNT: &str = "WEIR_COUNT_INSTRUCTIONS";
/// What a bench writes before a case is counted; its name follows.
pub const MARK: &str = "counted: ";
/// Buffers grow and tables fill; after so many times nothing is new.
const WARM: usize = 3;

/// A case: what it is called, how many messages (or whatever else is counted) one time has, and how it is set up.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Unique in its crate; it names the budget.
    pub name: &'static str,
    /// What comes out is divided by this.
    pub of: u32,
    /// Makes what is run again and again.
    pub make: fn() -> Box<dyn FnMut()>,
}

/// Defines `main` of a bench target from its table of cases, a `&[Case]`.
#[macro_export]
macro_rules! hot {
    ($cases:ident) => {
        fn main() {
            $crate::hot::main($cases);
        }

        #[::weir_proof::divan::bench(crate = ::weir_proof::divan, args = $cases.iter().map(|case| case.name))]
        fn hot(bencher: ::weir_proof::divan::Bencher<'_, '_>, name: &str) {
            let case = $crate::hot::find($cases, name);
            let mut run = (case.make)();
            bencher.counter(::weir_proof::divan::counter::ItemsCount::new(case.of)).bench_local(|| run());
        }
    };
}

/// Runs them all as benches, or with [`COUNT`] once each.
///
/// # Panics
/// Two cases have one name: the second would never be run.
pub fn main(cases: &[Case]) {
    for (at, case) in cases.iter().enumerate() {
        assert!(cases[..at].iter().all(|other| other.name != case.name), "twice: {}", case.name);
    }
    let Ok(part) = std::env::var(COUNT) else { return divan::main() };
    for case in cases.iter().filter(|case| part == "1" || case.name.contains(&part)) {
        let mut run = (case.make)();
        (0..WARM).for_each(|_| run());
        println!("{MARK}{} {}", case.of, case.name);
        weir_guarded(&mut *run);
    }
}

/// The case of this name.
///
/// # Panics
/// There is none.
pub fn find(cases: &[Case], name: &str) -> Case {
    *cases.iter().find(|case| case.name == name).expect("a case of the table")
}

/// What is between its beginning and its end is counted: valgrind knows it by this name.
#[inline(never)]
fn weir_guarded(run: &mut dyn FnMut()) {
    run();
    // Not the last call: it would be a jump, and nothing would be left to end.
    black_box(());
}
