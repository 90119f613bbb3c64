//! From a plugin's settings to what its binding is held to.

use std::sync::Arc;
use weir_config::{Grant, PluginSettings, Rollback, Rollout};
use weir_core::BindingId;
use weir_plugin::{
    Band, BindingSpec, CanaryPolicy, Capability, Digest, Offloading, PluginLimits, RolloutPolicy,
};

/// A binding with these settings.
pub(crate) fn spec_of(id: BindingId, name: &Arc<str>, settings: &PluginSettings) -> BindingSpec {
    let capability = |grant: &Grant| match grant {
        Grant::Kv => Some(Capability::Kv),
        Grant::Messaging => Some(Capability::Messaging),
        Grant::Groups => Some(Capability::Groups),
        Grant::Timers => Some(Capability::Timers),
        Grant::Random => Some(Capability::Random),
        _ => None,
    };
    let empty = settings.config.as_object().is_some_and(serde_json::Map::is_empty);
    BindingSpec {
        sha256: settings.sha256.map(Digest::from_bytes),
        id,
        name: name.clone(),
        config: if empty { serde_json::Value::Null } else { settings.config.clone() },
        limits: PluginLimits {
            memory: settings.memory,
            table_elements: settings.max_table,
            stack: settings.stack,
            deadline: settings.deadline,
            setup_deadline: PluginLimits::default().setup_deadline,
            host_calls: settings.max_host_calls,
            max_output: settings.max_output,
            max_effects: settings.max_effects,
            log_rate: settings.log_rate,
            kv_bytes: settings.kv_bytes,
            kv_keys: settings.kv_keys,
            max_held: settings.max_held,
            renew_memory: settings.renew_memory,
            renew_calls: settings.renew_calls,
            quarantine: settings.quarantine,
            offload: settings.placement.offload.then_some(Offloading {
                threads: settings.placement.threads,
                queue: settings.placement.queue,
                bytes: settings.placement.queue_bytes,
                wait: settings.placement.queue_wait,
            }),
        },
        grants: settings.grants.iter().filter_map(capability).collect(),
        on_failure: settings.on_failure,
        when: settings.when.as_ref().map(|when| Arc::new(super::when::filter(when))),
        rollout: rollout(settings),
    }
}

/// How new versions take over, as the catalogue knows it.
fn rollout(settings: &PluginSettings) -> RolloutPolicy {
    let Rollback {
        window,
        failures,
        failed_share,
        latency_factor,
        latency_slack,
        drop_difference,
        calls,
        looks,
    } = settings.rollback;
    RolloutPolicy {
        canary: match settings.rollout {
            Rollout::All => None,
            Rollout::Canary { share, window } => Some(CanaryPolicy { share, window }),
        },
        pin: settings.pin.sessions.then_some(settings.pin.drain),
        band: Band {
            window,
            failures,
            failed_share,
            latency_factor,
            latency_slack,
            drop_difference,
            calls,
            looks,
        },
    }
}
