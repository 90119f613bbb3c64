//! The page: made of the figures, and of nothing else.

use crate::alone;
use crate::bars;
use crate::chart;
use crate::results::Results;
use crate::settings::WARM_UP;
use crate::systems;
use crate::tables;
use crate::works::ALL;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Writes `performance.md`, and a chart for each kind of work into `performance/`.
pub(crate) fn write(results: &Results, out: &Path) -> Result<()> {
    let charts = out.join("performance");
    fs::create_dir_all(&charts).with_context(|| charts.display().to_string())?;
    for work in &ALL {
        if let Some(workload) = results.workload(work.name).filter(|workload| !workload.cases.is_empty()) {
            fs::write(charts.join(file(work.name)), tables::draw(work, workload))?;
        }
    }
    let page = out.join("performance.md");
    fs::write(&page, render(results, out.join("tuning.md").is_file()))
        .with_context(|| page.display().to_string())
}

fn file(name: &str) -> String {
    format!("{}.svg", name.to_lowercase().replace(' ', "-"))
}

/// The page as text. `tuning`: whether there is a page of what was tried.
pub(crate) fn render(results: &Results, tuning: bool) -> String {
    let mut text = String::new();
    head(&mut text, results);
    losses(&mut text, results);
    speed(&mut text, results);
    if tuning {
        text.push_str("\nWhat was tried to get there, with figures before and after: [Tuning](tuning.md).\n");
    }
    for work in &ALL {
        let Some(workload) = results.workload(work.name) else { continue };
        let _ = write!(text, "\n## {}\n\n{}\n", work.title, work.about);
        if let Some(run) = workload.run.as_ref().filter(|run| **run != results.run) {
            let _ = write!(
                text,
                "\n*Of an earlier run: {}, {} rounds of {} ms.*\n",
                run.date, run.pairs, run.slice_ms
            );
        }
        if workload.cases.iter().any(|case| !case.series.is_empty()) {
            let _ = write!(text, "\n![{}](performance/{})\n", work.chart, file(work.name));
        }
        text.push_str(&tables::markdown(work, workload));
    }
    who(&mut text, results);
    weir_alone(&mut text, results);
    text.push_str(
        "\n## What this does not show\n\nHow many sessions a machine holds, with pings, storms and latencies: [Capacity](capacity.md). \
         Peers over TLS or QUIC, gateways with several workers, networks that are not loopback, and peers newer than those that \
         Debian, npm and crates.io have.\n",
    );
    text
}

fn head(text: &mut String, results: &Results) {
    let run = &results.run;
    let _ = write!(
        text,
        "<!-- Made by `make bench-peers` of performance.json. What is changed here by hand is lost. -->\n\
         # Performance\n\n\
         What was measured, on what, against whom, and where it falls short. `make bench-peers` measures all of it again and writes this \
         page.\n\n\
         **Machine and settings.** {}. {}; {} rounds, {} ms of each turn measured after {} ms of warm-up, {:.0} minutes in all. Every \
         gateway and server stands on the first core, the load and the services behind proxies on the second; one worker, one thread or \
         `GOMAXPROCS=1`. `TCP_NODELAY` everywhere, no TLS, no compression, no pings, no access log. What sends back what it is sent is \
         loaded by [`weir bench`](bench.md), everything else by a load of the comparison's own. [Who took part](#who-took-part) has \
         versions and settings.\n\n\
         **Reading it.** Systems take turns, round by round, in changing order, and a turn begins when what others left to do is done. A \
         ratio is the median of the ratios of the same round, with the lowest and highest in brackets. *Against Weir* is theirs divided \
         by ours: **above 1 Weir is ahead**, and what is below 1 is in bold. CPU time is that of the server with all of its processes. It is what is compared, because \
         throughput says little where the load is the limit: there *server busy* is below 1. In charts each case has a scale of its own, \
         whiskers show the lowest and the highest, and bars with a point are cut: they are more than four times as long as Weir's.\n",
        results.machine,
        run.date,
        run.pairs,
        run.slice_ms,
        WARM_UP.as_millis(),
        results.minutes
    );
}

fn losses(text: &mut String, results: &Results) {
    text.push_str("\n## Losses first\n\nBars that are missed:\n\n");
    let red: Vec<_> = bars::all(results).into_iter().filter(|bar| bar.green == Some(false)).collect();
    for bar in &red {
        let _ = writeln!(text, "- {}: {}, the bar is {}", bar.what, bar.measured, bar.limit);
    }
    if red.is_empty() {
        text.push_str("- none\n");
    }
    text.push_str("\nEvery pair in which a peer is ahead, by what is compared:\n\n");
    text.push_str("| work | case | ours | ahead of it | theirs / ours |\n| --- | --- | --- | --- | --- |\n");
    let mut any = false;
    for work in &ALL {
        for loss in
            results.workload(work.name).map(|workload| tables::losses(work, workload)).into_iter().flatten()
        {
            any = true;
            let ratio = [loss.ratio.middle, loss.ratio.low, loss.ratio.high].map(chart::number);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} ({}–{}) |",
                work.title, loss.case, loss.own, loss.peer, ratio[0], ratio[1], ratio[2]
            );
        }
    }
    if !any {
        text.push_str("| none | | | | |\n");
    }
}

