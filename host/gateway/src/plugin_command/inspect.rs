//! `weir plugin inspect`: what a file is, as a gateway would find out.

use crate::run::plugin_runtime;
use anyhow::Context;
use std::path::Path;
use weir_config::{Cache, Config, Plugins};
use weir_plugin::{Form, Inspection};

pub(super) fn run(file: &Path, json: bool) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let plugins = Plugins { cache: Cache::Off, ..Config::zero().plugins };
    let runtime = plugin_runtime(&plugins, 1)?;
    let inspection = runtime.inspect(&bytes).with_context(|| file.display().to_string())?;
    if json {
        println!("{}", serde_json::to_string_pretty(&inspection)?);
    } else {
        print!("{}", describe(file, &inspection));
    }
    Ok(())
}

fn describe(file: &Path, inspection: &Inspection) -> String {
    let Inspection { digest, form, size, contract, capabilities, cases, manifest, .. } = inspection;
    let list =
        |items: &[String], none: &str| if items.is_empty() { none.to_owned() } else { items.join(", ") };
    let form = match form {
        Form::Core => "core module, made a component when it is loaded",
        Form::Component => "component",
    };
    let grants: Vec<_> = capabilities.iter().map(|capability| format!("\"{capability}\"")).collect();
    let mut directions = Vec::new();
    if manifest.directions.inbound {
        directions.push("inbound".to_owned());
    }
    if manifest.directions.outbound {
        directions.push("outbound".to_owned());
    }
    let schema = if manifest.config_schema.is_empty() {
        "none: it takes no config".to_owned()
    } else {
        let schema = serde_json::from_str::<serde_json::Value>(&manifest.config_schema);
        let pretty = schema.ok().and_then(|schema| serde_json::to_string_pretty(&schema).ok());
        pretty.unwrap_or_else(|| manifest.config_schema.clone()).replace('\n', "\n  ")
    };
    format!(
        "{}\n  name        {} {}\n  about       {}\n  contract    weir:plugin {contract}\n  form        {form}, {size} bytes\n  \
         sha256      {digest}\n  directions  {}\n  needs       {}\n  cases       {}\n  config      {schema}\n",
        file.display(),
        manifest.name,
        manifest.version,
        manifest.description,
        list(&directions, "none: on-message is never called"),
        if grants.is_empty() { "no grants".to_owned() } else { format!("grants = [{}]", grants.join(", ")) },
        if *cases == 0 { "none of its own".to_owned() } else { cases.to_string() },
    )
}
