//! Medians, spreads, and tables of Markdown.

/// A table: a title, the columns, the rows.
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule: Vec<String> = self.columns.iter().map(|_| "---".to_owned()).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}:\n\n{}{}{rows}", self.title, line(&self.columns), line(&rule))
    }
}

/// What was measured of one thing, slice by slice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

impl Series {
    /// One figure of each slice.
    pub(crate) fn of<M>(slices: &[M], figure: impl Fn(&M) -> f64) -> Self {
        Self(slices.iter().map(figure).collect())
    }

    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        }
    }

    /// Of each slice against the other's of the same round.
    pub(crate) fn against(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }

    /// The ratio to the first of those that are compared; of the first itself it is 1.
    pub(crate) fn against_first(all: &[Self], at: usize) -> String {
        if at == 0 { "1".to_owned() } else { all[at].against(&all[0]).spread() }
    }

    /// The median, and the lowest and the highest.
    pub(crate) fn spread(&self) -> String {
        let (low, high) = self.0.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
        format!("{:.2} ({low:.2}–{high:.2})", self.median())
    }

    /// The median alone.
    pub(crate) fn shown(&self, digits: usize) -> String {
        format!("{:.digits$}", self.median())
    }
}

/// With commas between thousands.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_neighbours() {
        let (one, other) = (Series(vec![2.0, 30.0, 4.0]), Series(vec![1.0, 10.0, 2.0]));
        assert_eq!(one.against(&other).spread(), "2.00 (2.00–3.00)");
        let all = [other, one];
        assert_eq!([0, 1].map(|at| Series::against_first(&all, at)), ["1", "2.00 (2.00–3.00)"]);
        assert_eq!(Series(vec![1.0, 4.0, 2.0, 3.0]).shown(1), "2.5");
        assert!(Series::default().median().is_nan());
    }

    #[test]
    fn tables_are_markdown() {
        let mut table = Table::new("What", &["a", "b"]);
        table.row(vec![thousands(1_234.0), "2".into()]);
        assert_eq!(table.markdown(), "What:\n\n| a | b |\n| --- | --- |\n| 1,234 | 2 |\n");
    }
}
