//! The file as a whole, and the sections that there is one of.

use super::{Check, DAY, HOUR, MINUTE, SECOND, Seen};
use crate::value::WorkerCount;
use crate::{
    Admin, AdminBind, Cache, Config, Drain, Log, LogAccess, LogFormat, LogLevel, PluginSettings, Plugins,
    Runtime, Workers, raw, zero,
};
use minisign_verify::PublicKey;
use std::path::PathBuf;
use std::time::Duration;

impl Check<'_> {
    pub(crate) fn file(&mut self, file: &raw::File) -> Config {
        let runtime = self.runtime(&file.runtime);
        let overload = self.overload(&file.overload);
        let mut addresses = Seen::default();
        let admin = self.admin(&file.admin, &mut addresses);
        let tap = self.tap(&file.tap);
        let log = self.log(&file.log);
        let plugins = self.plugins(&file.plugins);
        let bindings = self.bindings(&file.plugin, &plugins);
        let clusters = self.clusters(&file.cluster);
        let listeners = self.listeners(file, &mut addresses);
        let names = listeners.iter().map(|listener| listener.name.as_str());
        self.listeners_of_filters(&file.plugin, &names);
        Config { runtime, overload, admin, tap, log, plugins, bindings, listeners, clusters }
    }

    fn runtime(&mut self, raw: &raw::Runtime) -> Runtime {
        let workers = match self.read_or(&raw.workers, "workers", WorkerCount::Auto) {
            WorkerCount::Auto => Workers::Auto,
            WorkerCount::Count(count) => Workers::Count(count as usize),
        };
        let default = Drain::default();
        let ready_delay = self.time(
            &raw.drain.ready_delay,
            "ready_delay",
            Duration::ZERO..=10 * MINUTE,
            default.ready_delay,
        );
        let window = self.time(&raw.drain.window, "window", Duration::ZERO..=HOUR, default.window);
        let retry = self.time(&raw.drain.retry, "retry", Duration::ZERO..=HOUR, default.retry);
        Runtime { workers, drain: Drain { ready_delay, window, retry } }
    }

    fn admin(&mut self, raw: &raw::Admin, addresses: &mut Seen) -> Admin {
        let token_file = self.path(&raw.token_file, "token_file");
        let bind = match self.admin_bind(&raw.bind) {
            Some((AdminBind::Tcp(address), span)) => {
                if !address.ip().is_loopback() && raw.token_file.span().is_none() {
                    let message = format!(
                        "`bind = \"{address}\"` is off loopback: the admin API then needs `token_file`"
                    );
                    self.blame_with_help(
                        span,
                        message,
                        "it shows what runs here to whoever asks; or bind it to 127.0.0.1",
                    );
                }
                if address.port() != 0 {
                    addresses.0.insert(format!("tcp {address}"), span.clone());
                }
                AdminBind::Tcp(address)
            }
            Some((unix, _)) => unix,
            None => AdminBind::Tcp(zero::ADMIN),
        };
        Admin { bind, token_file }
    }

    fn log(&mut self, raw: &raw::Log) -> Log {
        Log {
            level: self.read_or(&raw.level, "level", LogLevel::Info),
            format: self.read_or(&raw.format, "format", LogFormat::Auto),
            access: self.read_or(&raw.access, "access", LogAccess::Both),
        }
    }

    fn plugins(&mut self, raw: &raw::Plugins) -> Plugins {
        let dir = self.path(&raw.dir, "dir");
        let cache = match self.read(&raw.cache, "cache").map(|(word, _)| word.as_str()) {
            None | Some("auto") => Cache::Auto,
            Some("off") => Cache::Off,
            Some(_) => self.path(&raw.cache, "cache").map_or(Cache::Auto, Cache::Path),
        };
        let state = match self.read(&raw.state, "state").map(|(word, _)| word.as_str()) {
            None | Some("auto") => Cache::Auto,
            Some("off") => Cache::Off,
            Some(_) => self.path(&raw.state, "state").map_or(Cache::Auto, Cache::Path),
        };
        let signed_by = self.list(raw.signed_by.as_ref(), "signed_by").unwrap_or_default();
        let signed_by = signed_by.into_iter().filter_map(|(key, span)| {
            let read = PublicKey::from_base64(key.trim());
            if read.is_err() {
                self.blame_with_help(
                    span,
                    "`signed_by` must have public keys of minisign",
                    "it is the second line of minisign.pub, and begins with RW",
                );
            }
            read.ok()
        });
        let signed_by = signed_by.collect();
        Plugins {
            dir_is_default: dir.is_none(),
            dir: dir.unwrap_or_else(|| self.beside("plugins")),
            cache,
            state,
            audit: self.path(&raw.audit, "audit"),
            signed_by,
            max_module: self.size(&raw.max_module, "max_module", 1 << 10..=1 << 30, 32 << 20),
            compile_time: self.time(
                &raw.compile_time,
                "compile_time",
                Duration::from_millis(100)..=HOUR,
                MINUTE,
            ),
            compile_memory: self.size(&raw.compile_memory, "compile_memory", 64 << 20..=64 << 30, 512 << 20),
            forget_after: self.time(&raw.forget_after, "forget_after", SECOND..=30 * DAY, HOUR),
            defaults: self.settings(&raw.defaults.settings(), &PluginSettings::default()),
        }
    }

    /// A path that no file names: beside the first file.
    fn beside(&self, path: &str) -> PathBuf {
        self.sources.resolve(&(0..0), path)
    }
}
