//! The gateway's end of a connection.

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub enum Wire {
    Framed(Box<dyn Stream>, BytesMut),
    WebSocket(Box<WebSocketStream<Box<dyn Stream>>>),
}

impl Wire {
    /// Gives back whether the connection can speak `weir.v1`.
    pub async fn accept(
        tcp: TcpStream,
        tls: Option<Arc<rustls::ServerConfig>>,
        websocket: bool,
        resume: bool,
    ) -> Option<(Self, bool)> {
        let stream: Box<dyn Stream> = match tls {
            Some(tls) => Box::new(TlsAcceptor::from(tls).accept(tcp).await.ok()?),
            None => Box::new(tcp),
        };
        if !websocket {
            return Some((Self::Framed(stream, BytesMut::new()), resume));
        }
        let mut chosen = false;
        #[allow(clippy::result_large_err, reason = "the library's signature")]
        let choose = |request: &Request, mut response: Response| {
            let offered = request.headers().get("sec-websocket-protocol");
            let offered = offered.and_then(|value| value.to_str().ok()).unwrap_or_default();
            chosen = resume && offered.split(", ").any(|name| name == "weir.v1");
            if chosen {
                response.headers_mut().insert("sec-websocket-protocol", "weir.v1".parse().unwrap());
            }
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, choose).await.ok()?;
        Some((Self::WebSocket(Box::new(socket)), chosen))
    }

    /// The next payload; none at the end. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Framed(stream, read) => loop {
                if let Some(head) = read.first_chunk::<4>() {
                    let end = 4 + u32::from_be_bytes(*head) as usize;
                    if read.len() >= end {
                        return Some(read.split_to(end)[4..].to_vec());
                    }
                }
                if stream.read_buf(read).await.ok()? == 0 {
                    return None;
                }
            },
            Self::WebSocket(socket) => loop {
                match socket.next().await?.ok()? {
                    Message::Text(text) => return Some(text.as_bytes().to_vec()),
                    Message::Binary(bytes) => return Some(bytes.to_vec()),
                    Message::Close(_) => return None,
                    _ => {}
                }
            },
        }
    }

    pub async fn send(&mut self, payload: &[u8]) {
        // A connection that breaks is found when it is read.
        match self {
            Self::Framed(stream, _) => {
                let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
                frame.extend_from_slice(payload);
                let _ = stream.write_all(&frame).await;
            }
            Self::WebSocket(socket) => {
                let message = match std::str::from_utf8(payload) {
                    Ok(text) => Message::text(text),
                    Err(_) => Message::binary(payload.to_vec()),
                };
                let _ = socket.send(message).await;
            }
        }
    }

    pub async fn close(&mut self, code: u16, reason: &str) {
        match self {
            Self::Framed(stream, _) => drop(stream.shutdown().await),
            Self::WebSocket(socket) => {
                let frame = CloseFrame { code: code.into(), reason: reason.into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                while let Some(Ok(_)) = socket.next().await {}
            }
        }
    }
}
