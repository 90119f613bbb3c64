//! `weir plugin disable|enable|rollback|pin|unpin|accept NAME`: orders to a running gateway.

use super::unreached;
use crate::cli::PluginOrder;
use crate::remote::Gateway;
use crate::run::What;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::process::ExitCode;
use tokio::runtime::Builder;

/// Exit code 0: it is done; 1: it was refused, and the answer said why; 2: nobody could be asked.
pub(super) fn run(what: What, order: &PluginOrder) -> anyhow::Result<ExitCode> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = format!("/v1/plugins/{}/{}", encode(&order.name), what.word());
    if let Some(reason) = &order.reason {
        path = format!("{path}?reason={}", encode(reason));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asked = Gateway::find(&order.remote).and_then(|gateway| runtime.block_on(gateway.post(&path)));
    Ok(match asked {
        Ok((status, answer)) if status.is_success() => {
            println!("{}", said(status, &answer, "message"));
            ExitCode::SUCCESS
        }
        Ok((status, answer)) => {
            eprintln!("weir: {}: {}", order.name, said(status, &answer, "error"));
            ExitCode::FAILURE
        }
        Err(error) => unreached(&error),
    })
}

/// The sentence of the answer; the answer as it is, where it has none.
fn said(status: StatusCode, answer: &str, member: &str) -> String {
    let json: Option<Value> = serde_json::from_str(answer).ok();
    match json.as_ref().and_then(|json| json[member].as_str()) {
        Some(sentence) => sentence.to_owned(),
        None if answer.trim().is_empty() => {
            format!("the gateway answers {status}: it is an older one, or something else")
        }
        None => answer.trim().to_owned(),
    }
}
