//! `weir:plugin@0.1.x`: the imports as `bindgen!` makes them from `sdk/wit`, and the exports by hand ([`handler`]), because the
//! generated ones either copy every payload on its way in or, with borrowed types, do not compile for a record that is both an
//! argument and an error.

mod convert;
mod handler;
mod packed;

pub(crate) use bindings::weir::plugin as imports;
pub(crate) use convert::{Converter, direction, end, kind, manifest, message, pack, rejection, session};
pub(crate) use handler::{Handler, HandlerIndices};
pub(crate) use packed::{Answers, Torn};

use crate::grants::{Capability, Grants};
use crate::host_interfaces::Host;
use wasmtime::component::{HasSelf, Linker};

mod bindings {
    #![allow(missing_docs, unreachable_pub, dead_code, unused_variables, reason = "generated code")]
    #![allow(clippy::all, clippy::pedantic, reason = "generated code")]

    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        inline: "
            package weir:host;
            world imports {
                import weir:plugin/types@0.1.0;
                import weir:plugin/log@0.1.0;
                import weir:plugin/clock@0.1.0;
                import weir:plugin/random@0.1.0;
                import weir:plugin/attributes@0.1.0;
                import weir:plugin/messaging@0.1.0;
                import weir:plugin/groups@0.1.0;
                import weir:plugin/kv@0.1.0;
                import weir:plugin/metrics@0.1.0;
                import weir:plugin/timers@0.1.0;
            }
        ",
        world: "weir:host/imports",
        imports: { default: trappable },
    });
}

/// A linker that offers what every plugin has and what is granted, and nothing else: what the check of a file's imports overlooked
/// would find nothing here.
pub(crate) fn linker(engine: &wasmtime::Engine, grants: Grants) -> wasmtime::Result<Linker<Host>> {
    type Own = HasSelf<Host>;
    let mut linker = Linker::new(engine);
    imports::types::add_to_linker::<_, Own>(&mut linker, |host| host)?;
    imports::log::add_to_linker::<_, Own>(&mut linker, |host| host)?;
    imports::clock::add_to_linker::<_, Own>(&mut linker, |host| host)?;
    imports::attributes::add_to_linker::<_, Own>(&mut linker, |host| host)?;
    imports::metrics::add_to_linker::<_, Own>(&mut linker, |host| host)?;
    for capability in grants.iter() {
        match capability {
            Capability::Random => imports::random::add_to_linker::<_, Own>(&mut linker, |host| host)?,
            Capability::Messaging => imports::messaging::add_to_linker::<_, Own>(&mut linker, |host| host)?,
            Capability::Groups => imports::groups::add_to_linker::<_, Own>(&mut linker, |host| host)?,
            Capability::Kv => imports::kv::add_to_linker::<_, Own>(&mut linker, |host| host)?,
            Capability::Timers => imports::timers::add_to_linker::<_, Own>(&mut linker, |host| host)?,
        }
    }
    Ok(linker)
}
