//! WebSocket.

use super::Incoming;
use super::stream::Stream;
use crate::options::Options;
use crate::{Error, Kind, Message, control};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Utf8Bytes};

type Socket = WebSocketStream<Box<dyn Stream>>;

pub(crate) struct Reader(SplitStream<Socket>);
pub(crate) struct Writer(SplitSink<Socket, tungstenite::Message>);

/// The halves, and the subprotocol that the gateway chose.
pub(crate) async fn upgrade(
    stream: Box<dyn Stream>,
    options: &Options,
    offer: bool,
) -> Result<(Reader, Writer, Option<String>), Error> {
    let failed = |error| Error::Handshake(Box::new(error));
    let mut request = (&options.address.uri).into_client_request().map_err(failed)?;
    for (name, value) in &options.headers {
        request.headers_mut().append(name, value.clone());
    }
    let own = options.settings.subprotocols.iter().map(String::as_str);
    let offered: Vec<&str> = offer.then_some(control::PROTOCOL).into_iter().chain(own).collect();
    if !offered.is_empty() {
        let value = HeaderValue::from_str(&offered.join(", "));
        let value = value.map_err(|error| failed(tungstenite::Error::HttpFormat(error.into())))?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .max_message_size(Some(options.settings.max_message))
        .max_frame_size(Some(options.settings.max_message));
    let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    let (socket, response) = upgraded.map_err(failed)?;
    let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let chosen = chosen.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (sink, stream) = socket.split();
    Ok((Reader(stream), Writer(sink), chosen))
}

impl Reader {
    /// What comes next. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Incoming, Error> {
        loop {
            return match self.0.next().await {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    Ok(Incoming::Message(Message::from_text_bytes(text.into())))
                }
                Some(Ok(tungstenite::Message::Binary(bytes))) => {
                    Ok(Incoming::Message(Message::binary(bytes)))
                }
                Some(Ok(tungstenite::Message::Close(frame))) => Ok(Incoming::Closed(closed(frame))),
                Some(Ok(_)) => continue,
                Some(Err(tungstenite::Error::Io(error))) => Err(Error::Lost(error)),
                Some(Err(tungstenite::Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                )))
                | None => Err(Error::broken("the gateway ended it without a close")),
                Some(Err(error)) => Err(Error::Protocol(error.to_string())),
            };
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> Error {
    let (code, reason) =
        frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
    Error::Closed { code, reason }
}

impl Writer {
    pub(crate) async fn feed(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        let message = match message.kind() {
            Kind::Text => tungstenite::Message::Text(Utf8Bytes::try_from(message.into_payload())?),
            Kind::Binary => tungstenite::Message::Binary(message.into_payload()),
        };
        self.0.feed(message).await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), tungstenite::Error> {
        self.0.flush().await
    }

    pub(crate) async fn end(&mut self) -> Result<(), tungstenite::Error> {
        let frame = CloseFrame { code: 1000.into(), reason: "".into() };
        self.0.send(tungstenite::Message::Close(Some(frame))).await
    }
}
