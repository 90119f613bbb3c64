//! The access record: which lines there are, and what is in them.

use serde_json::Value;
use weir_tests::Gateway;
use weir_tests::certificate::Authority;
use weir_tests::client::{Client, over_quic, u32be};

/// A session over each transport, from its opening to its end; the records by message.
async fn records(access: &str) -> (Vec<Value>, Vec<Value>) {
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let listener = |name: &str, protocol: &str, tls: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"{protocol}\"\nroute = \"echo\"\n{tls}"
        )
    };
    let config = format!(
        "[admin]\nbind = \"127.0.0.1:0\"\n{access}\n{}{}{}{}",
        listener("plain", "tcp", ""),
        listener("ws", "websocket", ""),
        listener("wss", "websocket", tls),
        listener("quic", "quic", tls)
    );
    let authority = Authority::default();
    let mut gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    let at = |name: &str| gateway.address(name);
    let trusting = || authority.client(false);
    for mut client in [
        Client::tcp(at("plain"), u32be()).await.unwrap(),
        Client::websocket(at("ws"), "/").await.unwrap(),
        Client::wss(at("wss"), "/", trusting()).await.unwrap(),
        Client::quic_trusting(at("quic"), over_quic(trusting())).await.unwrap(),
    ] {
        client.send(b"hello").await.unwrap();
        assert_eq!(client.message().await.unwrap(), "hello");
        client.close().await.unwrap();
    }
    gateway.settle("all gone", |metrics| metrics.sum("sessions", &[]) == 0);
    // So that the log is whole.
    gateway.signal("INT");
    gateway.wait();
    let of = |message: &str| -> Vec<Value> {
        gateway.log().into_iter().filter(|line| line["message"] == message).collect()
    };
    (of("session opened"), of("session closed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_has_a_record_when_it_opens_and_one_when_it_ends() {
    for access in ["", "[log]\naccess = \"both\""] {
        let (opened, closed) = records(access).await;
        assert_eq!((opened.len(), closed.len()), (4, 4), "{access}");
        let expected = [
            ("plain", "tcp", false),
            ("ws", "websocket", false),
            ("wss", "websocket", true),
            ("quic", "quic", true),
        ];
        for ((line, end), (listener, transport, tls)) in opened.iter().zip(&closed).zip(expected) {
            assert_eq!(
                (&line["listener"], &line["transport"]),
                (&listener.into(), &transport.into()),
                "{line}"
            );
            assert_eq!((&line["tls"], line["sni"] == "localhost"), (&tls.into(), tls), "{line}");
            for line in [line, end] {
                assert_eq!(
                    (&line["target"], &line["level"]),
                    (&"weir::access".into(), &"INFO".into()),
                    "{line}"
                );
            }
            assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
            assert_eq!((&line["session"], &line["peer"]), (&end["session"], &end["peer"]), "{line} {end}");
            assert_eq!((&end["inbound"], &end["outbound"]), (&1.into(), &1.into()), "{end}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_records_are_written_where_fewer_are_wanted() {
    let (opened, closed) = records("[log]\naccess = \"close\"").await;
    assert_eq!((opened.len(), closed.len()), (0, 4));
    let (opened, closed) = records("[log]\naccess = \"off\"").await;
    assert_eq!((opened.len(), closed.len()), (0, 0));
}
