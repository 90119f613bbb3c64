//! `weir top`: what a running gateway does, live.

mod rates;
mod table;
mod terminal;
mod view;

use crate::cli::TopOptions;
use crate::remote::Gateway;
use anyhow::Context;
use rates::Rates;
use serde_json::Value;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use terminal::Terminal;
use tokio::time::{Instant, sleep, sleep_until};
use view::{Sort, View};

/// Runs until it is stopped, or once.
pub(crate) fn run(options: &TopOptions) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        (0.1..=3_600.0).contains(&options.interval),
        "--interval takes seconds, from 0.1 to 3600"
    );
    anyhow::ensure!(options.sessions <= 100, "--sessions takes a number from 0 to 100");
    let sort = Sort::named(&options.sort).with_context(|| {
        format!("--sort: calls, cpu, p99, memory, failures or name, not {}", options.sort)
    })?;
    let gateway = Gateway::find(&options.remote)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let mut source = Source { gateway, sessions: options.sessions, last: None };
        let live = !options.once && !options.json && io::stdin().is_terminal() && io::stdout().is_terminal();
        if live {
            watch(&mut source, options.interval, sort).await
        } else {
            print(&mut source, options, sort).await
        }
    });
    // A thread may still wait for a key.
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// A gateway's counters, and what they were the last time.
struct Source {
    gateway: Gateway,
    sessions: usize,
    last: Option<Value>,
}

impl Source {
    /// What happened since the last time; `None`: this is the first.
    async fn ask(&mut self) -> anyhow::Result<Option<Rates>> {
        let path = format!("/v1/top?sessions={}", self.sessions);
        let now = self.gateway.json(&path).await?;
        let rates = self.last.as_ref().map(|last| Rates::between(last, &now));
        self.last = Some(now);
        Ok(rates)
    }
}

/// Tables, or JSON, one after the other.
async fn print(source: &mut Source, options: &TopOptions, sort: Sort) -> anyhow::Result<()> {
    source.ask().await?;
    loop {
        sleep(Duration::from_secs_f64(options.interval)).await;
        let Some(rates) = source.ask().await? else { continue };
        let text = if options.json {
            serde_json::to_string(&rates)? + "\n"
        } else {
            let width = terminal::width().unwrap_or(options.width);
            View {
                rates: &rates,
                gateway: source.gateway.name(),
                sort,
                width,
                height: usize::MAX,
                colours: false,
                note: None,
            }
            .to_string()
        };
        match io::stdout().write_all(text.as_bytes()) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("cannot write to standard output")?,
        }
        if options.once {
            return Ok(());
        }
    }
}

/// Draws over what was drawn before, until `q`.
async fn watch(source: &mut Source, interval: f64, mut sort: Sort) -> anyhow::Result<()> {
    let interval = Duration::from_secs_f64(interval);
    let mut terminal = Terminal::take().context("cannot take the terminal over; --once prints without")?;
    let mut rates: Option<Rates> = None;
    let mut note = Some("counting".to_owned());
    // The first rates come soon, whatever the interval.
    let mut due = Instant::now();
    let mut soon = Some(Duration::from_millis(500).min(interval));
    loop {
        if Instant::now() >= due {
            match source.ask().await {
                Ok(Some(new)) => (rates, note) = (Some(new), None),
                Ok(None) => {}
                // It may come back; its counters then begin anew.
                Err(error) => (source.last, note) = (None, Some(format!("{error:#}"))),
            }
            due = Instant::now() + soon.take().unwrap_or(interval);
        }
        let (width, height) = terminal.size();
        let empty = Rates::default();
        let view = View {
            rates: rates.as_ref().unwrap_or(&empty),
            gateway: source.gateway.name(),
            sort,
            width,
            height,
            colours: true,
            note: note.clone(),
        };
        terminal.draw(&view.to_string())?;
        tokio::select! {
            () = sleep_until(due) => {}
            key = terminal.key() => match key {
                Some(b'q' | 3 | 4 | 27) | None => return Ok(()),
                Some(key) => sort = Sort::of_key(key).unwrap_or(sort),
            },
        }
    }
}
