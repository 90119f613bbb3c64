//! `/metrics`: the counters of all workers added up, when somebody asks.

mod bindings;
mod budgets;
mod overload;
mod resume;

pub(crate) use bindings::kinds;

use crate::run::Shared;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use weir_core::{
    CallTotals, CloseReason, Counter, DeliveryStats, DropReason, Ends, FailureCause, Histogram, IntakeStats,
    ListenerStats, TargetKind, TurnStats,
};
use weir_plugin::{HistogramReading, Value};

/// What a scrape reads.
pub(crate) struct Metrics(pub(crate) Arc<Shared>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

type Labels = Vec<(&'static str, String)>;

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(&mut encoder);
        self.listeners(&mut page)?;
        self.resume(&mut page)?;
        self.clusters(&mut page)?;
        self.sends(&mut page)?;
        self.plugins(&mut page)?;
        self.bindings(&mut page)?;
        self.plugins_own(&mut page)?;
        self.gateway(&mut page)?;
        self.overload(&mut page)?;
        self.workers(&mut page)
    }
}

impl Metrics {
    fn listeners(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let names: Vec<String> = self.0.listener_names.iter().cloned().chain([String::new()]).collect();
        let each = |read: &dyn Fn(&weir_core::ListenerStats) -> u64| -> Vec<(Labels, u64)> {
            let sum = |at: usize| self.0.stats.iter().map(|worker| read(&worker.listeners[at])).sum();
            let all = names.iter().enumerate();
            all.map(|(at, name)| (vec![("listener", name.clone())], sum(at))).collect()
        };
        page.gauge("sessions", "Sessions open now", each(&|stats| stats.sessions.value()))?;
        page.counter("sessions_opened", "Sessions ever opened", each(&|stats| stats.opened.value()))?;
        page.counter(
            "rate_pauses",
            "How often reading from a client stopped because it sent faster than it may",
            each(&|stats| stats.rate_pauses.value()),
        )?;
        page.counter(
            "messages_received",
            "Messages accepted from clients",
            each(&|stats| stats.inbound.received.value()),
        )?;
        page.counter(
            "received_bytes",
            "Bytes of the payloads of messages from clients",
            each(&|stats| stats.inbound.received_bytes.value()),
        )?;
        page.gauge(
            "messages_held",
            "Inbound messages that plugins hold now",
            each(&|stats| stats.inbound.held.value()),
        )?;
        page.counter(
            "messages_offered",
            "Messages directed to clients",
            each(&|stats| stats.outbound.offered.value()),
        )?;
        page.counter(
            "messages_delivered",
            "Messages whose last byte was handed to a client's transport",
            each(&|stats| stats.outbound.delivered.value()),
        )?;
        page.counter(
            "delivered_bytes",
            "Bytes of frames handed to clients' transports",
            each(&|stats| stats.outbound.delivered_bytes.value()),
        )?;
        page.gauge(
            "messages_waiting_behind_hold",
            "Outbound messages that plugins hold, or that wait behind one",
            each(&|stats| stats.outbound_held.value()),
        )?;

        page.counter(
            "heartbeats_sent",
            "Heartbeats sent to clients",
            each(&|stats| stats.heartbeats.sent.value()),
        )?;
        page.counter(
            "heartbeats_answered",
            "Answers of clients to heartbeats",
            each(&|stats| stats.heartbeats.answered.value()),
        )?;
        page.counter(
            "heartbeats_missed",
            "Heartbeats that nothing answered in time",
            each(&|stats| stats.heartbeats.missed.value()),
        )?;
        page.gauge(
            "sessions_degraded",
            "Sessions now whose clients are reached badly",
            each(&|stats| stats.heartbeats.degraded.value()),
        )?;
        page.counter(
            "sessions_became_degraded",
            "Times that a session became degraded",
            each(&|stats| stats.heartbeats.degraded_ever.value()),
        )?;

        let mut routed = Vec::new();
        let mut dropped = Vec::new();
        let mut closed = Vec::new();
        let mut compressed = Vec::new();
        let mut uncompressed = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let label = vec![("listener", name.clone())];
            let stats = || self.0.stats.iter().map(move |worker| &worker.listeners[at]);
            routed.extend(routes(&label, &stats().map(|stats| &stats.inbound)));
            let inbound = with(&label, "direction", "inbound");
            let bytes = |counter: &dyn Fn(&ListenerStats) -> &Counter| -> u64 {
                stats().map(|stats| counter(stats).value()).sum()
            };
            compressed.push((inbound.clone(), bytes(&|stats| &stats.inflated.compressed_bytes)));
            uncompressed.push((inbound.clone(), bytes(&|stats| &stats.inflated.uncompressed_bytes)));
            dropped.extend(drops(&inbound, &stats().map(|stats| &stats.inbound.dropped)));
            let outbound = with(&label, "direction", "outbound");
            compressed.push((outbound.clone(), bytes(&|stats| &stats.deflated.compressed_bytes)));
            uncompressed.push((outbound.clone(), bytes(&|stats| &stats.deflated.uncompressed_bytes)));
            dropped.extend(drops(&outbound, &stats().map(|stats| &stats.outbound.dropped)));
            closed.extend(ends(&label, &stats().map(|stats| &stats.closed)));
        }
        page.counter(
            "compressed_bytes",
            "Bytes of the payloads of compressed messages as they are on the wire, by direction",
            compressed,
        )?;
        page.counter("uncompressed_bytes", "Bytes of the same payloads without compression", uncompressed)?;
        page.counter("messages_routed", "Inbound messages sent on, by kind of target", routed)?;
        page.counter("messages_dropped", "Messages that went no further, by direction and reason", dropped)?;
        page.counter("sessions_closed", "Connections of clients that ended, by reason", closed)
    }

    fn clusters(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let names = &self.0.cluster_names;
        let each = |read: &dyn Fn(&weir_core::ClusterStats) -> u64| -> Vec<(Labels, u64)> {
            let sum = |at: usize| self.0.stats.iter().map(|worker| read(&worker.clusters[at])).sum();
            let all = names.iter().enumerate();
            all.map(|(at, name)| (vec![("cluster", name.clone())], sum(at))).collect()
        };
        let delivery =
            |read: &'static dyn Fn(&DeliveryStats) -> u64| each(&move |stats| read(&stats.delivery));
        page.gauge(
            "upstream_connections",
            "Upstream connections now",
            each(&|stats| stats.connections.value()),
        )?;
        page.counter(
            "upstream_connections_opened",
            "Upstream connections ever asked for",
            each(&|stats| stats.opened.value()),
        )?;
        page.counter(
            "upstream_messages_received",
            "Messages from upstream",
            each(&|stats| stats.received.value()),
        )?;
        page.counter(
            "upstream_received_bytes",
            "Bytes of the payloads of messages from upstream",
            each(&|stats| stats.received_bytes.value()),
        )?;
        page.counter(
            "upstream_messages_orphaned",
            "Messages from upstream for a session that had ended",
            each(&|stats| stats.orphaned.value()),
        )?;
        page.counter(
            "upstream_messages_offered",
            "Messages directed to upstream",
            delivery(&|stats| stats.offered.value()),
        )?;
        page.counter(
            "upstream_messages_delivered",
            "Messages whose last byte was handed to an upstream's transport",
            delivery(&|stats| stats.delivered.value()),
        )?;
        page.counter(
            "upstream_delivered_bytes",
            "Bytes of frames handed to upstreams' transports",
            delivery(&|stats| stats.delivered_bytes.value()),
        )?;
        let mut dropped = Vec::new();
        let mut closed = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let label = vec![("cluster", name.clone())];
            let stats = || self.0.stats.iter().map(move |worker| &worker.clusters[at]);
            dropped.extend(drops(&label, &stats().map(|stats| &stats.delivery.dropped)));
            closed.extend(ends(&label, &stats().map(|stats| &stats.closed)));
        }
        page.counter(
            "upstream_messages_dropped",
            "Messages to upstream that were not delivered, by reason",
            dropped,
        )?;
        page.counter("upstream_connections_closed", "Upstream connections that ended, by reason", closed)
    }

    fn sends(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let sends = || self.0.stats.iter().map(|worker| &worker.sends);
        let total = sends().map(|sends| sends.received.value()).sum();
        page.counter(
            "plugin_messages_sent",
            "Messages that plugins sent by themselves",
            vec![(Vec::new(), total)],
        )?;
        page.counter(
            "plugin_messages_routed",
            "Of these, sent on, by kind of target",
            routes(&Vec::new(), &sends()),
        )?;
        let dropped = drops(&Vec::new(), &sends().map(|sends| &sends.dropped));
        page.counter("plugin_messages_dropped", "Of these, not sent on, by reason", dropped)
    }

    fn plugins(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let bindings = self.0.bindings();
        let each = |read: &dyn Fn(&CallTotals) -> u64| -> Vec<(Labels, u64)> {
            bindings
                .iter()
                .map(|binding| (vec![("binding", binding.name.to_string())], read(&binding.totals)))
                .collect()
        };
        page.counter("plugin_calls", "Calls of a plugin, of every kind", each(&|totals| totals.calls))?;
        page.counter(
            "plugin_messages_skipped",
            "Messages that a binding's `when` let by without a call",
            each(&|totals| totals.skipped),
        )?;
        page.counter(
            "plugin_batches",
            "Calls made for several messages at once; each of the messages counts as a call as well",
            each(&|totals| totals.batches),
        )?;
        page.counter(
            "plugin_batches_failed",
            "Of these, those that failed: their messages were given to the plugin one by one",
            each(&|totals| totals.batches_failed),
        )?;
        page.counter("plugin_instances", "Instances made", each(&|totals| totals.instances))?;
        page.counter(
            "plugin_effects_refused",
            "Effects that named what is not there or not allowed",
            each(&|totals| totals.refused_effects),
        )?;
        let mut verdicts = Vec::new();
        let mut failures = Vec::new();
        for binding in &bindings {
            let label = vec![("binding", binding.name.to_string())];
            let totals = &binding.totals;
            verdicts.extend(kinds(totals).map(|(kind, count)| (with(&label, "verdict", kind), count)));
            for cause in FailureCause::ALL {
                failures.push((with(&label, "cause", cause.label()), totals.failure(cause)));
            }
        }
        page.counter("plugin_verdicts", "Verdicts on messages, by kind; refuse: on sessions", verdicts)?;
        page.counter("plugin_failures", "Calls that gave no answer, by cause", failures)?;
        budgets::show(&self.0, &bindings, page)?;
        let generation = |binding: &crate::run::BindingView| {
            (vec![("binding", binding.name.to_string())], binding.generation)
        };
        page.gauge(
            "plugin_generation",
            "The generation that serves; 0: none yet",
            bindings.iter().map(generation).collect(),
        )?;
        let labelled = |binding: &crate::run::BindingView| vec![("binding", binding.name.to_string())];
        page.gauge(
            "plugin_canary_share",
            "Share of the sessions that try a new generation; 0: none is tried",
            bindings.iter().map(|binding| (labelled(binding), binding.canary)).collect(),
        )?;
        page.gauge(
            "plugin_generations_serving",
            "Generations that serve some session",
            bindings.iter().map(|binding| (labelled(binding), binding.serving)).collect(),
        )?;
        page.gauge(
            "plugin_disabled",
            "1: an operator has taken it out of all chains",
            bindings.iter().map(|binding| (labelled(binding), u64::from(binding.disabled))).collect(),
        )?;
        page.counter(
            "plugin_taken_back",
            "Generations that were taken back, because they left their band or by an operator",
            bindings.iter().map(|binding| (labelled(binding), binding.taken_back)).collect(),
        )?;
        let latencies = bindings.iter().map(|binding| {
            let CallTotals { latency, latency_ns, .. } = binding.totals;
            (vec![("binding", binding.name.to_string())], latency, latency_ns)
        });
        page.histogram(
            "plugin_call_duration",
            "How long each on-message took that gave an answer",
            latencies.collect(),
        )
    }

    /// What plugins count themselves.
    fn plugins_own(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let catalogue = self.0.catalogue.load();
        let Some(catalogue) = &*catalogue else { return Ok(()) };
        // One family a name, whatever the number of bindings that have it; and of one kind: the first's.
        let mut families: BTreeMap<Arc<str>, Vec<(Labels, Value)>> = BTreeMap::new();
        for (binding, readings) in catalogue.metrics() {
            for reading in readings {
                let labels = vec![("binding", binding.to_string())];
                families.entry(reading.name).or_default().push((labels, reading.value));
            }
        }
        for (name, values) in families {
            page.own(&format!("custom_{name}"), values)?;
        }
        let reasons = self.0.bindings().into_iter().filter_map(|binding| {
            Some((binding.name.clone(), catalogue.store(&binding.name)?.drop_reasons().read()))
        });
        let dropped = reasons.flat_map(|(binding, reasons)| {
            let labels =
                move |reason: &str| vec![("binding", binding.to_string()), ("reason", reason.to_owned())];
            reasons.into_iter().map(move |(reason, count)| (labels(&reason), count))
        });
        page.counter(
            "plugin_drops",
            "Messages dropped by verdict, by the plugin's own reason",
            dropped.collect(),
        )
    }

    fn gateway(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let connections: u64 = self.0.stats.iter().map(|worker| worker.connections.value()).sum();
        page.gauge(
            "connections",
            "Connections now, of clients and to upstreams",
            vec![(Vec::new(), connections)],
        )?;
        page.gauge(
            "groups",
            "Groups with members",
            vec![(Vec::new(), self.0.directory.group_count() as u64)],
        )?;
        let failures = self.0.audit_failures.load(std::sync::atomic::Ordering::Relaxed);
        page.counter(
            "audit_failures",
            "Lines of the audit log that could not be written",
            vec![(Vec::new(), failures)],
        )?;
        page.gauge("workers", "Worker threads", vec![(Vec::new(), self.0.stats.len() as u64)])?;
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        page.gauge("build", "1, with the version as a label", vec![(version, 1)])
    }
}

