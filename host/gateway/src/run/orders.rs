//! What operators ask of the keeper of the plugins.

use super::audit::Operator;
use super::operate::Done;
use super::reload::Reloaded;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Something to be done, and where the answer goes.
pub(crate) enum Order {
    /// Read the configuration again.
    Reload(oneshot::Sender<Reloaded>),
    /// Do this to a binding.
    Plugin(PluginOrder, oneshot::Sender<Done>),
}

/// What is to be done to a binding.
#[derive(Clone, Debug)]
pub(crate) struct PluginOrder {
    /// Which.
    pub(crate) binding: Box<str>,
    pub(crate) what: What,
    /// Who wants it.
    pub(crate) by: Operator,
}

/// What can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Disable,
    Enable,
    RollBack,
    Pin,
    Unpin,
    Accept,
}

impl What {
    pub(crate) const ALL: [Self; 6] =
        [Self::Disable, Self::Enable, Self::RollBack, Self::Pin, Self::Unpin, Self::Accept];

    /// The last part of its path, and the name of its command.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::RollBack => "rollback",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Accept => "accept",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.word() == word)
    }
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
        self.give(Order::Reload).await
    }

    /// Has something done to a binding; the answer comes when the workers have been given what it led to. `None` as above.
    pub(crate) async fn plugin(&self, order: PluginOrder) -> Option<Done> {
        self.give(|answer| Order::Plugin(order, answer)).await
    }

    async fn give<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.sender.try_send(order(answer)).ok()?;
        // One poke that is not yet taken is as good as two.
        let _ = self.poke.try_send(());
        answered.await.ok()
    }
}
