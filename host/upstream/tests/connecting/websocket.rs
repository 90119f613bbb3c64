//! WebSocket, against a server of other people's making and against servers that lie.

use crate::servers::{answering, ask, cluster, next, request, serve, websocket};
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{accept_async, accept_hdr_async};
use weir_codec::Kind;
use weir_codec::websocket::Role;
use weir_upstream::{Cause, Cluster, ConnectError, Protocol, Refusal, Step};

async fn refused(answer: &'static [u8]) -> ConnectError {
    let cluster = cluster(websocket("/ws"), [answering(answer).await]);
    let error = cluster.connect(1).await.unwrap_err();
    assert_eq!(error.step(), Step::Upgrade);
    assert!(!error.to_string().contains('\n'), "{error}");
    assert_eq!(cluster.stats().next().unwrap().failures, 1);
    error
}

#[tokio::test]
async fn a_message_goes_there_and_back() {
    let address = serve(|tcp| async move {
        let mut socket = accept_async(tcp).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            socket.send(message).await.unwrap();
        }
    })
    .await;
    let cluster = cluster(websocket("/"), [address]);
    assert_eq!(cluster.wire(), weir_codec::Wire::WebSocket { role: Role::Client });
    let mut connected = cluster.connect(1).await.unwrap();
    assert_eq!(ask(&mut connected, Kind::Text, "hello").await, "hello");
    assert_eq!(ask(&mut connected, Kind::Binary, &"long".repeat(9_000)).await, "long".repeat(9_000));
}

#[tokio::test]
async fn the_server_sees_what_is_configured_and_a_key_of_its_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let address = serve(move |tcp| {
        let keep = Arc::clone(&keep);
        async move {
            #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
            let look = |request: &Request, mut response: Response| {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                let [host, offered, key] =
                    ["host", "sec-websocket-protocol", "sec-websocket-key"].map(header);
                keep.lock().unwrap().push((request.uri().to_string(), host, offered, key));
                response.headers_mut().insert("sec-websocket-protocol", "chat.v1".parse().unwrap());
                Ok(response)
            };
            let mut socket = accept_hdr_async(tcp, look).await.unwrap();
            socket.next().await;
        }
    })
    .await;
    let mut spec = crate::servers::spec(websocket("/ws?room=1"), [address]);
    let Protocol::WebSocket { host, subprotocols, .. } = &mut spec.protocol else { unreachable!() };
    *host = Some("chat.example".to_owned());
    *subprotocols = vec!["chat.v2".to_owned(), "chat.v1".to_owned()];
    let cluster = Cluster::new(spec).unwrap();
    let _both = (cluster.connect(1).await.unwrap(), cluster.connect(2).await.unwrap());
    let seen = seen.lock().unwrap();
    for (path, host, offered, key) in &*seen {
        assert_eq!((&**path, &**host, &**offered), ("/ws?room=1", "chat.example", "chat.v2, chat.v1"));
        assert!(weir_codec::websocket::is_key(key.as_bytes()), "{key}");
    }
    assert_ne!(seen[0].3, seen[1].3);
}

#[tokio::test]
async fn what_comes_with_the_answer_is_not_lost() {
    let address = answering(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: {accept}\r\n\r\n\x81\x05hello",
    )
    .await;
    let mut connected = cluster(websocket("/"), [address]).connect(1).await.unwrap();
    assert_eq!(next(&mut connected).await, "hello");
}

#[tokio::test]
async fn a_wrong_accept_key_is_refused() {
    let error = refused(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )
    .await;
    let Cause::Upgrade(Refusal::Header { name, .. }) = error.cause() else { panic!("{error}") };
    assert_eq!(*name, "Sec-WebSocket-Accept");
}

#[tokio::test]
async fn another_status_is_refused_with_what_to_do() {
    let error = refused(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert!(
        error
            .to_string()
            .ends_with("upgrade: the server answered 404 Not Found; check the cluster's path and host"),
        "{error}"
    );
    let error = refused(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: wss://b.example/\r\n\r\n").await;
    assert!(
        error.to_string().contains("redirects (307) to wss://b.example/; set the cluster's endpoint"),
        "{error}"
    );
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let address = serve(|mut tcp| async move {
        request(&mut tcp).await;
        tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\nX-Endless: ").await.unwrap();
        while tcp.write_all(&[b'x'; 1_024]).await.is_ok() {}
    })
    .await;
    let error = cluster(websocket("/"), [address]).connect(1).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Upgrade(Refusal::HeadTooLong { limit: 16_384 })), "{error}");
}

#[tokio::test]
async fn a_server_that_leaves_without_an_answer_is_named() {
    let address = serve(|mut tcp| async move {
        request(&mut tcp).await;
    })
    .await;
    let error = cluster(websocket("/"), [address]).connect(1).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Upgrade(Refusal::Closed)), "{error}");
}

#[tokio::test]
async fn one_that_refuses_the_upgrade_is_replaced() {
    let not_found = answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
    let good = serve(|tcp| async move {
        accept_async(tcp).await.unwrap().next().await;
    })
    .await;
    let connected = cluster(websocket("/"), [not_found, good]).connect(1).await.unwrap();
    assert_eq!(connected.peer, good);
}