impl Metrics {
    /// How the workers' time goes.
    fn workers(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let of = |read: &dyn Fn(&TurnStats) -> &Histogram, kind: Option<&str>| -> Vec<_> {
            let workers = self.0.stats.iter().enumerate();
            let reading = workers.map(|(at, stats)| {
                let mut labels = vec![("worker", at.to_string())];
                labels.extend(kind.map(|kind| ("kind", kind.to_owned())));
                let (buckets, sum) = read(&stats.turns).read();
                (labels, buckets, sum)
            });
            reading.collect()
        };
        page.histogram(
            "worker_delay",
            "How late what was due was done: the wait of everything that a worker does",
            of(&|turns| &turns.delay, None),
        )?;
        let mut waits = of(&|turns| &turns.waits.sockets, Some("sockets"));
        waits.extend(of(&|turns| &turns.waits.busy, Some("busy")));
        waits.extend(of(&|turns| &turns.waits.handshakes, Some("handshakes")));
        waits.extend(of(&|turns| &turns.waits.ends, Some("ends")));
        page.histogram(
            "worker_wait",
            "How long what was ready waited for its turn, by what it is; of sockets a share is measured",
            waits,
        )?;
        let mut turns = of(&|turns| &turns.sockets, Some("sockets"));
        turns.extend(of(&|turns| &turns.plugins, Some("plugins")));
        turns.extend(of(&|turns| &turns.timers, Some("timers")));
        page.histogram(
            "worker_turn",
            "How long turns took, by what they did; of sockets one turn in sixteen, plugins apart from both",
            turns,
        )
    }
}

