//! Clients of the guest program `turncoat`, whose next version does something else.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::{Gateway, artifact, wait_for};

/// Each client sends so often, whether it is answered or not.
const PACE: Duration = Duration::from_millis(20);

/// The file of a version that does this.
pub(crate) fn version(mode: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"@mode=pass @";
    let mut file = fs::read(artifact::guest("turncoat")).expect("the guest");
    let mut places = file.windows(PLACE.len()).enumerate().filter(|(_, bytes)| *bytes == PLACE);
    let (at, _) = places.next().expect("it has a mode");
    assert!(places.next().is_none(), "it has one mode");
    file[at..at + PLACE.len()].copy_from_slice(format!("@mode={mode:<5}@").as_bytes());
    file
}

/// The file with cases of its own, in a custom section (WebAssembly 2.0, section 5.5.3). They are few: each length is one byte.
pub(crate) fn with_cases(mut file: Vec<u8>, cases: &str) -> Vec<u8> {
    const NAME: &str = "weir:cases";
    let short =
        |length: usize| u8::try_from(length).ok().filter(|length| *length < 0x80).expect("a short text");
    file.extend([0, short(1 + NAME.len() + cases.len()), short(NAME.len())]);
    file.extend(NAME.bytes().chain(cases.bytes()));
    file
}

/// A gateway of two workers that echoes through the binding `p`.
pub(crate) fn gateway(keys: &str, file: &[u8]) -> Gateway {
    let config = format!(
        "admin = {{ bind = \"127.0.0.1:0\" }}\nruntime = {{ workers = 2 }}\n\
         [[plugin]]\nname = \"p\"\nmodule = \"p.wasm\"\n{keys}\n\
         [[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nkind = \"text\"\nroute = \"echo\"\n\
         chain = [\"p\"]\n"
    );
    Gateway::prepare(&config, &[])
        .with(|dir| fs::write(dir.join("plugins/p.wasm"), file).expect("a file"))
        .start()
}

/// Clients that send numbers until they are stopped.
#[derive(Debug)]
pub(crate) struct Crowd {
    tasks: JoinSet<Tally>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

/// What one of them sent and got.
#[derive(Debug)]
pub(crate) struct Tally {
    /// As the plugin sees it.
    pub(crate) session: u64,
    pub(crate) sent: u64,
    pub(crate) lost: BTreeSet<u64>,
}

impl Crowd {
    /// Connects so many, and waits until each is answered.
    pub(crate) async fn gather(address: SocketAddr, count: u32) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let (stop, answered) = (stop.clone(), answered.clone());
            tasks.spawn(async move {
                tokio::time::sleep(PACE * number / count).await;
                talk(address, &stop, &answered).await
            });
        }
        let crowd = Self { tasks, stop, answered };
        crowd.wait_for_answers(u64::from(count)).await;
        crowd
    }

    /// Waits for so many answers more.
    pub(crate) async fn wait_for_answers(&self, more: u64) {
        let wanted = self.answered.load(Ordering::SeqCst) + more;
        let answered = self.answered.clone();
        let waited = tokio::task::spawn_blocking(move || {
            wait_for("answers", || answered.load(Ordering::SeqCst) >= wanted);
        });
        waited.await.expect("they came");
    }

    /// Each sends a last message and waits for its answer: whatever was not answered before it never will be.
    pub(crate) async fn stop(mut self) -> Vec<Tally> {
        self.stop.store(true, Ordering::SeqCst);
        let mut tallies = Vec::new();
        while let Some(tally) = self.tasks.join_next().await {
            tallies.push(tally.expect("a client"));
        }
        tallies
    }
}

async fn talk(address: SocketAddr, stop: &AtomicBool, answered: &AtomicU64) -> Tally {
    let mut client = Client::tcp(address, u32be()).await.expect("a session");
    let mut tally = Tally { session: 0, sent: 0, lost: BTreeSet::new() };
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut last, mut heard) = (false, 0);
    loop {
        tokio::select! {
            _ = pace.tick(), if !last => {
                last = stop.load(Ordering::SeqCst);
                tally.sent += 1;
                tally.lost.insert(tally.sent);
                client.send(tally.sent.to_string().as_bytes()).await.expect("sent");
            }
            got = client.next() => {
                let Got::Message(payload) = got.expect("an answer") else { panic!("the session ended") };
                let text = std::str::from_utf8(&payload).expect("text");
                let (number, session) = text.split_once('#').expect("a number and a session");
                let number: u64 = number.parse().expect("a number");
                tally.session = session.parse().expect("an id");
                assert!(tally.lost.remove(&number), "{number} was answered twice");
                assert!(number > heard, "{number} was answered after {heard}");
                heard = number;
                answered.fetch_add(1, Ordering::SeqCst);
                if last && number == tally.sent {
                    return tally;
                }
            }
        }
    }
}
