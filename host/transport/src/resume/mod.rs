//! Clients that come back: what they say first, whose session that is, and how their connection gets to it.

mod crossing;
mod greet;
mod tokens;

pub(crate) use crossing::{Arrival, Mobile, MobileStream, Mooring};
pub use crossing::{Crossing, crossings};
pub(crate) use greet::{First, PATIENCE, first};
pub use tokens::Tokens;

use crate::drive::{Driver, Unread};
use crate::listen::{Admission, Gate};
use crate::record;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use weir_core::{CloseReason, Hello, Opening, SessionId};

/// A client that wants its session back.
struct Return<L> {
    session: SessionId,
    received: u64,
    opening: Opening,
    link: L,
    unread: Unread,
    admission: Admission,
}

impl Gate {
    /// Begins the session of a client whose first message was looked at: a new one, or its own goes on.
    pub(crate) async fn greet<L: Mobile>(
        &self,
        mut opening: Opening,
        link: L,
        first: First,
        admission: Admission,
    ) -> Result<(), CloseReason> {
        let (token, received, unread) = match first {
            First::Gone(reason) => return Err(reason),
            First::Else(unread) => {
                self.begin(opening, link, unread, admission);
                return Ok(());
            }
            First::Hello { token, received, unread } => (token, received, unread),
        };
        let tokens = self.spec().resume.as_ref();
        opening.hello = Some(Hello::New);
        if let (Some(tokens), Some(token)) = (tokens, token) {
            match tokens.verify(&token, self.local.now()) {
                Ok(session) => {
                    return self.lead(Return { session, received, opening, link, unread, admission }).await;
                }
                Err(why) => opening.hello = Some(why),
            }
        }
        self.begin(opening, link, unread, admission);
        Ok(())
    }

    /// To the worker that has the session.
    async fn lead<L: Mobile>(&self, back: Return<L>) -> Result<(), CloseReason> {
        let to = back.session.worker();
        if to == self.local.id() || self.local.way_to(to).is_none() {
            self.take_up(back);
            return Ok(());
        }
        let Return { session, received, opening, link, unread, admission } = back;
        // It fails only if the connection has broken.
        let cargo = link.pack().map_err(|_| CloseReason::ClientReset)?;
        let (listener, stop) = (Arc::clone(&self.listener), self.stop.clone());
        let overload = Arc::clone(&self.overload);
        let arrival: Arrival = Box::new(move |local| {
            let gate = Gate { listener, local: Rc::clone(local), stop, overload, told: Cell::new(0) };
            match L::unpack(cargo) {
                Ok(link) => {
                    gate.take_up(Return { session, received, opening, link, unread, admission });
                }
                Err(_) => gate.refuse(CloseReason::ClientReset),
            }
        });
        // That worker has ended only if the process is about to.
        if self.local.bring(to, arrival).await { Ok(()) } else { Err(CloseReason::Shutdown) }
    }

    /// The session goes on, if it is there; a new one begins if not.
    fn take_up<L: Mobile>(&self, back: Return<L>) {
        let Return { session, received, opening, link, unread, admission } = back;
        let (wire, peer, listener) = (opening.wire.clone(), Arc::clone(&opening.peer), opening.listener);
        let resumed = self.local.with(|worker| {
            worker.resume(session, received, opening)?;
            unread.lanes.iter().for_each(|lane| worker.lane_opened(session, *lane));
            record::resumed(worker, session, listener, &peer);
            if *self.stop.borrow() {
                worker.close(session, CloseReason::Shutdown);
            }
            Ok::<_, Box<Opening>>(())
        });
        match resumed {
            Ok(()) => {
                let driver =
                    Driver::new(Rc::clone(&self.local), session, link, unread, &wire, Some(admission));
                tokio::task::spawn_local(driver);
            }
            Err(mut opening) => {
                opening.hello = Some(Hello::Unknown);
                self.begin(*opening, link, unread, admission);
            }
        }
    }
}
