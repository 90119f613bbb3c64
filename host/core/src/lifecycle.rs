//! The life of a connection as a table: one for all transports, downstream and upstream.

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Upstream only: an endpoint to answer. Messages queue.
    ExpectConnected,
    /// Messages, both ways.
    ExpectMessages,
    /// The peer has said its last in order; what it sent is still on its way (a held message, an upstream that answers).
    ExpectAnswers,
    /// A client that has lost its connection to come back on another. Messages are kept for it.
    ExpectReturn,
    /// Nothing more is read; the queue, and the close frame behind it, to be written.
    ExpectFlushed,
    /// Everything is written; the peer's own end, so that nothing written is lost to a reset.
    ExpectPeerEnd,
    /// Nothing. The transport is let go.
    Ended,
}

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifeEvent {
    /// An endpoint answered.
    Connected,
    /// The peer ended in order (close frame, end of stream), with something still to be answered.
    PeerEndedOwed,
    /// The peer ended in order, and nothing is owed to it but what is queued.
    PeerEnded,
    /// The gateway ends it: a verdict, a limit, a broken rule, a stop.
    Closed,
    /// The queue is written.
    Flushed,
    /// The queue is written, and the peer had ended already.
    FlushedLast,
    /// The connection of a client that may come back is lost.
    Parted,
    /// It has come back.
    Returned,
    /// The transport broke, a wait took too long, or nobody is left to be told.
    Lost,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ExpectConnected,
        Self::ExpectMessages,
        Self::ExpectAnswers,
        Self::ExpectReturn,
        Self::ExpectFlushed,
        Self::ExpectPeerEnd,
        Self::Ended,
    ];

    /// The table. An event that means nothing to a phase leaves it as it is.
    #[must_use]
    pub const fn on(self, event: LifeEvent) -> Self {
        use LifeEvent::{
            Closed, Connected, Flushed, FlushedLast, Lost, Parted, PeerEnded, PeerEndedOwed, Returned,
        };
        match (self, event) {
            (Self::ExpectConnected, Connected) | (Self::ExpectReturn, Returned) => Self::ExpectMessages,
            (Self::ExpectMessages, PeerEndedOwed) => Self::ExpectAnswers,
            (Self::ExpectMessages, Parted) => Self::ExpectReturn,
            (Self::ExpectMessages | Self::ExpectAnswers, PeerEnded | Closed) => Self::ExpectFlushed,
            (Self::ExpectFlushed, Flushed) => Self::ExpectPeerEnd,
            (Self::ExpectConnected | Self::ExpectPeerEnd, PeerEnded | PeerEndedOwed)
            | (Self::ExpectFlushed, FlushedLast)
            | (Self::ExpectReturn, Closed)
            | (_, Lost) => Self::Ended,
            // An upstream that is closed before it answered keeps what waits for it until the connect attempt has ended.
            (same, _) => same,
        }
    }

    /// Whether what arrives is still taken as messages.
    pub const fn takes_messages(self) -> bool {
        matches!(self, Self::ExpectMessages)
    }

    /// Whether messages may still be queued for the peer.
    pub const fn takes_output(self) -> bool {
        matches!(
            self,
            Self::ExpectConnected | Self::ExpectMessages | Self::ExpectAnswers | Self::ExpectReturn
        )
    }
}

impl LifeEvent {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Connected,
        Self::PeerEndedOwed,
        Self::PeerEnded,
        Self::Closed,
        Self::Flushed,
        Self::FlushedLast,
        Self::Parted,
        Self::Returned,
        Self::Lost,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// The whole table, so that a change of one cell is seen. A dot is "as it was".
    const TABLE: &str = "
                  Connected       PeerEndedOwed   PeerEnded       Closed          Flushed         FlushedLast     Parted          Returned        Lost
ExpectConnected   ExpectMessages  Ended           Ended           .               .               .               .               .               Ended
ExpectMessages    .               ExpectAnswers   ExpectFlushed   ExpectFlushed   .               .               ExpectReturn    .               Ended
ExpectAnswers     .               .               ExpectFlushed   ExpectFlushed   .               .               .               .               Ended
ExpectReturn      .               .               .               Ended           .               .               .               ExpectMessages  Ended
ExpectFlushed     .               .               .               .               ExpectPeerEnd   Ended           .               .               Ended
ExpectPeerEnd     .               Ended           Ended           .               .               .               .               .               Ended
Ended             .               .               .               .               .               .               .               .               .
";

    #[test]
    fn every_phase_meets_every_event_as_the_table_says() {
        let mut table = format!("\n{:18}", "");
        table += &LifeEvent::ALL.map(|event| format!("{:16}", format!("{event:?}"))).concat();
        for phase in Phase::ALL {
            table = format!("{}\n{:18}", table.trim_end(), format!("{phase:?}"));
            for event in LifeEvent::ALL {
                let next = phase.on(event);
                let cell = if next == phase { ".".to_owned() } else { format!("{next:?}") };
                write!(table, "{cell:16}").expect("a string takes all");
            }
        }
        assert_eq!(format!("{}\n", table.trim_end()), TABLE);
    }

    #[test]
    fn nothing_comes_after_the_end_and_every_phase_can_reach_it() {
        for phase in Phase::ALL {
            assert_eq!(phase.on(LifeEvent::Lost), Phase::Ended);
        }
        for event in LifeEvent::ALL {
            assert_eq!(Phase::Ended.on(event), Phase::Ended);
        }
    }
}
