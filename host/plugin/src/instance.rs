//! A plugin instance of one worker.

use crate::contract::v0_1::{self, Answers, Converter};
use crate::deadline::begin;
use crate::failure::failure;
use crate::generation::Started;
use crate::host_interfaces::{Breach, Host, Phase};
use std::time::Instant;
use weir_core::{
    Call, Failure, FailureCause, Instance, Kind, Message, Rejection, SessionId, SessionInfo, Verdict,
};

/// Calls after which a fresh instance takes over: what a plugin leaks slowly ends here.
const MAX_CALLS: u64 = 10_000_000;
/// Bytes of a buffer that is kept.
const KEPT: usize = 128 << 10;

pub(crate) struct PluginInstance {
    started: Started,
    calls: u64,
    /// Bytes of memory from which on it is worn.
    high_water: usize,
    failed: bool,
    /// Several messages for one call; kept for the next.
    packed: Vec<u8>,
}

impl PluginInstance {
    pub(crate) fn new(started: Started) -> Self {
        let host = started.store.data();
        let (limit, initial) = (host.limits.memory, host.limiter.memory());
        // Three quarters of the limit; for one that begins above that, half of what was left.
        let high_water = (limit / 4 * 3).max(usize::midpoint(initial, limit));
        Self { started, calls: 0, high_water, failed: false, packed: Vec::new() }
    }

    /// One call of the plugin: lends it the session and takes its effects. `run` calls and converts the answer.
    fn call<R>(
        &mut self,
        call: &mut Call,
        run: impl FnOnce(&mut Started) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        if self.failed {
            // The engine does not enter an instance again that trapped.
            return Err(Failure {
                cause: FailureCause::Trap,
                detail: "the instance failed before and must be replaced".into(),
            });
        }
        self.calls += 1;
        begin(&mut self.started.store, Phase::Call);
        let host = self.started.store.data_mut();
        host.session = call.session.take();
        std::mem::swap(&mut host.effects, &mut call.effects);
        let answer = run(&mut self.started);
        let host = self.started.store.data_mut();
        call.session = host.session.take();
        std::mem::swap(&mut host.effects, &mut call.effects);
        answer.map_err(|error| {
            self.failed = true;
            call.effects.clear();
            failure(&error, self.started.store.data())
        })
    }
}

impl Instance for PluginInstance {
    fn open(&mut self, session: &SessionInfo, call: &mut Call) -> Result<Result<(), Rejection>, Failure> {
        self.call(call, |Started { store, handler }| {
            Ok(match handler.open(store, v0_1::session(session))? {
                Ok(()) => Ok(()),
                Err(said) => Err(v0_1::end(&said)?),
            })
        })
    }

    fn message(&mut self, message: &Message<'_>, call: &mut Call) -> Result<Verdict, Failure> {
        // 36 ns for both readings; the time-stamp counter by way of quanta took 22, and two tenths of a second to calibrate at start.
        let begun = Instant::now();
        let verdict = self.call(call, |Started { store, handler }| {
            let verdict = handler.message(store, v0_1::message(message))?;
            Ok(converter(store).verdict(verdict, message.kind == Kind::Text)?)
        });
        call.nanoseconds = begun.elapsed().as_nanos() as u64;
        verdict
    }

    fn messages(
        &mut self,
        messages: &[Message<'_>],
        call: &mut Call,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Failure> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        if !messages.iter().all(|message| v0_1::pack(message, &mut packed)) {
            return Err(Failure {
                cause: FailureCause::Output,
                detail: "a message is too long to pack".into(),
            });
        }
        let begun = Instant::now();
        let done = self.call(call, |Started { store, handler }| {
            store.data_mut().defer();
            let mut answers = Answers::of(handler.batch(store, &packed)?);
            let mut converter = converter(store);
            for message in messages {
                let answer = answers.read().map_err(Breach::from)?;
                verdicts.push(converter.answer(answer, message.kind == Kind::Text)?);
            }
            Ok(answers.end().map_err(Breach::from)?)
        });
        self.started.store.data_mut().settle(done.is_ok());
        call.nanoseconds = begun.elapsed().as_nanos() as u64;
        // The call itself is one of them.
        self.calls += messages.len().saturating_sub(1) as u64;
        if packed.capacity() <= KEPT {
            self.packed = packed;
        }
        done
    }

    fn dropped(&mut self, reason: &str) {
        self.started.store.data_mut().count_drop(reason);
    }

    fn close(&mut self, session: SessionId, end: &Rejection, call: &mut Call) -> Result<(), Failure> {
        self.call(call, |Started { store, handler }| {
            handler.close(store, session.raw(), v0_1::rejection(end))
        })
    }

    fn timer(&mut self, call: &mut Call) -> Result<(), Failure> {
        self.call(call, |Started { store, handler }| handler.timer(store))
    }

    fn worn(&self) -> bool {
        self.calls >= MAX_CALLS || self.started.store.data().limiter.memory() > self.high_water
    }
}

fn converter(store: &mut wasmtime::Store<Host>) -> Converter<'_> {
    Converter(store.data_mut())
}
