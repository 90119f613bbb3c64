//! Never returns; `open` returns late instead, after as many milliseconds as the path says.

use guests::*;

struct Endless;

impl Program for Endless {
    const NAME: &'static str = "endless";

    fn open(session: SessionInfo) -> Result<(), Rejection> {
        let wait: u64 = session.request.first().and_then(|(_, path)| path.parse().ok()).unwrap_or(0);
        let start = clock::monotonic();
        while clock::monotonic() - start < wait {}
        Ok(())
    }

    fn message(_: Message) -> Verdict {
        loop {
            std::hint::black_box(());
        }
    }
}

program!(Endless);