fn with(labels: &Labels, name: &'static str, value: &str) -> Labels {
    let mut labels = labels.clone();
    labels.push((name, value.to_owned()));
    labels
}

fn routes<'a>(
    labels: &Labels,
    stats: &(impl Iterator<Item = &'a IntakeStats> + Clone),
) -> Vec<(Labels, u64)> {
    let count = |kind: TargetKind| stats.clone().map(|stats| stats.routed[kind as usize].value()).sum();
    TargetKind::ALL.into_iter().map(|kind| (with(labels, "target", kind.label()), count(kind))).collect()
}

fn drops<'a>(
    labels: &Labels,
    stats: &(impl Iterator<Item = &'a weir_core::Reasons> + Clone),
) -> Vec<(Labels, u64)> {
    let count = |reason: DropReason| stats.clone().map(|stats| stats.of(reason).value()).sum();
    DropReason::ALL.iter().map(|reason| (with(labels, "reason", reason.label()), count(*reason))).collect()
}

fn ends<'a>(labels: &Labels, stats: &(impl Iterator<Item = &'a Ends> + Clone)) -> Vec<(Labels, u64)> {
    let count = |reason: CloseReason| stats.clone().map(|stats| stats.of(reason).value()).sum();
    CloseReason::ALL.iter().map(|reason| (with(labels, "reason", reason.label()), count(*reason))).collect()
}

