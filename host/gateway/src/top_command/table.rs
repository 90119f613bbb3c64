//! Columns that fit a width.

use std::fmt::Write as _;

/// A column: numbers stand at its right, words at its left.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) width: usize,
    pub(super) right: bool,
    /// Columns of a lower rank go first where there is no room for all; 0 never goes.
    pub(super) rank: u8,
}

/// The first column takes what the others leave, this at least.
const FIRST: usize = 14;

/// Lines of at most `width` characters, the titles first. `sorted` is the title of the column that decides the order.
pub(super) fn lines(columns: &[Column], rows: &[Vec<String>], width: usize, sorted: &str) -> Vec<String> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let taken = |shown: &[usize]| shown[1..].iter().map(|at| columns[*at].width + 1).sum::<usize>();
    while FIRST + taken(&shown) > width {
        let Some(goes) =
            shown.iter().copied().filter(|at| columns[*at].rank > 0).min_by_key(|at| columns[*at].rank)
        else {
            break;
        };
        shown.retain(|at| *at != goes);
    }
    let first = width.saturating_sub(taken(&shown)).max(1);
    // No wider than the names are: numbers far from what they are of are hard to read.
    let longest = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0);
    let first = first.min(longest.max(FIRST));
    let line = |cell: &dyn Fn(usize) -> String| {
        let mut line = String::new();
        for (place, at) in shown.iter().enumerate() {
            let wide = if place == 0 { first } else { columns[*at].width };
            let text = fit(&cell(*at), wide);
            let separator = if place == 0 { "" } else { " " };
            let _ = if columns[*at].right {
                write!(line, "{separator}{text:>wide$}")
            } else {
                write!(line, "{separator}{text:<wide$}")
            };
        }
        line.truncate(line.trim_end().len());
        line
    };
    let title = |at: usize| {
        let Column { title, .. } = columns[at];
        if title == sorted { format!("{title}*") } else { title.to_owned() }
    };
    let mut lines = vec![line(&title)];
    lines.extend(rows.iter().map(|row| line(&|at| row[at].clone())));
    lines
}

/// Cut where it is too long, with a sign that it was. What would steer a terminal is taken out.
pub(super) fn fit(text: &str, width: usize) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    if text.chars().count() <= width {
        return text.chars().map(plain).collect();
    }
    text.chars().map(plain).take(width.saturating_sub(1)).chain(['…']).collect()
}

/// At most five characters: `0`, `0.3`, `12`, `3.4k`, `120k`, `1.2M`.
pub(super) fn short(number: f64) -> String {
    let (number, unit) = match number {
        n if n >= 999_500_000.0 => (n / 1e9, "G"),
        n if n >= 999_500.0 => (n / 1e6, "M"),
        n if n >= 999.5 => (n / 1e3, "k"),
        n => (n, ""),
    };
    if unit.is_empty() && number.fract() == 0.0 {
        format!("{number:.0}")
    } else if number < 9.95 {
        format!("{number:.1}{unit}")
    } else {
        format!("{number:.0}{unit}")
    }
}

/// Bytes: `512B`, `64K`, `1.1M`, `2.0G`.
pub(super) fn bytes(number: u64) -> String {
    let number = number as f64;
    let (number, unit) = match number {
        n if n >= 1023.5 * 1_048_576.0 => (n / 1_073_741_824.0, "G"),
        n if n >= 1023.5 * 1024.0 => (n / 1_048_576.0, "M"),
        n if n >= 1023.5 => (n / 1024.0, "K"),
        n => return format!("{n:.0}B"),
    };
    if number < 9.95 { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

/// `850ns`, `12µs`, `3.4ms`, `1.0s`.
pub(super) fn time(nanoseconds: Option<f64>) -> String {
    let Some(number) = nanoseconds else { return "-".to_owned() };
    let (number, unit) = match number {
        n if n >= 999_500_000.0 => (n / 1e9, "s"),
        n if n >= 999_500.0 => (n / 1e6, "ms"),
        n if n >= 999.5 => (n / 1e3, "µs"),
        n => return format!("{n:.0}ns"),
    };
    if number < 9.95 { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (0.04, "0.0"),
            (0.5, "0.5"),
            (9.99, "10"),
            (999.0, "999"),
            (999.6, "1.0k"),
            (12_345.0, "12k"),
            (1_234_567.0, "1.2M"),
            (5e9, "5.0G"),
        ] {
            assert_eq!(short(number), text);
        }
        for (number, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (65_536, "64K"),
            (1_048_575, "1.0M"),
            (3 << 30, "3.0G"),
        ] {
            assert_eq!(bytes(number), text);
        }
        for (number, text) in
            [(850.0, "850ns"), (1_500.0, "1.5µs"), (12_000.0, "12µs"), (3_400_000.0, "3.4ms"), (1e9, "1.0s")]
        {
            assert_eq!(time(Some(number)), text);
        }
        assert_eq!(time(None), "-");
    }

    #[test]
    fn what_is_less_important_goes_where_there_is_no_room() {
        let column = |title, rank| Column { title, width: 6, right: rank != 0 || title != "NAME", rank };
        let columns = [column("NAME", 0), column("A", 0), column("B", 1), column("C", 2)];
        let rows = [vec!["a name that is long".to_owned(), "1".into(), "2".into(), "3".into()]];
        let wide = lines(&columns, &rows, 60, "A");
        assert_eq!(
            wide,
            ["NAME                    A*      B      C", "a name that is long      1      2      3"]
        );
        let narrow = lines(&columns, &rows, 30, "A");
        assert_eq!(narrow, ["NAME                 A*      C", "a name that is …      1      3"]);
        assert_eq!(fit("a\u{1b}b", 9), "a\u{fffd}b");
    }
}
