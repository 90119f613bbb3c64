//! `weir reload`: has a running gateway read its configuration again.

use crate::admin;
use crate::run::load;
use anyhow::{Context, bail};
use axum::body::{Body, to_bytes};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio::time::timeout;
use weir_config::AdminBind;

/// Plugins may have to be compiled first, one after the other.
const PATIENCE: Duration = Duration::from_mins(10);
/// The longest answer, in bytes.
const LONGEST: usize = 1 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Exit code 0: what can change without a restart is in force; 1: nothing changed, and the answer said why; 2: the configuration is wrong.
pub(crate) fn run(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = match load(file) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let config = loaded.config.admin;
    let token = admin::token(&config)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { timeout(PATIENCE, ask(&config.bind, token.as_deref())).await });
    let (status, answer) = asked.context("the gateway does not answer")??;
    print!("{}", in_words(&answer));
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The answer line by line; as it is, where it is no such answer.
fn in_words(answer: &str) -> String {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(answer) else { return answer.to_owned() };
    let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
    let mut text = match &json["error"] {
        serde_json::Value::String(error) => {
            format!("refused, everything is as it was: {}\n", error.trim_end())
        }
        _ => format!("{}\n", json["result"].as_str().unwrap_or("done")),
    };
    for line in list("live").iter().chain(&list("restart")).filter_map(serde_json::Value::as_str) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

async fn ask(bind: &AdminBind, token: Option<&str>) -> anyhow::Result<(StatusCode, String)> {
    let running = "cannot reach the gateway's admin server; is it running, with this configuration?";
    let (stream, host): (Box<dyn Stream>, String) = match bind {
        AdminBind::Tcp(address) if address.port() == 0 => {
            bail!("admin.bind has port 0, which only the gateway itself knows: send it SIGHUP instead")
        }
        AdminBind::Tcp(address) => {
            (Box::new(TcpStream::connect(address).await.context(running)?), address.to_string())
        }
        AdminBind::Unix(path) => {
            (Box::new(UnixStream::connect(path).await.context(running)?), "localhost".to_owned())
        }
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the answer.
    tokio::spawn(connection);
    let mut request = Request::post("/v1/config/reload").header(header::HOST, host);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let answer =
        sender.send_request(request.body(Body::empty())?).await.context("the gateway gives no answer")?;
    let status = answer.status();
    let text = to_bytes(Body::new(answer.into_body()), LONGEST).await.context("the answer broke off")?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}