/// The page under way: names get `weir_` before and what their type asks for behind.
pub(crate) struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    /// A family of counters.
    pub(crate) fn counter(&mut self, name: &str, help: &str, values: Vec<(Labels, u64)>) -> fmt::Result {
        let name = format!("weir_{name}");
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// A family of counters of seconds, of values in nanoseconds.
    pub(crate) fn seconds(&mut self, name: &str, help: &str, values: Vec<(Labels, u64)>) -> fmt::Result {
        let name = format!("weir_{name}_seconds");
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (labels, nanoseconds) in values {
            let seconds = nanoseconds as f64 / 1e9;
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&seconds, None)?;
        }
        Ok(())
    }

    /// A family of gauges.
    pub(crate) fn gauge<T: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: Vec<(Labels, T)>,
    ) -> fmt::Result {
        let name = format!("weir_{name}");
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A plugin's own metric, under the kind of the first binding that has it.
    fn own(&mut self, name: &str, values: Vec<(Labels, Value)>) -> fmt::Result {
        let help = "Counted by a plugin itself";
        match values.first() {
            Some((_, Value::Count(_))) => {
                let counts = values.into_iter().filter_map(|(labels, value)| match value {
                    Value::Count(count) => Some((labels, count)),
                    _ => None,
                });
                self.counter(name, help, counts.collect())
            }
            Some((_, Value::Gauge(_))) => {
                let gauges = values.into_iter().filter_map(|(labels, value)| match value {
                    Value::Gauge(gauge) => Some((labels, gauge)),
                    _ => None,
                });
                self.gauge(name, help, gauges.collect())
            }
            Some((_, Value::Histogram(_))) => {
                let name = format!("weir_{name}");
                let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Histogram)?;
                for (labels, value) in values {
                    let Value::Histogram(reading) = value else { continue };
                    let bounds = HistogramReading::BOUNDS.into_iter().chain([f64::INFINITY]);
                    let buckets: Vec<(f64, u64)> = bounds.zip(reading.counts).collect();
                    let count = reading.counts.iter().sum();
                    family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                        reading.sum,
                        count,
                        &buckets,
                        None,
                    )?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        values: Vec<(Labels, [u64; Histogram::BOUNDS.len() + 1], u64)>,
    ) -> fmt::Result {
        let name = format!("weir_{name}_seconds");
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Histogram)?;
        for (labels, counts, nanoseconds) in values {
            let bounds = Histogram::BOUNDS.iter().map(|bound| *bound as f64 / 1e9).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let sum = nanoseconds as f64 / 1e9;
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                sum,
                counts.iter().sum(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}
