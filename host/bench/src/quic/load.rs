//! The load on one connection over QUIC.

use super::session::Session;
use super::{GOODBYE, LOOK, READ, Stage, Thread};
use crate::conn::{Conn, MOST_WAITING};
use crate::failure::Failure;
use crate::settings::Pace;
use crate::shard::Shard;
use crate::shared::Nanos;
use bytes::{Buf as _, BytesMut};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How often it is looked for what does not come, at most.
const LOOK_AROUND: Duration = Duration::from_millis(50);

impl Thread {
    /// Until everything has come.
    pub(super) async fn serve(&self, mut session: Session, conn: Conn) {
        let conn = RefCell::new(conn);
        // What is to be said besides messages, and that there is something to do.
        let (answers, wake, settled) = (RefCell::new(BytesMut::new()), Notify::new(), Cell::new(false));
        let ended = {
            let Session { send, receive, .. } = &mut session;
            let reader = async {
                while let Ok(Some(chunk)) = receive.read_chunk(READ, true).await {
                    let taken = self.take(&mut conn.borrow_mut(), &chunk.bytes, &mut answers.borrow_mut());
                    if let Err(failure) = taken {
                        return Some(failure);
                    }
                    wake.notify_one();
                }
                None
            };
            tokio::select! {
                failure = reader => Some(failure),
                written = self.write(&conn, &answers, &wake, &settled, send) => if written { None } else { Some(None) },
            }
        };
        let mut conn = conn.into_inner();
        conn.finish(&mut self.shard.borrow_mut());
        if let Some(failure) = ended {
            let failure = match failure {
                Some(failure) => failure,
                None => timeout(GOODBYE, session.end()).await.unwrap_or_else(|_| Failure::ended()),
            };
            self.shard.borrow_mut().closed(failure);
        }
        if !settled.get() {
            self.settled();
        }
        session.connection.close(quinn::VarInt::from_u32(1_000), b"");
    }

    /// Sends what is due, when it is. `false`: the stream broke.
    async fn write(
        &self,
        conn: &RefCell<Conn>,
        answers: &RefCell<BytesMut>,
        wake: &Notify,
        settled: &Cell<bool>,
        send: &mut quinn::SendStream,
    ) -> bool {
        // What the stream has not taken yet.
        let mut out = BytesMut::new();
        let mut looked = 0;
        loop {
            // Before the look, so that no news is missed.
            let news = self.news.notified();
            let stage = self.stage.get();
            if stage == Stage::Done {
                return true;
            }
            let (patience, settles) = {
                let (mut shard, mut conn) = (self.shard.borrow_mut(), conn.borrow_mut());
                let now = shard.shared.now();
                let period = LOOK_AROUND.max(shard.settings.timeout / 20);
                if now - looked > period.as_nanos() as u64 {
                    looked = now;
                    conn.look_for_losses(now, &mut shard);
                }
                out.unsplit(answers.borrow_mut().split());
                conn.pump(now, &mut shard, &mut out, MOST_WAITING);
                let settles = stage == Stage::ExpectRest && out.is_empty() && conn.is_settled(now, &shard);
                (patience(&conn, &shard, now, stage).min(period), settles)
            };
            if settles && !settled.replace(true) {
                self.settled();
            }
            tokio::select! {
                // Mostly it takes all at once, and then no timer is needed.
                biased;
                written = send.write(&out), if !out.is_empty() => match written {
                    Ok(length) => out.advance(length),
                    Err(_) => return false,
                },
                () = wake.notified() => {}
                () = news => {}
                () = sleep(patience) => {}
            }
        }
    }
}

/// How long nothing need be done unless something comes, or the stage changes.
fn patience(conn: &Conn, shard: &Shard, now: Nanos, stage: Stage) -> Duration {
    if stage != Stage::Load {
        return Duration::MAX;
    }
    if conn.publishes() && matches!(shard.settings.pace, Pace::Closed(_)) {
        // What subscribers of other threads have received may let it go on.
        return LOOK;
    }
    conn.next_due().map_or(Duration::MAX, |due| Duration::from_nanos(due.saturating_sub(now)))
}
