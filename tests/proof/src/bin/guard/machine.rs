//! What counts depend on besides the code.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::process::Command;

/// Where instructions are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// `rustc --version`.
    pub(crate) compiler: String,
    /// `getconf GNU_LIBC_VERSION`.
    pub(crate) libc: String,
    /// Its maker, and those of its features that code chooses by and valgrind passes on.
    pub(crate) processor: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Result<Self> {
        let information = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
        Ok(Self {
            compiler: said("rustc", &["--version"])?,
            libc: said("getconf", &["GNU_LIBC_VERSION"])?,
            processor: processor(&information),
        })
    }

    /// How another one differs.
    pub(crate) fn differences(&self, other: &Self) -> String {
        let all = [
            ("compiler", &self.compiler, &other.compiler),
            ("C library", &self.libc, &other.libc),
            ("processor", &self.processor, &other.processor),
        ];
        let different = all.iter().filter(|(_, own, other)| own != other);
        let told = different.map(|(what, own, other)| format!("the {what} is {other}, not {own}"));
        told.collect::<Vec<_>>().join("; ")
    }
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor(information: &str) -> String {
    let of = |name: &str| {
        let line = information.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    };
    let features: Vec<&str> = of("flags").split(' ').collect();
    let known = ["sse4_2", "avx", "avx2", "bmi2", "fsrm", "erms"];
    let has = known.into_iter().filter(|name| features.contains(name));
    std::iter::once(of("vendor_id")).chain(has).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_its_maker_and_what_code_chooses_by() {
        let text = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu avx sse4_2 avx512f avx2\n";
        assert_eq!(processor(text), "GenuineIntel sse4_2 avx avx2");
    }

    #[test]
    fn differences_are_told() {
        let one = Machine { compiler: "1".into(), libc: "2".into(), processor: "3".into() };
        let other = Machine { compiler: "9".into(), ..one.clone() };
        assert_eq!(one.differences(&other), "the compiler is 9, not 1");
    }
}
