//! What operators ask of the keeper of the plugins.

use super::reload::Reloaded;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use tokio::sync::oneshot;

/// Something to be done, and where the answer goes.
pub(crate) enum Order {
    /// Read the configuration again.
    Reload(oneshot::Sender<Reloaded>),
}

/// Where orders are given.
#[derive(Debug)]
pub(crate) struct Orders {
    sender: Sender<Order>,
    poke: SyncSender<()>,
}

impl Orders {
    /// `poke` wakes the keeper.
    pub(crate) fn new(poke: SyncSender<()>) -> (Self, Receiver<Order>) {
        let (sender, receiver) = channel();
        (Self { sender, poke }, receiver)
    }

    /// Has the configuration read again. `None`: the gateway is ending.
    pub(crate) async fn reload(&self) -> Option<Reloaded> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Order::Reload(answer)).ok()?;
        // One poke that is not yet taken is as good as two.
        let _ = self.poke.try_send(());
        answered.await.ok()
    }
}
