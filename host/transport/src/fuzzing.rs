//! Entry points for fuzzers, and for the unit tests that run them on the committed corpora.

use crate::resume::Tokens;
use crate::upgrade::{Rules, upgrade};
use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use weir_core::{SessionId, Time, Tokens as _};

/// A client that has sent everything, which comes in reads of these lengths, and that takes every answer.
#[derive(Debug)]
struct Client {
    stream: Vec<u8>,
    at: usize,
    cuts: [u8; 4],
    turn: usize,
    /// Bytes of the answer.
    answered: usize,
}

impl AsyncRead for Client {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let length = usize::from(this.cuts[this.turn % 4]).max(1);
        let length = length.min(this.stream.len() - this.at).min(into.remaining());
        into.put_slice(&this.stream[this.at..this.at + length]);
        this.at += length;
        this.turn += 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().answered += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What became of a request: what plugins see of it, whether compression and a hello were agreed to, and what stands behind it.
type Outcome = Option<(Vec<(Box<str>, Box<str>)>, bool, bool, Vec<u8>)>;

/// Any bytes as the request of a client that wants a WebSocket, through hyper and the rules of a listener: let in or not, however it was
/// cut into reads; what stands behind the request is not lost.
pub fn request(data: &[u8]) {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));
    let Some((cuts, stream)) = data.split_first_chunk::<4>() else { return };
    let subprotocols = ["v2".to_owned(), "v1".to_owned()];
    let rules = Rules::new("/ws", None, &subprotocols, true).resumable(true);
    let outcome = |cuts: [u8; 4]| -> Outcome {
        let client = Client { stream: stream.to_vec(), at: 0, cuts, turn: 0, answered: 0 };
        RUNTIME.block_on(async {
            let upgraded = upgrade(client, &rules, Duration::from_hours(1), || None).await.ok()?;
            let mut behind = upgraded.leftover.to_vec();
            let mut client = upgraded.stream;
            assert!(client.answered > 0, "who is let in is told so");
            client.read_to_end(&mut behind).await.expect("memory");
            Some((upgraded.request, upgraded.deflate.is_some(), upgraded.hello, behind))
        })
    };
    let whole = outcome([255; 4]);
    assert_eq!(outcome(*cuts), whole, "in parts");
    if let Some((request, ..)) = &whole {
        assert!(request[0].0 == ":path".into() && request.len() <= 65);
    }
}

/// Any text as a token: nobody's, unless this process made it.
pub fn token(data: &[u8]) {
    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| Tokens::new().expect("random numbers"));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = Time(1_000_000);
    assert!(TOKENS.verify(text, now).is_err(), "forged");
    // And none of its own with a part of this in it.
    let session = SessionId::from_raw(7);
    let good = TOKENS.issue(session, Time(u64::MAX / 2));
    assert_eq!(TOKENS.verify(&good, now), Ok(session));
    let at = data.len() % good.len();
    if good.is_char_boundary(at) {
        let mut forged = good.clone();
        let end = (at + text.len()).min(good.len());
        forged.replace_range(at..end, text);
        assert!(forged == good || TOKENS.verify(&forged, now).is_err(), "forged: {forged}");
    }
}

/// Any bytes as a datagram from an address that has not shown that it is a client's: it is counted for who it is, and lets nothing go
/// that does not wait.
pub fn long_header(data: &[u8]) {
    crate::quic::received(data);
}

#[cfg(test)]
mod tests {
    fn corpus(name: &str, changed: usize, target: fn(&[u8])) {
        weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), name, changed, target);
    }

    #[test]
    fn requests_hold_on_their_corpus() {
        corpus("request", 5_000, super::request);
    }

    #[test]
    fn tokens_hold_on_their_corpus() {
        corpus("token", 10_000, super::token);
    }

    #[test]
    fn long_headers_hold_on_their_corpus() {
        corpus("long_header", 10_000, super::long_header);
    }
}
