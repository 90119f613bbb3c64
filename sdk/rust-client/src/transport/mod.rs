//! Connections: from a URL to messages in both directions.

mod address;
mod framed;
mod stream;
mod tls;
mod websocket;

pub(crate) use address::Address;
pub(crate) use tls::of_system;

use crate::options::Options;
use crate::{Error, Message, control};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stream::{Counted, Stream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

/// What arrives.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    /// The other side closes, and says why: the last that arrives.
    Closed(Error),
}

/// What goes out.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Message),
    Control(String),
    /// The end, in order: the last that goes out.
    End,
}

/// A connection over which messages can go.
pub(crate) struct Link {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// The subprotocol that was chosen.
    pub(crate) subprotocol: Option<String>,
    /// Whether the gateway is to be told hello.
    pub(crate) speaks: bool,
    pub(crate) taken: Taken,
}

/// How many bytes the other side has taken.
pub(crate) struct Taken(Arc<AtomicU64>);

impl Taken {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) enum Reader {
    WebSocket(Box<websocket::Reader>),
    Framed(framed::Reader),
}

pub(crate) enum Writer {
    WebSocket(Box<websocket::Writer>),
    Framed(framed::Writer),
}

impl Reader {
    /// What comes next. May be dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Incoming, Error> {
        match self {
            Self::WebSocket(reader) => reader.next().await,
            Self::Framed(reader) => Ok(Incoming::Message(reader.next().await?)),
        }
    }
}

impl Writer {
    /// Writes what comes in, as much at once as there is, until the end. An error is told to nobody: the reader finds the
    /// connection broken as well, and may find first what the other side said before.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Outgoing>) -> Result<(), Error> {
        while let Some(first) = queue.recv().await {
            let mut next = Some(first);
            while let Some(outgoing) = next {
                if matches!(outgoing, Outgoing::End) {
                    return self.end().await;
                }
                self.feed(outgoing).await?;
                next = queue.try_recv().ok();
            }
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes one control message.
    pub(crate) async fn say(&mut self, control: String) -> Result<(), Error> {
        self.feed(Outgoing::Control(control)).await?;
        self.flush().await
    }

    async fn feed(&mut self, outgoing: Outgoing) -> Result<(), Error> {
        let message = match outgoing {
            Outgoing::Message(message) => message,
            Outgoing::Control(text) => Message::text(text),
            Outgoing::End => return Ok(()),
        };
        match self {
            Self::WebSocket(writer) => writer.feed(message).await.map_err(lost),
            Self::Framed(writer) => writer.feed(message.payload()).await.map_err(Error::Lost),
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::WebSocket(writer) => writer.flush().await.map_err(lost),
            Self::Framed(writer) => writer.flush().await.map_err(Error::Lost),
        }
    }

    async fn end(&mut self) -> Result<(), Error> {
        match self {
            Self::WebSocket(writer) => writer.end().await.map_err(lost),
            Self::Framed(writer) => writer.end().await.map_err(Error::Lost),
        }
    }
}

fn lost(error: tokio_tungstenite::tungstenite::Error) -> Error {
    Error::Lost(match error {
        tokio_tungstenite::tungstenite::Error::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// Connects. `offer`: whether to offer `weir.v1`, where that can be offered.
pub(crate) async fn dial(options: &Options, offer: bool) -> Result<Link, Error> {
    let address = &options.address;
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(Error::Connect)?;
    tcp.set_nodelay(true).map_err(Error::Connect)?;
    let (counted, taken) = Counted::new(tcp);
    let stream: Box<dyn Stream> = match &options.tls {
        None => Box::new(counted),
        Some((config, name)) => {
            let connecting = TlsConnector::from(Arc::clone(config)).connect(name.clone(), counted);
            Box::new(connecting.await.map_err(Error::Connect)?)
        }
    };
    let taken = Taken(taken);
    if !address.websocket {
        let (reader, writer) = framed::split(stream, options.settings.max_message);
        let (reader, writer) = (Reader::Framed(reader), Writer::Framed(writer));
        return Ok(Link { reader, writer, subprotocol: None, speaks: options.settings.resume, taken });
    }
    let (reader, writer, subprotocol) = websocket::upgrade(stream, options, offer).await?;
    let (reader, writer) = (Reader::WebSocket(Box::new(reader)), Writer::WebSocket(Box::new(writer)));
    let speaks = subprotocol.as_deref() == Some(control::PROTOCOL);
    Ok(Link { reader, writer, subprotocol, speaks, taken })
}
