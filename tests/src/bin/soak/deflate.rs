//! A WebSocket client that compresses: the handshake by hand, the rest with Weir's own codec, whose other end is tested against other
//! clients elsewhere.

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_codec::websocket::deflate::{Deflater, Inflater, Window};
use weir_codec::websocket::{Limits, Role};
use weir_codec::{Decoder, Event};
use weir_tests::PATIENCE;
use weir_tests::raw::{UPGRADE, masked};

/// A client with one message under way at a time.
#[derive(Debug)]
pub(crate) struct Compressing {
    stream: TcpStream,
    decoder: Decoder,
    deflater: Deflater,
    inflater: Inflater,
    read: Vec<u8>,
}

impl Compressing {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut read = Vec::new();
        let end = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(timeout(PATIENCE, stream.read_buf(&mut read)).await?? > 0, "no answer");
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        ensure!(head.starts_with("HTTP/1.1 101") && head.contains("permessage-deflate"), "{head}");
        let decoder = Decoder::deflate_websocket(Role::Client, Limits { message: 1 << 20, fragments: 16 });
        let read = read.split_off(end);
        Ok(Self { stream, decoder, deflater: Deflater::default(), inflater: Inflater::default(), read })
    }

    /// As text, compressed where that is worth it.
    pub(crate) async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        let frame = match self.deflater.deflate(Window::WIDEST, text.as_bytes()) {
            Some(deflated) => masked(0xc1, &deflated),
            None => masked(0x81, text.as_bytes()),
        };
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> anyhow::Result<Bytes> {
        loop {
            let mut pong = None;
            if !self.read.is_empty() {
                let decoded = self.decoder.decode(&mut self.read)?;
                let message = match decoded.event {
                    Some(Event::Message { payload, .. }) => Some(payload.into_bytes()),
                    Some(Event::Compressed(message)) => Some(self.inflater.inflate(&message)?.into_bytes()),
                    Some(Event::Ping(payload)) => {
                        pong = Some(masked(0x8a, &payload));
                        None
                    }
                    Some(Event::Close(close)) => bail!("closed: {close:?}"),
                    Some(Event::Pong(_)) | None => None,
                };
                let consumed = decoded.consumed;
                self.read.drain(..consumed);
                if let Some(payload) = message {
                    return Ok(payload);
                }
            }
            if let Some(pong) = pong {
                self.stream.write_all(&pong).await?;
            } else if self.read.is_empty() {
                let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read))
                    .await
                    .context("no message came")??;
                ensure!(read > 0, "the stream ended");
            }
        }
    }

    /// Ends in order.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.stream.write_all(&masked(0x88, &1000_u16.to_be_bytes())).await?;
        let mut rest = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await??;
        Ok(())
    }
}