fn speed(text: &mut String, results: &Results) {
    text.push_str("\n## The bars of speed\n\n| what | bar | measured | |\n| --- | --- | --- | --- |\n");
    for bar in bars::all(results) {
        let light = match bar.green {
            Some(true) => "green",
            Some(false) => "**red**",
            None => "–",
        };
        let _ = writeln!(text, "| {} | {} | {} | {light} |", bar.what, bar.limit, bar.measured);
    }
}

fn who(text: &mut String, results: &Results) {
    text.push_str(
        "\n## Who took part\n\n| system | version | settings | what it does that Weir does not |\n| --- | --- | --- | --- |\n",
    );
    for (name, version) in &results.versions {
        let (settings, difference) =
            systems::of(name).map_or(("", ""), |system| (system.settings, system.difference));
        let _ = writeln!(text, "| {name} | {} | {settings} | {difference} |", version.replace('|', " "));
    }
    text.push_str(
        "\nTheir configurations and scripts are in [tests/bench-peers](../tests/bench-peers). What Weir does and most of them do not: every \
         message is counted to one fate, queues are bounded in bytes, what one session sends to one target stays in order, slow peers are \
         closed and said why.\n\nWho took no part, or not in all of it:\n\n",
    );
    if results.missing.is_empty() {
        text.push_str("- nobody is missing\n");
    }
    for one in &results.missing {
        let why: String = one.why.replace('\n', " ").chars().take(300).collect();
        let _ = writeln!(text, "- {} ({}): `{}`", one.system, one.workload, why.replace('`', "'"));
    }
}

fn weir_alone(text: &mut String, results: &Results) {
    if results.printed.is_empty() {
        return;
    }
    text.push_str(
        "\n## Weir alone\n\nWhat `make bench` prints: with and without a plugin, over more transports, and among many sessions. Slices \
         alternate within one gateway process. A `when` that no message matches means that nothing is called.\n",
    );
    for section in alone::SECTIONS {
        if let Some(printed) = results.printed.get(section) {
            let _ = write!(text, "\n```text\n{}\n```\n", printed.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Case, Figures, Missing, Run, Series, Workload};

    fn results() -> Results {
        let series = |system: &str, cost: f64| Series {
            system: system.into(),
            runs: (0..5)
                .map(|round| {
                    Some(Figures::from([
                        ("cost".to_owned(), cost + f64::from(round)),
                        ("rate".to_owned(), 1e6 / cost),
                    ]))
                })
                .collect(),
        };
        let case = |name: &str| Case {
            name: name.into(),
            series: vec![
                series("Weir", 10.0),
                series("Weir + plugin", 11.0),
                series("bun", 8.0),
                series("nats-server", 20.0),
            ],
        };
        Results {
            machine: "a machine".into(),
            run: Run { date: "today".into(), pairs: 5, slice_ms: 1_000 },
            workloads: vec![Workload {
                name: crate::echo::NAME.into(),
                run: None,
                cases: crate::echo::CASES.map(|(name, ..)| case(name)).into(),
            }],
            missing: vec![Missing {
                workload: "fan-out".into(),
                system: "sockudo".into(),
                why: "it does\nnot build".into(),
            }],
            ..Results::default()
        }
    }

    #[test]
    fn the_page_says_losses_first() {
        let page = render(&results(), false);
        let (losses, bars) =
            (page.find("## Losses first").unwrap(), page.find("## The bars of speed").unwrap());
        assert!(losses < bars);
        assert!(
            page[losses..bars].contains("| Echo over WebSocket | 100 × 1 | Weir | bun | 0.83 (0.80–0.86) |"),
            "{page}"
        );
        assert!(!page[losses..bars].contains("nats-server"), "who is behind is no loss");
        assert!(page.contains("- sockudo (fan-out): `it does not build`"), "{page}");
    }

    #[test]
    fn what_is_of_another_run_says_so() {
        let mut results = results();
        assert!(!render(&results, false).contains("Of an earlier run"));
        let echo = results.workloads.remove(0);
        results.renew(echo, Vec::new());
        assert!(!render(&results, false).contains("Of an earlier run"));
        results.run.date = "tomorrow".into();
        assert!(render(&results, false).contains("*Of an earlier run: today, 5 rounds of 1000 ms.*"));
    }

    #[test]
    fn what_was_not_measured_has_no_light() {
        let bars = bars::all(&Results::default());
        assert!(bars.iter().all(|bar| bar.green.is_none()));
        let measured = bars::all(&results());
        assert!(
            measured.iter().any(|bar| bar.green == Some(false))
                && measured.iter().any(|bar| bar.green == Some(true))
        );
    }

    #[test]
    fn the_page_in_the_documentation_is_of_its_figures() {
        let docs = weir_tests::artifact::root().join("docs");
        // Where nothing was measured yet, there is nothing to compare.
        let Ok(results) = Results::read(&docs.join("performance.json")) else { return };
        let page = fs::read_to_string(docs.join("performance.md")).unwrap();
        let tuning = docs.join("tuning.md").is_file();
        assert!(page == render(&results, tuning), "renew it with: target/release/bench-peers page");
    }

    #[test]
    fn the_page_and_its_charts_are_written() {
        let dir = tempfile::tempdir().unwrap();
        write(&results(), dir.path()).unwrap();
        assert!(dir.path().join("performance.md").is_file());
        assert!(dir.path().join("performance/echo.svg").is_file());
    }
}
