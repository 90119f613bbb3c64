//! What commands ask of a running gateway: its admin server's answers.

mod body;

pub(crate) use body::Lines;

use crate::admin;
use crate::cli::Remote;
use anyhow::{Context, bail};
use axum::body::Body;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use weir_config::AdminBind;

/// From the call to the head of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is no stream, in bytes.
const LONGEST: usize = 64 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a gateway's admin server is, and what it must be told.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    place: Place,
    token: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
enum Place {
    /// `HOST:PORT`.
    Tcp(String),
    Unix(PathBuf),
}

impl Gateway {
    /// The one that the options mean: an address, or that of a configuration.
    pub(crate) fn find(options: &Remote) -> anyhow::Result<Self> {
        if let Some(address) = &options.admin {
            let token = options.token_file.as_deref().map(admin::read_token).transpose()?;
            return Ok(Self { place: Place::parse(address)?, token });
        }
        let Ok(loaded) = crate::run::load(options.config.file.as_deref()) else {
            bail!("the configuration is not one; or name the gateway with --admin http://HOST:PORT");
        };
        let admin = &loaded.config.admin;
        let token = match &options.token_file {
            Some(file) => Some(admin::read_token(file)?),
            None => admin::token(admin)?,
        };
        let place = match &admin.bind {
            AdminBind::Tcp(address) if address.port() == 0 => {
                bail!(
                    "admin.bind has port 0, so only the gateway knows its port; say --admin http://HOST:PORT"
                );
            }
            AdminBind::Tcp(address) => Place::Tcp(reachable(*address).to_string()),
            AdminBind::Unix(path) => Place::Unix(path.clone()),
        };
        Ok(Self { place, token })
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Tcp(authority) => format!("http://{authority}"),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// An answer that has an end.
    pub(crate) async fn json(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.get(path).await?;
        let whole = timeout(PATIENCE, body::whole(answer.into_body(), LONGEST));
        let whole = whole.await.context("the gateway did not finish its answer in time")??;
        serde_json::from_slice(&whole).context("the gateway's answer is no JSON")
    }

    /// An answer that goes on: its lines.
    pub(crate) async fn lines(&self, path: &str) -> anyhow::Result<Lines> {
        Ok(Lines::new(self.get(path).await?.into_body()))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Response<hyper::body::Incoming>> {
        let name = self.name();
        let asked = timeout(PATIENCE, self.ask(path)).await;
        let answer = asked.with_context(|| format!("{name} does not answer"))??;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let said = body::whole(answer.into_body(), 4096).await.unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        match status {
            StatusCode::UNAUTHORIZED => {
                bail!("{name} wants a token: --token-file FILE, or -c with its configuration")
            }
            StatusCode::NOT_FOUND => bail!("{name} has no {path}: it is an older gateway, or something else"),
            _ => bail!("{name} refuses: {}", said.trim()),
        }
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Response<hyper::body::Incoming>> {
        let name = self.name();
        let running =
            || format!("cannot reach the gateway at {name}; is it running? -c or --admin name another");
        let (stream, host): (Box<dyn Stream>, &str) = match &self.place {
            Place::Tcp(authority) => {
                let stream = TcpStream::connect(authority).await.with_context(running)?;
                stream.set_nodelay(true)?;
                (Box::new(stream), authority)
            }
            Place::Unix(path) => {
                (Box::new(UnixStream::connect(path).await.with_context(running)?), "localhost")
            }
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the answer, or when nobody reads it any more.
        tokio::spawn(connection);
        let mut request = Request::get(path).header(header::HOST, host);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        sender
            .send_request(request.body(Body::empty())?)
            .await
            .with_context(|| format!("{name} gives no answer"))
    }
}

impl Place {
    fn parse(text: &str) -> anyhow::Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(Path::new(path).to_owned()));
        }
        let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let port = rest.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if rest.contains('/') || port.is_none() {
            bail!("--admin takes http://HOST:PORT or unix:PATH, not {text}");
        }
        Ok(Self::Tcp(rest.to_owned()))
    }
}

/// An address that is bound everywhere is reached here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, name) in [
            ("http://127.0.0.1:7900", "http://127.0.0.1:7900"),
            ("http://[::1]:7900/", "http://[::1]:7900"),
            ("gate.example:80", "http://gate.example:80"),
            ("unix:/run/weir.sock", "unix:/run/weir.sock"),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!(Gateway { place, token: None }.name(), name);
        }
        for wrong in ["https://a:1", "http://a", "http://a:1/v1/top", "a:b", ""] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }
}
