//! One group over all transports; workers that share a port; what a taken port says.

mod support;

use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use support::quic::connect;
use support::{Entrance, Gateway, expect, frame, run};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use weir_core::{Kind, Limits, ListenerId};
use weir_transport::{BindError, ListenerSpec, Protocol, bind};

const EACH: usize = 20;

type Socket = WebSocketStream<TcpStream>;

async fn hear(streams: &mut [TcpStream], sockets: &mut [Socket], message: [u8; 2]) {
    for stream in streams {
        expect(stream, &frame(&message)).await;
    }
    for socket in sockets {
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(message.to_vec()));
    }
}

#[test]
fn a_group_hears_everybody_on_all_transports() {
    run(async {
        let gateway = Gateway::start(vec![
            Entrance::u32be().in_group("lobby"),
            Entrance::websocket().in_group("lobby"),
            Entrance::quic().in_group("lobby"),
        ]);
        let mut streams = Vec::new();
        let mut sockets = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..EACH {
            streams.push(TcpStream::connect(gateway.address(0)).await.unwrap());
            let stream = TcpStream::connect(gateway.address(1)).await.unwrap();
            sockets.push(client_async("ws://localhost/ws", stream).await.unwrap().0);
            let (endpoint, connection) = connect(&gateway, 2).await;
            let (send, recv) = connection.open_bi().await.unwrap();
            connections.push((send, recv, connection, endpoint));
        }
        gateway.sessions(3 * EACH as u64).await;
        for round in 0..10_u8 {
            streams[0].write_all(&frame(&[round, 0])).await.unwrap();
            hear(&mut streams, &mut sockets, [round, 0]).await;
            sockets[3].send(Message::binary(vec![round, 1])).await.unwrap();
            hear(&mut streams, &mut sockets, [round, 1]).await;
            // A stream is there for the gateway when something was written on it: until then what is for it waits.
            for (at, (send, ..)) in connections.iter_mut().enumerate() {
                if round == 0 || at == 5 {
                    send.write_all(&frame(&[round, 2])).await.unwrap();
                    hear(&mut streams, &mut sockets, [round, 2]).await;
                }
            }
            let expected = if round == 0 {
                [[0, 0], [0, 1]].into_iter().chain([[0, 2]; EACH]).collect()
            } else {
                vec![[round, 0], [round, 1], [round, 2]]
            };
            for (_, recv, ..) in &mut connections {
                for message in &expected {
                    let mut read = [0; 6];
                    recv.read_exact(&mut read).await.unwrap();
                    assert_eq!(read[..], frame(message));
                }
            }
        }
        drop((streams, sockets));
        for (_, _, connection, _) in &connections {
            connection.close(quinn::VarInt::from_u32(0), b"");
        }
        let sent = 10 + 10 + EACH as u64 + 9;
        assert_eq!(gateway.settled().await, (sent, sent * 3 * EACH as u64));
    });
}

fn spec(address: &str) -> ListenerSpec {
    ListenerSpec {
        id: ListenerId(0),
        name: "devices".into(),
        bind: address.parse().unwrap(),
        protocol: Protocol::Tcp {
            framing: Arc::new(weir_codec::Framing::Line { max: 100 }),
            kind: Kind::Text,
        },
        tls: None,
        limits: Limits::default(),
        accept_rate: 0,
        resume: None,
        records_opens: true,
    }
}

#[test]
fn workers_share_a_port_and_another_gateway_does_not() {
    let (listeners, shares) = bind(vec![spec("127.0.0.1:0")], 4, &Arc::default()).unwrap();
    assert_eq!(shares.len(), 4);
    let taken = listeners.addresses()[0].1;
    assert_ne!(taken.port(), 0);
    for workers in [1, 2] {
        let error = bind(vec![spec(&taken.to_string())], workers, &Arc::default()).unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }));
        let text =
            format!("listener \"devices\": {taken} is in use; stop what listens there, or change `bind`");
        assert_eq!(error.to_string(), text);
    }
    drop(shares);
    bind(vec![spec(&taken.to_string())], 2, &Arc::default()).unwrap();

    let quic = |address: &str| ListenerSpec {
        protocol: Protocol::Quic { kind: Kind::Binary },
        tls: Some(weir_transport::tls::self_signed().unwrap().config),
        ..spec(address)
    };
    let (listeners, _shares) = bind(vec![quic("127.0.0.1:0")], 3, &Arc::default()).unwrap();
    let taken = listeners.addresses()[0].1.to_string();
    for workers in [1, 2] {
        assert!(matches!(bind(vec![quic(&taken)], workers, &Arc::default()), Err(BindError::InUse { .. })));
    }
    let open = ListenerSpec { tls: None, ..quic("127.0.0.1:0") };
    assert!(matches!(bind(vec![open], 1, &Arc::default()), Err(BindError::NoCertificate { .. })));
}
