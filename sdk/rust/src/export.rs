//! The calls of the contract, for the one plugin that a crate exports. The attribute expands to calls of these.

use crate::{Config as _, Manifest, Message, Plugin, Registered, Rejection, Session, SessionId, Verdict};
use std::{cell::RefCell, thread::LocalKey};

/// Where the instance lives: empty until the gateway has configured it.
pub type Slot<P> = LocalKey<RefCell<Option<P>>>;

/// `describe`.
pub fn describe<P: Registered>() -> Manifest {
    report_panics();
    P::manifest()
}

/// `configure`.
pub fn configure<P: Plugin>(slot: &'static Slot<P>, config: &str) -> Result<(), String> {
    report_panics();
    let config = P::Config::parse(config)?;
    let plugin = P::new(config).map_err(|error| error.to_string())?;
    slot.set(Some(plugin));
    Ok(())
}

/// `on-open`.
pub fn open<P: Plugin>(slot: &'static Slot<P>, session: &Session) -> Result<(), Rejection> {
    with(slot, |plugin| plugin.on_open(session))
}

/// `on-message`.
pub fn message<P: Plugin>(slot: &'static Slot<P>, message: &Message) -> Verdict {
    with(slot, |plugin| plugin.on_message(message))
}

/// `handle` of the interface `batch`: `on-message` for each of several messages.
pub fn messages<P: Plugin>(slot: &'static Slot<P>, packed: &[u8]) -> Vec<u8> {
    with(slot, |plugin| crate::batch::answer(packed, |message| plugin.on_message(message)))
}

/// `on-close`.
pub fn close<P: Plugin>(slot: &'static Slot<P>, session: SessionId, end: &Rejection) {
    with(slot, |plugin| plugin.on_close(session, end));
}

/// `on-timer`.
pub fn timer<P: Plugin>(slot: &'static Slot<P>) {
    with(slot, Plugin::on_timer);
}

fn with<P: Plugin, R>(slot: &'static Slot<P>, call: impl FnOnce(&mut P) -> R) -> R {
    slot.with_borrow_mut(|plugin| {
        call(plugin.as_mut().expect("the gateway configures a plugin before it calls it"))
    })
}

/// Without WASI a panic's text would be lost: the trap says `unreachable` and nothing more.
fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            std::panic::set_hook(Box::new(|panic| {
                crate::log::write(crate::log::Level::Error, format_args!("{panic}"));
            }));
        });
    }
}
