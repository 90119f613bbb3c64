//! A chart of bars with whiskers, as SVG. Its colours can be read on white and on black.

use std::fmt::Write as _;

/// Bars that belong together.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How many times ours a bar can be before it is cut: otherwise one that is slow would leave nothing to see of the others.
const MOST: f64 = 4.0;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
const HEAD: f64 = 30.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#424a53}.t{font-weight:600;font-size:14px}.g{font-weight:600}\
    .w{fill:#1f6feb}.p{fill:#54aeff}.o{fill:#8c959f}.l{stroke:#1f2328;stroke-width:1.5}\
    @media(prefers-color-scheme:dark){text{fill:#c9d1d9}.l{stroke:#f0f6fc}}";

impl Group {
    /// What the whole width stands for: the highest of all, but not so much that ours cannot be seen.
    fn full(&self) -> f64 {
        let highest = self.bars.iter().map(|bar| bar.high.max(bar.value)).fold(0.0, f64::max);
        let ours = self.bars.iter().filter(|bar| bar.is_own()).map(|bar| bar.value).fold(0.0, f64::max);
        if ours > 0.0 { highest.min(ours * MOST) } else { highest }
    }
}

impl Bar {
    fn is_own(&self) -> bool {
        self.name.starts_with(crate::WEIR)
    }

    fn class(&self) -> &'static str {
        match self.name.as_str() {
            crate::WEIR => "w",
            _ if self.is_own() => "p",
            _ => "o",
        }
    }
}

/// The chart as a file. Each group has a scale of its own, or the smallest case would not be seen; a logarithmic chart has one for all.
pub(crate) fn draw(title: &str, groups: &[Group], logarithmic: bool) -> String {
    let highest = groups.iter().flat_map(|group| &group.bars).map(|bar| bar.high.max(bar.value));
    let decades = highest.fold(10.0, f64::max).log10();
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = 28.0 + groups.len() as f64 * HEAD + rows as f64 * STEP + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n<text class=\"t\" x=\"8\" y=\"20\">{0}</text>\n",
        escape(title)
    );
    let mut y = 28.0;
    for group in groups {
        let _ = writeln!(svg, "<text class=\"g\" x=\"8\" y=\"{}\">{}</text>", y + 20.0, escape(&group.name));
        y += HEAD;
        let full = group.full().max(f64::MIN_POSITIVE);
        // A part of the width; more than all of it where it is cut.
        let part = |value: f64| if logarithmic { value.max(1.0).log10() / decades } else { value / full };
        for bar in &group.bars {
            row(&mut svg, bar, y, part);
            y += STEP;
        }
    }
    svg + "</svg>\n"
}

/// A bar with its name and its value. One that is cut ends in a point and has no whiskers.
fn row(svg: &mut String, bar: &Bar, y: f64, part: impl Fn(f64) -> f64) {
    let width = WIDTH - LEFT - RIGHT;
    let at = |value: f64| LEFT + part(value).min(1.0) * width;
    let (class, name, value) = (bar.class(), escape(&bar.name), number(bar.value));
    let (middle, base, bottom) = (y + BAR / 2.0, y + BAR / 2.0 + 4.0, y + BAR);
    let (label, end, mut behind) = (LEFT - 8.0, at(bar.value), at(bar.high.max(bar.value)) + 6.0);
    let _ = write!(svg, "<text x=\"{label}\" y=\"{base}\" text-anchor=\"end\">{name}</text>");
    if part(bar.value) > 1.0 {
        let point = end + BAR / 2.0;
        behind = point + 6.0;
        let _ = write!(
            svg,
            "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{end:.1}L{point:.1} {middle:.1}L{end:.1} {bottom:.1}H{LEFT}z\"/>"
        );
    } else {
        let (low, high, length, top) = (at(bar.low), at(bar.high), end - LEFT, middle - 3.0);
        let tick = if part(bar.high) > 1.0 { String::new() } else { format!("M{high:.1} {top:.1}v6") };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <path class=\"l\" fill=\"none\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {top:.1}v6{tick}\"/>"
        );
    }
    let _ = writeln!(svg, "<text x=\"{behind:.1}\" y=\"{base}\">{value}</text>");
}

/// As many digits as say something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

/// With a comma for each thousand.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [1.234, 12.34, 1234.5, 1_234_567.0].map(number);
        assert_eq!(shown, ["1.23", "12.3", "1,234", "1,234,567"]);
    }

    #[test]
    fn no_bar_leaves_the_chart() {
        let bar = |value| Bar { name: "a < b".into(), value, low: value * 0.5, high: value * 2.0 };
        let groups = [Group { name: "one".into(), bars: vec![bar(1.0), bar(1_000.0)] }];
        for logarithmic in [false, true] {
            let svg = draw("title", &groups, logarithmic);
            assert!(svg.contains("a &lt; b") && !svg.contains("NaN"));
            for width in
                svg.split("width=\"").skip(2).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok())
            {
                assert!(width <= WIDTH - LEFT - RIGHT, "{width}");
            }
        }
    }

    #[test]
    fn who_is_far_slower_than_we_is_cut() {
        let bar = |name: &str, value: f64| Bar { name: name.into(), value, low: value, high: value * 1.5 };
        let bars = vec![bar(crate::WEIR, 1.0), bar("as fast", 3.9), bar("slow", 100.0)];
        let svg = draw("title", &[Group { name: "one".into(), bars }], false);
        let full = WIDTH - LEFT - RIGHT;
        assert!(
            svg.contains(&format!("width=\"{:.1}\"", full / MOST)),
            "ours is a fourth of the width: {svg}"
        );
        let pointed = svg.lines().find(|line| line.contains("slow")).unwrap();
        assert!(pointed.contains(">100<") && !pointed.contains("<rect"), "{pointed}");
        assert_eq!(svg.matches("<rect").count(), 2);
    }
}
