//! What a file is, for people.

use crate::artifact::Form;
use crate::cases::Cases;
use crate::digest::Digest;
use crate::generation::{BindingSpec, Starter};
use crate::grants::{Capability, Grants};
use crate::limits::PluginLimits;
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::rollout::RolloutPolicy;
use crate::runtime::Runtime;
use crate::store::BindingStore;
use std::sync::Arc;
use weir_core::{BindingId, OnFailure};

/// What `weir plugin inspect` shows.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Inspection {
    /// Of the file.
    #[serde(rename = "sha256")]
    pub digest: Digest,
    /// Core module or component.
    pub form: Form,
    /// Of the file, in bytes.
    pub size: usize,
    /// The contract's version that it was built for, e.g. `0.1.0`.
    pub contract: String,
    /// What its binding has to grant.
    pub capabilities: Vec<Capability>,
    /// Every interface of the contract that it imports.
    pub imports: Vec<String>,
    /// Whether it exports the packed `batch`.
    pub batch: bool,
    /// How many cases of its own it carries.
    pub cases: usize,
    /// What it says of itself, the config's schema among it.
    pub manifest: Manifest,
}

impl Runtime {
    /// Compiles a file and asks it what it is, with everything granted and the default limits. It is not configured.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspection, Refusal> {
        let module = self.module(bytes, PluginLimits::default().stack_size(), |_| Ok(()))?;
        let spec = BindingSpec {
            id: BindingId(0),
            sha256: None,
            name: "inspect".into(),
            config: serde_json::Value::Null,
            limits: PluginLimits::default(),
            grants: Grants::all(),
            on_failure: OnFailure::default(),
            when: None,
            rollout: RolloutPolicy::default(),
        };
        let store = Arc::new(BindingStore::new(self.options()));
        let (_, manifest) = Starter::new(self, &module, &spec, &store)?.try_out()?;
        let facts = &module.facts;
        Ok(Inspection {
            digest: facts.digest,
            form: facts.form,
            size: facts.size,
            contract: facts.contract.clone(),
            capabilities: facts.capabilities().iter().collect(),
            imports: facts.interfaces.clone(),
            batch: facts.batch,
            cases: match &facts.cases {
                Some(text) => {
                    Cases::parse(text).map_err(|error| Refusal::Cases(error.to_string()))?.iter().len()
                }
                None => 0,
            },
            manifest,
        })
    }
}
