//! Messages over a byte stream, whatever made it.

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use weir_codec::{Decoder, Event, Kind, Wire, websocket};

/// A stream in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite {}
impl<T: AsyncRead + AsyncWrite> Stream for T {}

/// A conversation in messages.
pub(super) struct Talk {
    stream: Pin<Box<dyn Stream>>,
    wire: Wire,
    decoder: Decoder,
    /// What has been read and not yet decoded.
    read: BytesMut,
    under: Box<dyn Under>,
}

/// What is known later.
pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What is under a stream, where the stream alone is not the connection.
pub(super) trait Under {
    /// What the other side said when it ended the connection, if there is a way to say it. The stream may end first: this waits for the
    /// connection, a second at most.
    fn end(&self) -> Later<'_, Option<(u16, String)>>;
    /// Ends the connection, when the stream's end is not its end.
    fn close(&self) -> Later<'_, ()>;
}

/// A stream that is the connection.
pub(super) struct Nothing;

impl Under for Nothing {
    fn end(&self) -> Later<'_, Option<(u16, String)>> {
        Box::pin(std::future::ready(None))
    }

    fn close(&self) -> Later<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What the other side said.
pub(super) enum Said {
    Message(Bytes),
    /// With its code and reason, where the transport carries them.
    Closed(Option<(u16, String)>),
}

impl Talk {
    pub(super) fn new(
        stream: impl Stream + 'static,
        leftover: Bytes,
        wire: Wire,
        decoder: Decoder,
        under: impl Under + 'static,
    ) -> Self {
        Self { stream: Box::pin(stream), wire, decoder, read: leftover.into(), under: Box::new(under) }
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = BytesMut::new();
        let kind = if std::str::from_utf8(payload).is_ok() { Kind::Text } else { Kind::Binary };
        self.wire.encode(kind, payload, mask(), &mut frame).context("this framing cannot carry that line")?;
        self.write(&frame).await
    }

    /// The next message, or the end. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> anyhow::Result<Said> {
        loop {
            if let Some(said) = self.decode().await? {
                return Ok(said);
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) => return Ok(Said::Closed(self.under.end().await)),
                Ok(_) => {}
                // The transport's own word for the end is better than the stream's.
                Err(error) => match self.under.end().await {
                    None => return Err(error).context("the connection broke"),
                    said => return Ok(Said::Closed(said)),
                },
            }
        }
    }

    async fn decode(&mut self) -> anyhow::Result<Option<Said>> {
        while !self.read.is_empty() {
            let mut bytes = self.read.split();
            let decoded = self
                .decoder
                .decode(&mut bytes)
                .context("the other side broke the framing; is --framing right?")?;
            let consumed = decoded.consumed;
            let mut answer = BytesMut::new();
            let said = match decoded.event {
                Some(Event::Message { payload, .. }) => Some(Said::Message(payload.into_bytes())),
                Some(Event::Close(close)) => {
                    let (code, reason) = close.unwrap_or((1005, "".into()));
                    websocket::encode_close(Some((1000, "")), Some(mask()), &mut answer);
                    Some(Said::Closed(Some((code, reason.into()))))
                }
                Some(Event::Ping(payload)) => {
                    websocket::encode_pong(&payload, Some(mask()), &mut answer);
                    None
                }
                // Compression was not offered, so nothing comes compressed.
                Some(Event::Pong(_) | Event::Compressed(_)) | None => None,
            };
            self.read = bytes.split_off(consumed);
            if !answer.is_empty() {
                // The other side may be gone after its close.
                let _ = self.write(&answer).await;
            }
            if said.is_some() {
                return Ok(said);
            }
        }
        Ok(None)
    }

    /// Says goodbye, as far as the wire knows how.
    pub(super) async fn close(&mut self) {
        if matches!(self.wire, Wire::WebSocket { .. }) {
            let mut frame = BytesMut::new();
            websocket::encode_close(Some((1000, "")), Some(mask()), &mut frame);
            let _ = self.write(&frame).await;
        }
        let _ = self.stream.shutdown().await;
        self.under.close().await;
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await.context("the connection broke")?;
        self.stream.flush().await.context("the connection broke")
    }
}

/// A masking key (RFC 6455, section 5.3).
fn mask() -> [u8; 4] {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(()) as u32).to_ne_bytes()
}
