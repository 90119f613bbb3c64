//! WebTransport listeners: who is let in, streams as lanes, ends. The client is web-transport-proto on quinn.

mod support;

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig, VarInt};
use std::time::Duration;
use support::quic::client;
use support::{Entrance, Gateway, frame, run, until};
use url::Url;
use web_transport_proto::{
    Capsule, ConnectError, ConnectRequest, ConnectResponse, Http3CapsuleReader, Settings,
};
use weir_core::CloseReason;

const DRAIN: u64 = 0x78ae;

/// A connection that has said its settings.
struct Client {
    endpoint: Endpoint,
    connection: Connection,
    control: SendStream,
    theirs: RecvStream,
}

/// One that has a session.
struct Session {
    client: Client,
    request: SendStream,
    answer: Http3CapsuleReader<RecvStream>,
}

impl Client {
    async fn connect(gateway: &Gateway) -> Self {
        let endpoint = client(b"h3", TransportConfig::default());
        let connection = endpoint.connect(gateway.address(0), "localhost").unwrap().await.unwrap();
        let mut control = connection.open_uni().await.unwrap();
        let mut settings = Settings::default();
        settings.enable_webtransport(1);
        settings.write(&mut control).await.unwrap();
        let mut theirs = connection.accept_uni().await.unwrap();
        assert_eq!(Settings::read(&mut theirs).await.unwrap().supports_webtransport(), 1);
        Self { endpoint, connection, control, theirs }
    }

    async fn ask(&self, path: &str) -> (SendStream, RecvStream, Result<ConnectResponse, ConnectError>) {
        let (mut send, mut recv) = self.connection.open_bi().await.unwrap();
        let url: Url = format!("https://localhost{path}").parse().unwrap();
        ConnectRequest::new(url).write(&mut send).await.unwrap();
        let response = ConnectResponse::read(&mut recv).await;
        (send, recv, response)
    }

    async fn session(gateway: &Gateway) -> Session {
        let client = Self::connect(gateway).await;
        let (request, answer, response) = client.ask("/wt?token=1").await;
        response.unwrap();
        Session { client, request, answer: Http3CapsuleReader::new(answer) }
    }

    async fn closed(&self) -> u64 {
        let ConnectionError::ApplicationClosed(close) = self.connection.closed().await else { panic!() };
        close.error_code.into_inner()
    }
}

impl Session {
    async fn stream(&self) -> (SendStream, RecvStream) {
        let (mut send, recv) = self.client.connection.open_bi().await.unwrap();
        send.write_all(&[0x40, 0x41, 0]).await.unwrap();
        (send, recv)
    }

    /// The capsules up to the end: whether it was drained, and the code and reason.
    async fn end(&mut self) -> (bool, u32, String) {
        let mut drained = false;
        loop {
            match self.answer.read().await.unwrap() {
                Some(Capsule::CloseWebTransportSession { code, reason }) => {
                    assert!(self.answer.read().await.unwrap().is_none(), "nothing follows");
                    return (drained, code, reason);
                }
                Some(Capsule::Unknown { typ, .. }) if typ.into_inner() == DRAIN => drained = true,
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn expect(stream: &mut RecvStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).await.unwrap();
    assert!(read == bytes);
}

fn status(response: Result<ConnectResponse, ConnectError>) -> u16 {
    match response {
        Ok(response) => response.status.as_u16(),
        Err(ConnectError::WrongStatus(Some(status))) => status.as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn each_stream_is_a_lane_and_datagrams_are_messages() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::webtransport()]);
        let session = Client::session(&gateway).await;
        let mut streams = Vec::new();
        for at in 0..16_u8 {
            let (mut send, recv) = session.stream().await;
            send.write_all(&frame(&[at; 3])[..5]).await.unwrap();
            streams.push((at, send, recv));
        }
        for (at, send, recv) in &mut streams {
            send.write_all(&frame(&[*at; 3])[5..]).await.unwrap();
            expect(recv, &frame(&[*at; 3])).await;
        }
        let large = frame(&vec![3; 1 << 20]);
        let (_, send, recv) = &mut streams[7];
        let (sent, ()) = tokio::join!(send.write_all(&large), expect(recv, &large));
        sent.unwrap();
        let connection = &session.client.connection;
        // Another session's is nobody's.
        connection.send_datagram(b"\x04lost"[..].into()).unwrap();
        connection.send_datagram(b"\x00ping"[..].into()).unwrap();
        assert_eq!(connection.read_datagram().await.unwrap(), b"\x00ping"[..]);
        let mut request = session.request;
        let mut capsule = Vec::new();
        Capsule::CloseWebTransportSession { code: 4000, reason: "bye".into() }.encode(&mut capsule);
        request.write_all(&[&[0, capsule.len() as u8], &capsule[..]].concat()).await.unwrap();
        request.finish().unwrap();
        assert_eq!(session.client.closed().await, 0x100);
        assert_eq!(gateway.settled().await, (18, 18));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
    });
}

