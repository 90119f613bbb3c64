//! What stands in for plugins, filters and onlookers: nothing that costs anything itself.

use std::sync::Arc;
use weir_core::{
    BindingId, Call, CallStats, Chain, Depth, Directions, Effect, Failure, Forwarding, Glimpse, Instance,
    Link, Message, OnFailure, Program, Question, Record, Rejection, Seat, SessionId, SessionInfo, Tap,
    Verdict, When, Worn,
};

/// A plugin that forwards, of inbound messages that fit.
#[derive(Debug)]
struct Pass(Option<When>);

impl Program for Pass {
    fn instantiate(&self, _: &Seat, _: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
        Ok(Box::new(Self(None)))
    }

    fn when(&self) -> Option<&When> {
        self.0.as_ref()
    }
}

impl Instance for Pass {
    fn open(&mut self, _: &SessionInfo, _: &mut Call) -> Result<Result<(), Rejection>, Failure> {
        Ok(Ok(()))
    }

    fn message(&mut self, _: &Message<'_>, _: &mut Call) -> Result<Verdict, Failure> {
        Ok(Verdict::Forward(Forwarding::default()))
    }

    fn close(&mut self, _: SessionId, _: &Rejection, _: &mut Call) -> Result<(), Failure> {
        Ok(())
    }

    fn timer(&mut self, _: &mut Call) -> Result<(), Failure> {
        Ok(())
    }

    fn worn(&self) -> Option<Worn> {
        None
    }
}

/// A chain of that plugin.
pub(crate) fn chain(when: Option<When>) -> Chain {
    let link = Link {
        binding: BindingId(0),
        name: "pass".into(),
        generation: 1,
        program: Arc::new(Pass(when)),
        directions: Directions { inbound: true, outbound: false },
        on_failure: OnFailure::Closed,
        stats: Arc::new([CallStats::default()]),
        terms: Arc::default(),
        max_held: 1 << 20,
        quarantine: Arc::default(),
        offload: None,
    };
    Chain::new(vec![link])
}

/// Whether the first byte is the one that all payloads here begin with.
#[derive(Debug)]
pub(crate) struct Has;

impl Question for Has {
    fn holds(&self, payload: &[u8]) -> bool {
        payload.first() == Some(&b'a')
    }

    fn text(&self) -> &'static str {
        "begins"
    }
}

/// Looks on, to this depth or at nothing, and lets go what it is given.
#[derive(Debug)]
pub(crate) struct Onlooker(pub(crate) Option<Depth>);

impl Tap for Onlooker {
    fn wants(&mut self, _: &Glimpse<'_>) -> Option<Depth> {
        self.0
    }

    fn take(&mut self, record: Record) {
        drop(std::hint::black_box(record));
    }
}
