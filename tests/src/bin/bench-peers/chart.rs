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

const WIDTH: f64 = 760.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
const HEAD: f64 = 30.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#424a53}.t{font-weight:600;font-size:14px}.g{font-weight:600}\
    .w{fill:#1f6feb}.p{fill:#54aeff}.o{fill:#8c959f}.l{stroke:#1f2328;stroke-width:1.5}\
    @media(prefers-color-scheme:dark){text{fill:#c9d1d9}.l{stroke:#f0f6fc}}";

/// The chart as a file.
pub(crate) fn draw(title: &str, groups: &[Group], logarithmic: bool) -> String {
    let highest = |group: &Group| group.bars.iter().map(|bar| bar.high.max(bar.value)).fold(0.0, f64::max);
    let highest_of_all = groups.iter().map(highest).fold(0.0, f64::max);
    let full = WIDTH - LEFT - RIGHT;
    let scaled = |value: f64, highest: f64| {
        let part = if logarithmic {
            (value.max(1.0).log10() / highest_of_all.max(10.0).log10()).max(0.0)
        } else {
            value / highest.max(f64::MIN_POSITIVE)
        };
        (part * full).clamp(0.0, full)
    };
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
        // A scale of its own, or the smallest case would not be seen.
        let highest = highest(group);
        let length = |value: f64| scaled(value, highest);
        for bar in &group.bars {
            let middle = y + BAR / 2.0;
            let class = match bar.name.as_str() {
                crate::WEIR => "w",
                name if name.starts_with(crate::WEIR) => "p",
                _ => "o",
            };
            let (low, high) = (LEFT + length(bar.low), LEFT + length(bar.high));
            let (top, base) = (middle - 3.0, middle + 4.0);
            let (at, length) = (LEFT - 8.0, length(bar.value));
            let (behind, value) = (high.max(LEFT + length) + 6.0, number(bar.value));
            let name = escape(&bar.name);
            let _ = writeln!(
                svg,
                "<text x=\"{at}\" y=\"{base}\" text-anchor=\"end\">{name}</text>\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>\
                 <path class=\"l\" fill=\"none\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {top:.1}v6M{high:.1} {top:.1}v6\"/>\
                 <text x=\"{behind:.1}\" y=\"{base}\">{value}</text>"
            );
            y += STEP;
        }
    }
    svg + "</svg>\n"
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
}