#[test]
fn streams_that_are_there_before_their_session_wait_for_it() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::webtransport()]);
        let client = Client::connect(&gateway).await;
        // The first stream's id is the session's, but its request comes last.
        let (mut request, _answer) = client.connection.open_bi().await.unwrap();
        let (mut send, mut recv) = client.connection.open_bi().await.unwrap();
        send.write_all(&[&[0x40, 0x41, 0], &frame(b"early")[..]].concat()).await.unwrap();
        // Of a session that will never be.
        let (mut stray, _stray) = client.connection.open_bi().await.unwrap();
        stray.write_all(&[0x40, 0x41, 8, 1]).await.unwrap();
        client.connection.send_datagram(b"\x00early"[..].into()).unwrap();
        let url: Url = "https://localhost/wt".parse().unwrap();
        ConnectRequest::new(url).write(&mut request).await.unwrap();
        expect(&mut recv, &frame(b"early")).await;
        assert_eq!(client.connection.read_datagram().await.unwrap(), b"\x00early"[..]);
        assert_eq!(stray.stopped().await.unwrap(), Some(VarInt::from_u32(0x3994_bd84)));
        client.connection.close(VarInt::from_u32(0x100), b"");
        assert_eq!(gateway.settled().await, (2, 2));
        assert_eq!(gateway.closed(0, CloseReason::Client), 1);
    });
}

#[test]
fn a_drain_is_said_before_the_end_and_what_waits_is_delivered() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::webtransport()]);
        let mut session = Client::session(&gateway).await;
        let (mut send, mut recv) = session.stream().await;
        let batch: Vec<u8> = (0..200).flat_map(|_| frame(&[2; 500])).collect();
        send.write_all(&batch).await.unwrap();
        let inbound = &gateway.stats.listeners[0].inbound;
        until("received", || inbound.received.value() == 200).await;
        // Long before its turn to be closed has come.
        gateway.local.with(|worker| worker.drain(Duration::from_mins(10), Duration::ZERO));
        let drained = session.answer.read().await.unwrap();
        assert!(
            matches!(drained, Some(Capsule::Unknown { typ, .. }) if typ.into_inner() == DRAIN),
            "{drained:?}"
        );
        // GOAWAY, of the highest stream that there can be.
        expect(&mut session.client.theirs, &[7, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc]).await;
        expect(&mut recv, &batch).await;
        send.write_all(&frame(b"still here")).await.unwrap();
        expect(&mut recv, &frame(b"still here")).await;
        gateway.local.with(|worker| worker.drain(Duration::ZERO, Duration::ZERO));
        assert_eq!(session.end().await, (false, 1001, "gateway is going away".to_owned()));
        assert_eq!(session.client.closed().await, 0x100);
        assert_eq!(gateway.settled().await, (201, 201));
        assert_eq!(gateway.closed(0, CloseReason::Shutdown), 1);
        gateway.serving.idle().await;
    });
}

#[test]
fn who_is_not_let_in_gets_an_answer() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::webtransport().with(|limits| limits.connections = 1)]);
        let refused = Client::connect(&gateway).await;
        assert_eq!(status(refused.ask("/elsewhere").await.2), 404);
        assert_eq!(refused.closed().await, 0x100);
        until("protocol", || gateway.closed(0, CloseReason::Protocol) == 1).await;
        let session = Client::session(&gateway).await;
        assert_eq!(status(session.client.ask("/wt").await.2), 429);
        let full = Client::connect(&gateway).await;
        assert_eq!(status(full.ask("/wt").await.2), 503);
        assert_eq!(gateway.closed(0, CloseReason::TooManyConnections), 1);
        // The first goes on.
        let (mut send, mut recv) = session.stream().await;
        send.write_all(&frame(b"x")).await.unwrap();
        expect(&mut recv, &frame(b"x")).await;
        session.client.connection.close(VarInt::from_u32(0x100), b"");
        gateway.settled().await;

        let late = Client::connect(&gateway).await;
        gateway.overload.set_refusing(true);
        assert_eq!(status(late.ask("/wt").await.2), 503);
        until("overload", || gateway.closed(0, CloseReason::Overload) == 1).await;
        let endpoint = client(b"h3", TransportConfig::default());
        assert!(endpoint.connect(gateway.address(0), "localhost").unwrap().await.is_err());
        let endpoint = client(b"weir/1", TransportConfig::default());
        gateway.overload.set_refusing(false);
        assert!(endpoint.connect(gateway.address(0), "localhost").unwrap().await.is_err());
    });
}

