//! What the guest programs share: the contract's bindings, defaults for every call, and a panic hook that logs.

wit_bindgen::generate!({
    path: "../../sdk/wit",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "export_guest",
    default_bindings_module: "guests",
});

pub use exports::weir::plugin::handler::{Guest, Manifest, Message, Rejection, SessionInfo, Verdict};
pub use weir::plugin::types::{Direction, Forwarding, Kind, Target};
pub use weir::plugin::*;

/// A guest program. Everything but `message` has a default.
pub trait Program {
    /// Its manifest's name.
    const NAME: &'static str;
    /// Its manifest's schema.
    const SCHEMA: &'static str = "";

    fn describe() -> Manifest {
        Manifest {
            name: Self::NAME.into(),
            version: "1.0.0".into(),
            description: "a guest program of the tests".into(),
            directions: vec![Direction::Inbound, Direction::Outbound],
            config_schema: Self::SCHEMA.into(),
        }
    }
    fn configure(_config: String) -> Result<(), String> {
        Ok(())
    }
    fn open(_session: SessionInfo) -> Result<(), Rejection> {
        Ok(())
    }
    fn message(message: Message) -> Verdict;
    fn close(_session: u64, _end: Rejection) {}
    fn timer() {}
}

/// Forward as it was.
pub fn pass() -> Verdict {
    Verdict::Forward(Forwarding { payload: None, route: None })
}

/// Forward with a new payload.
pub fn reply(payload: impl Into<Vec<u8>>) -> Verdict {
    Verdict::Forward(Forwarding { payload: Some(payload.into()), route: None })
}

/// Without WASI nothing else shows a panic's text.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log::log(log::Level::Error, &panic.to_string())));
}

/// Exports a [`Program`].
#[macro_export]
macro_rules! program {
    ($program:ty) => {
        struct Exported;
        impl $crate::Guest for Exported {
            fn describe() -> $crate::Manifest {
                $crate::report_panics();
                <$program as $crate::Program>::describe()
            }
            fn configure(config: String) -> Result<(), String> {
                $crate::report_panics();
                <$program as $crate::Program>::configure(config)
            }
            fn on_open(session: $crate::SessionInfo) -> Result<(), $crate::Rejection> {
                <$program as $crate::Program>::open(session)
            }
            fn on_message(message: $crate::Message) -> $crate::Verdict {
                <$program as $crate::Program>::message(message)
            }
            fn on_close(session: u64, end: $crate::Rejection) {
                <$program as $crate::Program>::close(session, end)
            }
            fn on_timer() {
                <$program as $crate::Program>::timer()
            }
        }
        $crate::export_guest!(Exported);
    };
}
