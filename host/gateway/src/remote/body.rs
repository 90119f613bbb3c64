//! Bodies of answers.

use anyhow::{Context, bail};
use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use std::future::poll_fn;
use std::pin::Pin;

/// The longest line, in bytes: more than any gateway writes, of the longest messages and all that was made of them.
const LONGEST: usize = 1 << 30;

/// The lines of an answer, as they come.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    read: BytesMut,
}

impl Lines {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, read: BytesMut::new() }
    }

    /// The next line, without its end; `None`: there is no other.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.read[looked..].iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(looked + at).freeze();
                self.read.advance(1);
                return Ok(Some(line));
            }
            looked = self.read.len();
            if looked > LONGEST {
                bail!("a line of the gateway has more than {LONGEST} bytes");
            }
            match chunk(&mut self.body).await? {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// A body of at most so many bytes.
pub(super) async fn whole(mut body: Incoming, most: usize) -> anyhow::Result<BytesMut> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunk(&mut body).await? {
        if whole.len() + chunk.len() > most {
            bail!("the gateway's answer has more than {most} bytes");
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

async fn chunk(body: &mut Incoming) -> anyhow::Result<Option<Bytes>> {
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let Some(frame) = frame.transpose().context("the connection to the gateway broke")? else {
            return Ok(None);
        };
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}
