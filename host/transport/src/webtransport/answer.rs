//! Answers to requests.

use super::session::Session;
use super::{PATIENCE, code};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::time::timeout;
use weir_codec::http3::code as codes;
use weir_core::CloseReason;

/// A request's stream, which waits for its answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
}

impl Answer {
    /// Sends an answer that ends the exchange, and waits for a bounded time until the client has it.
    pub(super) async fn send(self, response: &[u8]) {
        let Self { mut send, mut recv } = self;
        // Whatever else the request has is of no use (RFC 9114, section 4.1.1). It fails only if nothing else comes.
        let _ = recv.stop(code(codes::NO_ERROR));
        let sent = async {
            if send.write_all(response).await.is_ok() && send.finish().is_ok() {
                let _ = send.stopped().await;
            }
        };
        // However it goes, it is over.
        let _ = timeout(PATIENCE, sent).await;
    }

    /// Sends an answer that begins a session.
    pub(super) async fn accept(mut self, response: &[u8]) -> Result<Session, CloseReason> {
        match timeout(PATIENCE, self.send.write_all(response)).await {
            Ok(Ok(())) => Ok(Session::new(VarInt::from(self.recv.id()).into_inner(), self.send, self.recv)),
            Ok(Err(_)) => Err(CloseReason::ClientReset),
            Err(_) => Err(CloseReason::UpgradeTimeout),
        }
    }
}

/// Ends a connection on which everything is said.
pub(super) fn goodbye(connection: &Connection, reason: &str) {
    connection.close(code(codes::NO_ERROR), reason.as_bytes());
}