#[test]
fn who_breaks_a_rule_is_told_which_by_the_code() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::webtransport()]);
        // A second SETTINGS.
        let mut session = Client::session(&gateway).await;
        session.client.control.write_all(&[4, 0]).await.unwrap();
        assert_eq!(session.client.closed().await, 0x105);
        // Trailers behind CONNECT.
        let mut session = Client::session(&gateway).await;
        session.request.write_all(&[1, 0]).await.unwrap();
        assert_eq!(session.client.closed().await, 0x105);
        // A datagram without the number of its session.
        let session = Client::session(&gateway).await;
        session.client.connection.send_datagram(b"\xff"[..].into()).unwrap();
        assert_eq!(session.client.closed().await, 0x33);
        // An id that no session can have, before there is one.
        let client = Client::connect(&gateway).await;
        let (mut send, _recv) = client.connection.open_bi().await.unwrap();
        send.write_all(&[0x40, 0x41, 1]).await.unwrap();
        assert_eq!(client.closed().await, 0x108);
        // A message beyond the limit is the session's fault, not HTTP's.
        let mut session = Client::session(&gateway).await;
        let (mut send, _recv) = session.stream().await;
        send.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
        let (drained, code, _) = session.end().await;
        assert_eq!((drained, code), (false, 1009));
        assert_eq!(session.client.closed().await, 0x100);
        gateway.settled().await;
        assert_eq!(gateway.closed(0, CloseReason::Protocol), 4);
        assert_eq!(gateway.closed(0, CloseReason::MessageTooLong), 1);
    });
}

#[test]
fn who_asks_for_nothing_has_so_much_time() {
    run(async {
        let hasty = |limits: &mut weir_core::Limits| limits.upgrade_timeout = Duration::from_millis(300);
        let gateway = Gateway::start(vec![Entrance::webtransport().with(hasty)]);
        let endpoint = client(b"h3", TransportConfig::default());
        let connection = endpoint.connect(gateway.address(0), "localhost").unwrap().await.unwrap();
        let ConnectionError::ApplicationClosed(close) = connection.closed().await else { panic!() };
        assert_eq!(close.error_code, VarInt::from_u32(0x10c));
        until("upgrade timeout", || gateway.closed(0, CloseReason::UpgradeTimeout) == 1).await;
    });
}

#[test]
fn streams_of_one_direction_are_not_wanted_and_a_reset_is_no_goodbye() {
    run(async {
        let gateway = Gateway::start(vec![Entrance::webtransport()]);
        let mut session = Client::session(&gateway).await;
        let mut one_way = session.client.connection.open_uni().await.unwrap();
        one_way.write_all(&[0x40, 0x54, 0]).await.unwrap();
        assert_eq!(one_way.stopped().await.unwrap(), Some(VarInt::from_u64(0x52e4_a40f_a8db).unwrap()));
        gateway.sessions(1).await;
        session.request.reset(VarInt::from_u32(0x10c)).unwrap();
        until("reset", || gateway.closed(0, CloseReason::ClientReset) == 1).await;
        gateway.settled().await;
    });
}

#[test]
fn who_vanishes_is_noticed() {
    run(async {
        let gateway = Gateway::start(vec![
            Entrance::webtransport().with(|limits| limits.idle_timeout = Duration::from_secs(1)),
        ]);
        let session = Client::session(&gateway).await;
        gateway.sessions(1).await;
        // Its packets go nowhere.
        let nowhere = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        session.client.endpoint.rebind(nowhere).unwrap();
        until("idle", || gateway.closed(0, CloseReason::IdleTimeout) == 1).await;
        gateway.settled().await;
    });
}
