//! What operators ask of the keeper of the plugins.

use super::reload::Reloaded;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Something to be done, and where the answer goes.
pub(crate) enum Order {
    /// Read the configuration again.
    Reload(oneshot::Sender<Reloaded>),
}

/// Orders that wait; the keeper may be compiling.
const MOST: usize = 64;

/// Where orders are given.
#[derive(Debug)]
pub(crate) struct Orders {
    sender: SyncSender<Order>,
    poke: SyncSender<()>,
}

impl Orders {
    /// `poke` wakes the keeper.
    pub(crate) fn new(poke: SyncSender<()>) -> (Self, Receiver<Order>) {
        let (sender, receiver) = sync_channel(MOST);
        (Self { sender, poke }, receiver)
    }

    /// Has the configuration read again. `None`: the gateway is ending, or has more to do than it is told.
    pub(crate) async fn reload(&self) -> Option<Reloaded> {
        let (answer, answered) = oneshot::channel();
        self.sender.try_send(Order::Reload(answer)).ok()?;
        // One poke that is not yet taken is as good as two.
        let _ = self.poke.try_send(());
        answered.await.ok()
    }
}
