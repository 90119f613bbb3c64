//! The exports of a plugin. What goes in is borrowed, so that a payload is copied once: into the plugin's memory.

use super::imports::types::{Direction, Kind, Manifest, Rejection, Transport, Verdict};
use crate::host_interfaces::Host;
use wasmtime::component::{ComponentExportIndex, ComponentType, Instance, InstancePre, Lower, TypedFunc};
use wasmtime::{Result, Store, format_err};

const NAME: &str = "weir:plugin/handler@0.1.0";
/// Optional.
const BATCH: &str = "weir:plugin/batch@0.1.0";

#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct MessageView<'a> {
    pub(crate) session: u64,
    pub(crate) sequence: u64,
    pub(crate) direction: Direction,
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
}

#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct SessionView<'a> {
    pub(crate) id: u64,
    pub(crate) listener: &'a str,
    pub(crate) transport: Transport,
    pub(crate) peer: &'a str,
    pub(crate) tls: Option<TlsView<'a>>,
    pub(crate) request: Vec<(&'a str, &'a str)>,
}

#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct TlsView<'a> {
    pub(crate) sni: Option<&'a str>,
    pub(crate) alpn: Option<&'a str>,
    #[component(name = "client-subject")]
    pub(crate) client_subject: Option<&'a str>,
}

#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(crate) struct RejectionView<'a> {
    pub(crate) code: u16,
    pub(crate) reason: &'a str,
}

/// Where the exports are in a component, looked up once.
#[derive(Clone, Copy)]
pub(crate) struct HandlerIndices {
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
    open: ComponentExportIndex,
    message: ComponentExportIndex,
    close: ComponentExportIndex,
    timer: ComponentExportIndex,
    batch: Option<ComponentExportIndex>,
}

impl HandlerIndices {
    pub(crate) fn new(pre: &InstancePre<Host>) -> Result<Self> {
        let component = pre.component();
        let handler =
            component.get_export_index(None, NAME).ok_or_else(|| format_err!("it exports no {NAME}"))?;
        let find = |name: &str| {
            component
                .get_export_index(Some(&handler), name)
                .ok_or_else(|| format_err!("its {NAME} has no function {name}"))
        };
        let batch = match component.get_export_index(None, BATCH) {
            None => None,
            Some(interface) => {
                let handle = component.get_export_index(Some(&interface), "handle");
                Some(handle.ok_or_else(|| format_err!("its {BATCH} has no function handle"))?)
            }
        };
        Ok(Self {
            batch,
            describe: find("describe")?,
            configure: find("configure")?,
            open: find("on-open")?,
            message: find("on-message")?,
            close: find("on-close")?,
            timer: find("on-timer")?,
        })
    }
}

/// The exports of one instance, their types checked. `'static` stands for any lifetime: a typed function is covariant in what it
/// takes, because it copies it into the plugin.
pub(crate) struct Handler {
    describe: TypedFunc<(), (Manifest,)>,
    configure: TypedFunc<(&'static str,), (core::result::Result<(), String>,)>,
    open: TypedFunc<(SessionView<'static>,), (core::result::Result<(), Rejection>,)>,
    message: TypedFunc<(MessageView<'static>,), (Verdict,)>,
    close: TypedFunc<(u64, RejectionView<'static>), ()>,
    timer: TypedFunc<(), ()>,
    batch: Option<Batch>,
}

type Batch = TypedFunc<(&'static [u8],), (Vec<u8>,)>;

impl Handler {
    pub(crate) fn new(store: &mut Store<Host>, instance: &Instance, at: &HandlerIndices) -> Result<Self> {
        Ok(Self {
            describe: instance.get_typed_func(&mut *store, at.describe)?,
            configure: instance.get_typed_func(&mut *store, at.configure)?,
            open: instance.get_typed_func(&mut *store, at.open)?,
            message: instance.get_typed_func(&mut *store, at.message)?,
            close: instance.get_typed_func(&mut *store, at.close)?,
            timer: instance.get_typed_func(&mut *store, at.timer)?,
            batch: at.batch.map(|batch| instance.get_typed_func(&mut *store, batch)).transpose()?,
        })
    }

    pub(crate) fn describe(&self, store: &mut Store<Host>) -> Result<Manifest> {
        Ok(self.describe.call(store, ())?.0)
    }

    pub(crate) fn configure(
        &self,
        store: &mut Store<Host>,
        config: &str,
    ) -> Result<core::result::Result<(), String>> {
        let configure: TypedFunc<(&str,), _> = self.configure;
        Ok(configure.call(store, (config,))?.0)
    }

    pub(crate) fn open(
        &self,
        store: &mut Store<Host>,
        session: SessionView<'_>,
    ) -> Result<core::result::Result<(), Rejection>> {
        let open: TypedFunc<(SessionView<'_>,), _> = self.open;
        Ok(open.call(store, (session,))?.0)
    }

    pub(crate) fn message(&self, store: &mut Store<Host>, message: MessageView<'_>) -> Result<Verdict> {
        let handle: TypedFunc<(MessageView<'_>,), (Verdict,)> = self.message;
        Ok(handle.call(store, (message,))?.0)
    }

    /// Packed messages in, packed answers out, as they are: copied once each way, and no more than the store lets one crossing allocate.
    pub(crate) fn batch(&self, store: &mut Store<Host>, messages: &[u8]) -> Result<Vec<u8>> {
        let handle: TypedFunc<(&[u8],), (Vec<u8>,)> =
            self.batch.ok_or_else(|| format_err!("it exports no {BATCH}"))?;
        Ok(handle.call(store, (messages,))?.0)
    }

    pub(crate) fn close(&self, store: &mut Store<Host>, session: u64, end: RejectionView<'_>) -> Result<()> {
        let close: TypedFunc<(u64, RejectionView<'_>), ()> = self.close;
        close.call(store, (session, end))
    }

    pub(crate) fn timer(&self, store: &mut Store<Host>) -> Result<()> {
        self.timer.call(store, ())
    }
}
