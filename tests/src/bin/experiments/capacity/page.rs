//! What `weir capacity` was given, on docs/capacity.md: written from the file of coefficients, and nothing beside it.

use std::fmt::Write as _;
use weir_capacity::model::Part;
use weir_capacity::{Coefficients, Errors, Measured};

/// The place on the page.
pub(super) const MARK: &str = "coefficients";
pub(super) const PAGE: &str = "docs/capacity.md";

const fn described(part: Part) -> &'static str {
    match part {
        Part::Turn => "a turn: waking, one read, one write",
        Part::Among => "for each e-fold of sessions over 100",
        Part::Message => "the message itself",
        Part::Kib => "a KiB, in and out",
        Part::Enter => "entering a plugin",
        Part::Call => "a message of the call",
        Part::CopyTurn => "a write to a member of a group",
        Part::CopyAmong => "for each e-fold of members over 100",
        Part::Copy => "a delivery",
        Part::CopyKib => "its KiB",
        Part::CopyCall => "a plugin's call for a delivery",
    }
}

/// All of what stands there.
pub(super) fn text(coefficients: &Coefficients) -> String {
    let Coefficients { machine, others, weir, date, range, transports, .. } = coefficients;
    let others = match others {
        Some(others) => format!("{:.0} %", others * 100.0),
        None => "much".to_owned(),
    };
    let mut text = format!(
        "Measured with Weir {weir} on {date}: {machine}, one worker, while others used {others} of the cores; µs.\n\n"
    );
    let names: Vec<&str> = transports.keys().map(|transport| transport.name()).collect();
    let _ = writeln!(text, "| | {} |\n| --- |{}", names.join(" | "), " --- |".repeat(names.len()));
    let mut row = |name: &str, cell: &dyn Fn(&Measured) -> String| {
        let cells: Vec<String> = transports.values().map(cell).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    };
    for (at, part) in Part::ALL.into_iter().enumerate() {
        row(described(part), &|measured| format!("{:.2}", measured.terms.as_array()[at]));
    }
    row("a ping and its answer", &|measured| format!("{:.2}", measured.terms.ping));
    row("off the runs it was fitted to: half within, nine in ten, all", &|measured| {
        errors(&measured.training)
    });
    row("off runs it has not seen: half within, nine in ten, all", &|measured| errors(&measured.held_out));
    let between = |[least, most]: [f64; 2]| format!("{least} to {most}");
    let _ = write!(
        text,
        "\nMeasured with {} sessions that talk, {} bytes, {} messages together, {} members of a group. Beyond that the answer says so. The \
         answer's range is that of nine in ten runs.",
        between(range.talking),
        between(range.size),
        between(range.burst),
        between(range.fanout)
    );
    text
}

pub(super) fn errors(errors: &Errors) -> String {
    let [median, most, worst] = [errors.median, errors.most, errors.worst].map(|error| error * 100.0);
    format!("{median:.0} %, {most:.0} %, {worst:.0} % of {}", errors.runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_tests::artifact;

    /// `UPDATE_DOCS=1` writes it anew.
    #[test]
    fn the_page_says_what_the_shipped_file_says() {
        let path = artifact::root().join(PAGE);
        let page = std::fs::read_to_string(&path).unwrap();
        let expected = crate::page::replace(&page, MARK, &text(&Coefficients::shipped().unwrap())).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, expected).unwrap();
            return;
        }
        assert!(
            page == expected,
            "{PAGE} is not what host/capacity/coefficients.json says; run: UPDATE_DOCS=1 cargo test --release --package weir-tests --bin experiments"
        );
    }
}
