//! A worker's tap: divides what is seen among those who look on.

use super::{PLACES, Viewers, Views, Want};
use arc_swap::ArcSwap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use weir_core::{
    Depth, Glimpse, ListenerId, Meeting, Record, Rejection, SessionId, SessionInfo, Tap, Time, WorkerId,
};
use weir_transport::Local;

#[derive(Debug)]
struct Onlooker {
    worker: WorkerId,
    viewers: Arc<ArcSwap<Viewers>>,
}

/// Gives the worker a tap while anybody looks on, and takes it back when nobody does. Ends with the process.
pub(crate) async fn attend(local: Rc<Local>, views: Arc<Views>, worker: WorkerId) {
    let mut watched = views.watched.subscribe();
    let mut has = false;
    loop {
        let wanted = *watched.borrow_and_update();
        if wanted != has {
            has = wanted;
            local.with(|core| {
                core.tap(wanted.then(|| Box::new(Onlooker { worker, viewers: views.viewers.clone() }) as _));
            });
            if wanted {
                views.attending.fetch_add(1, Ordering::Release);
            } else {
                views.attending.fetch_sub(1, Ordering::Release);
            }
        }
        if watched.changed().await.is_err() {
            return;
        }
    }
}

impl Tap for Onlooker {
    fn wants(&mut self, message: &Glimpse<'_>) -> Option<Depth> {
        let mut wanted: Option<Depth> = None;
        for (place, viewer) in self.viewers.load().iter() {
            let (depth, bit) = match viewer.wants(self.worker, message) {
                Want::Nothing => continue,
                Want::Surely(depth) => (depth, 1 << place),
                Want::Perhaps(depth) => (depth, 1 << (place + PLACES)),
            };
            let mut all = wanted.unwrap_or_default().max(depth);
            all.mark |= bit;
            wanted = Some(all);
        }
        wanted
    }

    fn take(&mut self, record: Record) {
        let record = Arc::new(record);
        for (place, viewer) in self.viewers.load().iter() {
            let surely = record.mark >> place & 1 == 1;
            if surely || record.mark >> (place + PLACES) & 1 == 1 {
                viewer.take(&record, surely);
            }
        }
    }

    fn missed(&mut self) {
        self.viewers.load().iter().for_each(|(_, viewer)| viewer.missed());
    }

    fn opened(&mut self, at: Time, order: u64, listener: ListenerId, session: &SessionInfo) {
        self.viewers.load().iter().for_each(|(_, viewer)| viewer.opened(at, order, listener, session));
    }

    fn told(&mut self, listener: ListenerId, session: SessionId, meeting: Meeting) {
        self.viewers.load().iter().for_each(|(_, viewer)| viewer.told(listener, session, &meeting));
    }

    fn ended(&mut self, at: Time, order: u64, listener: ListenerId, session: SessionId, said: &Rejection) {
        let viewers = self.viewers.load();
        viewers.iter().for_each(|(_, viewer)| viewer.ended(at, order, listener, session, said));
    }
}
