//! Orders of operators are carried out, between two looks at the files.

use super::audit::By;
use super::keeper::Keeper;
use super::orders::{PluginOrder, What};
use serde_json::{Value, json};
use weir_plugin::{BindingState, BindingStatus, Change, OrderError, Outcome};

/// What became of an order.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    what: What,
    result: Result<Carried, OrderError>,
}

#[derive(Clone, Debug)]
struct Carried {
    /// What happened and what comes of it, in sentences.
    message: String,
    /// Whether it is remembered after a restart.
    kept: bool,
    /// Why there is no line of it in the audit log.
    audit: Option<String>,
    /// The binding as it is now.
    plugin: Option<BindingStatus>,
}

impl Done {
    /// 200: it is done; 404: there is no such binding; 409: it cannot be done, and everything is as it was.
    pub(crate) fn status(&self) -> u16 {
        match &self.result {
            Ok(_) => 200,
            Err(OrderError::Unknown) => 404,
            Err(_) => 409,
        }
    }

    /// The body of the admin server's answer.
    pub(crate) fn json(&self) -> Value {
        let order = self.what.word();
        match &self.result {
            Ok(Carried { message, kept, audit, plugin }) => json!({
                "result": "done", "order": order, "message": message, "kept": kept, "audit_error": audit, "plugin": plugin,
            }),
            Err(error) => {
                let result = if *error == OrderError::Unknown { "unknown" } else { "refused" };
                json!({ "result": result, "order": order, "error": error.to_string() })
            }
        }
    }
}

impl Keeper {
    /// Carries out an order. What it leads to is in the next snapshot.
    pub(super) fn carry_out(&mut self, order: PluginOrder) -> Done {
        let PluginOrder { binding, what, by } = order;
        let done = match what {
            What::Disable => self.catalogue.disable(&binding),
            What::Enable => self.catalogue.enable(&binding),
            What::RollBack => self.catalogue.roll_back(&binding, &why(by.note.as_deref())),
            What::Pin => self.catalogue.pin(&binding),
            What::Unpin => self.catalogue.unpin(&binding),
            What::Accept => self.catalogue.accept(&binding),
        };
        let by = By::Operator(by);
        let result = done.map(|outcome| {
            let kept = self.catalogue.is_kept();
            let audit = self.audit.write(&outcome, &by).err();
            self.tell(&outcome);
            for file in self.catalogue.take_wanted() {
                if self.directory.has(&file) {
                    self.offer(&file, &by);
                }
            }
            let plugin = self.catalogue.status().into_iter().find(|status| *status.name == *binding);
            let mut message = message(&outcome, plugin.as_ref());
            if !kept && !matches!(outcome.change, Change::Enabled | Change::Unpinned) {
                message += ". It ends with this process: plugins.state is off, or cannot be written";
            }
            if let Some(error) = &audit {
                message = format!("{message}. {error}");
            }
            Carried { message, kept, audit, plugin }
        });
        Done { what, result }
    }
}

/// Why something was taken back, as the end of a sentence.
fn why(note: Option<&str>) -> String {
    match note {
        Some(note) => format!("an operator ordered it: {note}"),
        None => "an operator ordered it".to_owned(),
    }
}

/// What happened, and what to do next.
fn message(outcome: &Outcome, now: Option<&BindingStatus>) -> String {
    let name = &*outcome.binding;
    match &outcome.change {
        Change::Disabled => {
            format!("messages pass without {name} from now on; `weir plugin enable {name}` ends that")
        }
        Change::Enabled => format!("{name} is in its chains again"),
        Change::RolledBack { bad, serving } => format!(
            "generation {} of {name} (version {}) serves all sessions; generation {} (version {}) is not tried again until \
             `weir plugin accept {name}`, or another file",
            serving.number(),
            serving.manifest().version,
            bad.number(),
            bad.manifest().version,
        ),
        Change::Pinned { serving, .. } => format!(
            "generation {} of {name} (version {}) serves whatever is offered; `weir plugin unpin {name}` ends that",
            serving.number(),
            serving.manifest().version,
        ),
        Change::Unpinned => format!("{name} is not pinned any more{}", offered(now)),
        Change::Accepted(_) => format!("what was taken back of {name} may be tried again{}", offered(now)),
        _ => format!("{name} has changed"),
    }
}

/// What became of the file that lies there.
fn offered(now: Option<&BindingStatus>) -> String {
    match now.map(|now| &now.state) {
        Some(BindingState::Active) => "; what lies in the directory serves".to_owned(),
        Some(BindingState::Trying) => "; what lies in the directory is on trial".to_owned(),
        Some(BindingState::Refused { reason }) => {
            format!("; what lies in the directory is refused: {reason}")
        }
        Some(BindingState::Waiting { reason }) => format!("; what lies in the directory waits: {reason}"),
        _ => "; the next file is tried".to_owned(),
    }
}
