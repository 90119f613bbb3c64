//! A herd in a process of its own: with descriptors of its own, and a clock that nobody else's work holds up.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::{Duration, Instant};
use weir_tests::herd::Herd;
use weir_tests::process;

/// The argument that makes this program a herd.
pub(crate) const ROLE: &str = "herd";
/// Orders and answers that wait: there is one at a time.
const WAITING: usize = 4;
/// How often one of the sessions sends a ping that is measured.
const PROBE: Duration = Duration::from_millis(100);

/// A herd as who asked for it sees it. It ends when this is dropped.
pub(crate) struct Remote {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

/// What a herd says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) open: u64,
    /// Connections that failed on the way, and sessions that the gateway ended.
    pub(crate) failed: u64,
    pub(crate) ended: u64,
    /// Pings of the gateway that were answered.
    pub(crate) answered: u64,
    /// Pongs, and how long they took, in microseconds: half of them, 99 of 100, the longest. Since the last report.
    pub(crate) pongs: u64,
    pub(crate) half: u64,
    pub(crate) most: u64,
    pub(crate) longest: u64,
    /// How long what was ordered took, in milliseconds.
    pub(crate) took: u64,
}

impl Remote {
    /// Starts one whose clients connect to these addresses in turn.
    pub(crate) fn start(addresses: &[SocketAddr]) -> Self {
        let own = std::env::current_exe().expect("the path of this program");
        Self::run(Command::new(own), addresses)
    }

    /// The same, which gives way to whoever else wants its core: honest clients are measured there.
    pub(crate) fn attackers(addresses: &[SocketAddr]) -> Self {
        let own = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(own);
        Self::run(command, addresses)
    }

    fn run(mut command: Command, addresses: &[SocketAddr]) -> Self {
        let mut child = command
            .arg(ROLE)
            .args(addresses.iter().map(SocketAddr::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let (orders, stdout) = (child.stdin.take(), child.stdout.take().expect("piped"));
        let (sender, answers) = sync_channel(WAITING);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, orders, answers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it what to do: `grow COUNT AT_ONCE`, `storm AT_ONCE`, `report`. It answers with a report when that is done.
    pub(crate) fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it runs");
        writeln!(orders, "{order}").expect("it listens");
    }

    /// Its answer, if it comes within that time.
    pub(crate) fn answer(&self, patience: Duration) -> Option<Report> {
        match self.answers.recv_timeout(patience) {
            Ok(line) => Some(Report::parse(&line)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the herd has ended; what it said stands above"),
        }
    }

    /// An order and its answer.
    pub(crate) fn ask(&mut self, order: &str) -> Report {
        self.order(order);
        self.answer(Duration::from_mins(3)).expect("an answer")
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Report {
    fn parse(line: &str) -> Self {
        let mut fields = line.split(' ').map(|field| field.parse().expect("a number"));
        let mut next = || fields.next().expect("a field");
        Self {
            open: next(),
            failed: next(),
            ended: next(),
            answered: next(),
            pongs: next(),
            half: next(),
            most: next(),
            longest: next(),
            took: next(),
        }
    }

    fn of(herd: &mut Herd, took: Duration) -> String {
        let (tally, latency) = (herd.tally, herd.forget());
        let [half, most] = [0.5, 0.99].map(|part| latency.quantile(part).as_micros());
        format!(
            "{} {} {} {} {} {half} {most} {} {}",
            tally.open,
            tally.failed,
            tally.ended,
            tally.answered,
            latency.count(),
            latency.longest().as_micros(),
            took.as_millis()
        )
    }
}

/// The herd's own side: does as it is told until nobody is left to tell it.
pub(crate) fn serve(addresses: &[String]) {
    process::open_files(0);
    let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    let (sender, orders) = sync_channel(WAITING);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut herd = Herd::new(addresses);
    let (mut probed, mut probe) = (Instant::now(), 0);
    loop {
        let order = match orders.try_recv() {
            Ok(order) => order,
            Err(TryRecvError::Empty) => {
                if herd.tally.open > 0 && probed.elapsed() >= PROBE {
                    probed = Instant::now();
                    // Far from the one before.
                    probe = (probe + 7_919) % herd.tally.open;
                    herd.ping(probe);
                }
                herd.turn(Duration::from_millis(20));
                continue;
            }
            Err(TryRecvError::Disconnected) => return,
        };
        let begun = Instant::now();
        let mut words = order.split(' ');
        let word = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        match word {
            "grow" => herd.grow(number(), number()),
            "storm" => {
                let count = herd.tally.open;
                herd.cut();
                herd.grow(count, number());
            }
            _ => {}
        }
        println!("{}", Report::of(&mut herd, begun.elapsed()));
    }
}
