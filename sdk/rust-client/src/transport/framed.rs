//! Framed TCP: a length of 32 bits, most significant byte first, then the payload (docs/wire-formats.md, `u32be`).

use super::stream::Stream;
use crate::{Error, Message};
use bytes::{Buf, BytesMut};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

const HEAD: usize = 4;
/// Written at once at the most, as long as there is more.
const BATCH: usize = 64 << 10;

pub(crate) struct Reader {
    stream: ReadHalf<Box<dyn Stream>>,
    buffer: BytesMut,
    max: usize,
}

pub(crate) struct Writer {
    stream: WriteHalf<Box<dyn Stream>>,
    buffer: BytesMut,
}

pub(crate) fn split(stream: Box<dyn Stream>, max: usize) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(stream);
    (Reader { stream: read, buffer: BytesMut::new(), max }, Writer { stream: write, buffer: BytesMut::new() })
}

impl Reader {
    /// The next message. May be dropped while it waits: what has arrived stays.
    pub(crate) async fn next(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await.map_err(Error::Lost)? == 0 {
                return Err(Error::broken("the gateway ended it"));
            }
        }
    }

    fn take(&mut self) -> Result<Option<Message>, Error> {
        let Some(head) = self.buffer.first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.max {
            // Nothing is set aside for it.
            return Err(Error::Protocol(format!("a frame of {length} bytes, more than `max_message`")));
        }
        if self.buffer.len() < HEAD + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        Ok(Some(Message::binary(self.buffer.split_to(length).freeze())))
    }
}

impl Writer {
    /// Takes a payload of less than 4 GiB.
    pub(crate) async fn feed(&mut self, payload: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        self.buffer.extend_from_slice(payload);
        if self.buffer.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.buffer).await?;
        self.stream.flush().await
    }

    pub(crate) async fn end(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reading(bytes: &'static [u8]) -> Result<Message, Error> {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(bytes).await.unwrap();
        drop(far);
        split(Box::new(near), 8).0.next().await
    }

    #[tokio::test]
    async fn frames() {
        assert_eq!(reading(b"\0\0\0\x02hirest").await.unwrap(), Message::binary(&b"hi"[..]));
        assert_eq!(reading(b"\0\0\0\0").await.unwrap(), Message::binary(&b""[..]));
        assert!(matches!(reading(b"\0\0\0\x02h").await, Err(Error::Lost(_))));
        assert!(matches!(reading(b"\0\0\0\x09").await, Err(Error::Protocol(_))), "without waiting for it");
    }
}
