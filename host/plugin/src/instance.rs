//! A plugin instance of one worker.

use crate::contract::v0_1::{self, Answers, Converter};
use crate::deadline::{begin, fuel_used};
use crate::failure::failure;
use crate::generation::Started;
use crate::host_interfaces::{Breach, Host, Phase};
use crate::processor::Sampler;
use std::time::Instant;
use weir_core::{
    Call, CallStats, Failure, FailureCause, Instance, Kind, Message, Rejection, SessionId, SessionInfo,
    Verdict, Worn,
};

/// Bytes of a buffer that is kept.
const KEPT: usize = 128 << 10;

pub(crate) struct PluginInstance {
    started: Started,
    calls: u64,
    /// Bytes of memory from which on it is worn.
    high_water: usize,
    failed: bool,
    processor: Sampler,
    /// Several messages for one call; kept for the next.
    packed: Vec<u8>,
}

impl PluginInstance {
    pub(crate) fn new(started: Started) -> Self {
        let host = started.store.data();
        let high_water = host.limits.high_water(host.limiter.memory());
        let seed = host.worker.map_or(0, |worker| u64::from(worker.0)) << 32 | host.generation;
        let processor = Sampler::new(seed);
        let instance = Self { started, calls: 0, high_water, failed: false, processor, packed: Vec::new() };
        instance.count_memory();
        instance
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
        // 36 ns for both readings; the time-stamp counter by way of quanta took 22, and two tenths of a second to calibrate at start.
        let measured = self.processor.begin();
        let begun = Instant::now();
        begin(&mut self.started.store, Phase::Call);
        let host = self.started.store.data_mut();
        host.session = call.session.take();
        std::mem::swap(&mut host.effects, &mut call.effects);
        let answer = run(&mut self.started);
        call.fuel = fuel_used(&self.started.store);
        let host = self.started.store.data_mut();
        call.session = host.session.take();
        std::mem::swap(&mut host.effects, &mut call.effects);
        if let (Ok(_), Some(budget)) = (&answer, host.limiter.refused()) {
            // It did without.
            host.store.count_hit(budget);
        }
        let elapsed = begun.elapsed();
        call.nanoseconds = elapsed.as_nanos() as u64;
        let used = match &answer {
            Ok(_) => self.processor.end(measured),
            Err(_) => self.processor.fail(measured, elapsed.min(host.limits.deadline)),
        };
        if let Some(stats) = self.stats() {
            stats.cpu_ns.add(used);
        }
        self.count_memory();
        answer.map_err(|error| {
            self.failed = true;
            call.effects.clear();
            failure(&error, self.started.store.data())
        })
    }
}

impl PluginInstance {
    /// The worker's counters of the generation; none while a generation is tried.
    fn stats(&self) -> Option<&CallStats> {
        let host = self.started.store.data();
        host.worker.and_then(|worker| host.stats.get(usize::from(worker.0)))
    }

    fn count_memory(&self) {
        let Some(stats) = self.stats() else { return };
        let memory = self.started.store.data().limiter.memory() as u64;
        if stats.memory.value() != memory {
            stats.memory.set(memory);
            stats.memory_peak.set(stats.memory_peak.value().max(memory));
        }
    }
}

impl Drop for PluginInstance {
    fn drop(&mut self) {
        if let Some(stats) = self.stats() {
            stats.memory.set(0);
        }
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
        self.call(call, |Started { store, handler }| {
            let verdict = handler.message(store, v0_1::message(message))?;
            Ok(converter(store).verdict(verdict, message.kind == Kind::Text)?)
        })
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

    fn worn(&self) -> Option<Worn> {
        let host = self.started.store.data();
        if host.limiter.memory() > self.high_water {
            Some(Worn::Memory)
        } else {
            (self.calls >= host.limits.renew_calls).then_some(Worn::Calls)
        }
    }
}

fn converter(store: &mut wasmtime::Store<Host>) -> Converter<'_> {
    Converter(store.data_mut())
}
