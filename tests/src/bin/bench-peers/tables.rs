//! Tables and charts of one kind of work.

use crate::WEIR;
use crate::chart::{self, Group};
use crate::results::{Case, Series, Workload};
use crate::spread::Spread;
use crate::works::Work;
use std::fmt::Write as _;

/// Whether a system is ours.
pub(crate) fn own(system: &str) -> bool {
    system.starts_with(WEIR)
}

/// What a loss is: a peer's figure is lower than ours.
pub(crate) struct Loss {
    pub(crate) case: String,
    pub(crate) own: String,
    pub(crate) peer: String,
    /// Theirs divided by ours.
    pub(crate) ratio: Spread,
}

/// Every pair in which a peer is ahead.
pub(crate) fn losses(work: &Work, workload: &Workload) -> Vec<Loss> {
    let mut losses = Vec::new();
    for case in &workload.cases {
        let (ours, peers): (Vec<&Series>, Vec<&Series>) =
            case.series.iter().partition(|series| own(&series.system));
        for own in ours {
            for peer in &peers {
                if let Some(ratio) = Spread::ratio(peer, own, work.figure)
                    && ratio.middle < 1.0
                {
                    losses.push(Loss {
                        case: case.name.clone(),
                        own: own.system.clone(),
                        peer: peer.system.clone(),
                        ratio,
                    });
                }
            }
        }
    }
    losses
}

/// A table for each case.
pub(crate) fn markdown(work: &Work, workload: &Workload) -> String {
    let mut text = String::new();
    for case in &workload.cases {
        table(&mut text, work, case);
    }
    text
}

fn table(text: &mut String, work: &Work, case: &Case) {
    let ours: Vec<&Series> = case.series.iter().filter(|series| own(&series.system)).collect();
    let _ = write!(text, "\n**{}**\n\n| |", case.name);
    for (_, heading, _) in work.columns {
        let _ = write!(text, " {heading} |");
    }
    for own in &ours {
        let _ = write!(text, " against {} |", own.system);
    }
    let _ = writeln!(text, "\n|{}", " --- |".repeat(1 + work.columns.len() + ours.len()));
    for series in &case.series {
        let _ = write!(text, "| {} |", series.system);
        for &(figure, _, digits) in work.columns {
            let cell = Spread::figure(series, figure).map_or_else(
                || "–".into(),
                |spread| {
                    let number = |value: f64| {
                        if digits == 0 { chart::grouped(value) } else { format!("{value:.digits$}") }
                    };
                    if figure == work.figure {
                        format!("{} ({}–{})", number(spread.middle), number(spread.low), number(spread.high))
                    } else {
                        number(spread.middle)
                    }
                },
            );
            let _ = write!(text, " {cell} |");
        }
        for own in &ours {
            let cell =
                if own.system == series.system { None } else { Spread::ratio(series, own, work.figure) };
            let cell = cell.map_or_else(
                || "–".into(),
                |ratio| {
                    let bold = if ratio.middle < 1.0 && !self::own(&series.system) { "**" } else { "" };
                    format!(
                        "{bold}{}{bold} ({}–{})",
                        chart::number(ratio.middle),
                        chart::number(ratio.low),
                        chart::number(ratio.high)
                    )
                },
            );
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
}

/// The chart of all cases.
pub(crate) fn draw(work: &Work, workload: &Workload) -> String {
    let groups: Vec<Group> = workload
        .cases
        .iter()
        .map(|case| Group {
            name: case.name.clone(),
            bars: case
                .series
                .iter()
                .filter_map(|series| {
                    let spread = Spread::figure(series, work.figure)?;
                    Some(chart::Bar {
                        name: series.system.clone(),
                        value: spread.middle,
                        low: spread.low,
                        high: spread.high,
                    })
                })
                .collect(),
        })
        .collect();
    chart::draw(&format!("{}: {}", work.title, work.chart), &groups, work.logarithmic)
}
