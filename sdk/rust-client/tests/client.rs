//! The client against a gateway that keeps to the protocol, and against one that does not.

mod common;

use common::gateway::{FakeGateway, Setup};
use common::proxy::CuttingProxy;
use common::{event, message, opened, until};
use std::time::Duration;
use weir_client::{Builder, Client, Error, Event, Message, SendError};

/// Both transports, each with its gateway.
async fn each(run: impl AsyncFn(FakeGateway, String)) {
    for websocket in [true, false] {
        let gateway = FakeGateway::start(Setup { websocket, ..Setup::default() }).await;
        let url = format!("{}://{}", if websocket { "ws" } else { "tcp" }, gateway.address);
        run(gateway, url).await;
    }
}

fn quick(url: &str) -> Builder {
    Client::builder(url).backoff(Duration::from_millis(10), Duration::from_millis(50))
}

#[tokio::test]
async fn a_conversation() {
    each(async |gateway, url| {
        let mut client = quick(&url).build().unwrap();
        client.send("early").await.unwrap();
        let first = opened(&mut client).await;
        assert!(first.resumable && !first.resumed && first.session.as_deref() == Some("s0"), "{first:?}");
        client.sender().send(Message::binary(&b"bytes"[..])).await.unwrap();
        assert_eq!(
            (message(&mut client).await, message(&mut client).await),
            ("early".into(), "bytes".into())
        );
        assert_eq!(client.resume_point().map(|point| point.received), Some(2));
        assert!(matches!(client.send("\0WSN bye").await, Err(SendError::Reserved)));
        assert!(matches!(client.send("x".repeat(2 << 20)).await, Err(SendError::TooLong(_))));
        client.send("last words").await.unwrap();
        let sender = client.sender();
        let Some(Event::Closed(closed)) = client.close().await else { panic!("the last event") };
        assert!(matches!(closed.cause, Error::Closed { code: 1000, .. }) && closed.unsent.is_empty());
        until("the goodbye", || gateway.state().sessions[0].over && gateway.state().connected() == 0).await;
        assert_eq!(gateway.state().sessions[0].received, ["early", "bytes", "last words"]);
        assert!(matches!(sender.send("late").await, Err(SendError::Closed)));
    })
    .await;
}

#[tokio::test]
async fn a_cut_connection_comes_back_with_its_session() {
    each(async |gateway, url| {
        let mut client = quick(&url).build().unwrap();
        opened(&mut client).await;
        client.send("1").await.unwrap();
        assert_eq!(message(&mut client).await, "1");
        gateway.state().cut();
        let Event::Reconnecting { attempt: 1, .. } = event(&mut client).await else { panic!("a loss") };
        until("the gateway knows", || gateway.state().connected() == 0 || gateway.state().controls.len() > 1)
            .await;
        gateway.state().send("while away");
        client.send("2").await.unwrap();
        let again = opened(&mut client).await;
        assert!(again.resumed && again.unconfirmed.is_empty() && again.lost == 0, "{again:?}");
        let mut got = [message(&mut client).await, message(&mut client).await];
        got.sort();
        assert_eq!(got, ["2", "while away"]);
        assert_eq!(gateway.state().sessions[0].received, ["1", "2"]);
        let hellos: Vec<_> =
            gateway.state().controls.iter().filter(|c| c.starts_with("hello")).cloned().collect();
        assert_eq!(hellos, ["hello 1", "hello 1 token=t1 received=1"]);
    })
    .await;
}

#[tokio::test]
async fn what_the_gateway_could_not_keep_is_told() {
    let gateway = FakeGateway::start(Setup { echo: false, ..Setup::default() }).await;
    let proxy = CuttingProxy::before(gateway.address).await;
    let mut client = quick(&format!("tcp://{}", proxy.address)).build().unwrap();
    opened(&mut client).await;
    proxy.silence(true);
    for message in ["a", "b", "c"] {
        gateway.state().send(message);
    }
    gateway.state().drop_kept(2);
    proxy.cut();
    proxy.silence(false);
    let again = opened(&mut client).await;
    assert_eq!((again.resumed, again.reason.as_deref(), again.missed), (false, Some("missed"), 2));
    assert_eq!(message(&mut client).await, "c");
    assert_eq!(client.resume_point().map(|point| point.received), Some(3));
}

#[tokio::test]
async fn a_session_that_is_gone_the_fate_of_messages_is_told_and_the_greeting_goes_first() {
    let gateway = FakeGateway::start(Setup { echo: false, ..Setup::default() }).await;
    let greeting = [Message::text("join")];
    let slow = Duration::from_secs(1);
    let builder = quick(&format!("tcp://{}", gateway.address)).greeting(greeting).reconnect_if(|_| true);
    let mut client = builder.backoff(slow, slow).build().unwrap();
    opened(&mut client).await;
    client.send("maybe").await.unwrap();
    until("both", || gateway.state().sessions[0].received.len() == 2).await;
    gateway.state().forget();
    gateway.state().cut();
    let Event::Reconnecting { .. } = event(&mut client).await else { panic!("a loss") };
    client.send("later").await.unwrap();
    let again = opened(&mut client).await;
    assert_eq!((again.resumed, again.reason.as_deref()), (false, Some("unknown")));
    assert_eq!(again.unconfirmed, ["join".into(), "maybe".into()]);
    until("the new session's", || gateway.state().sessions[1].received.len() == 2).await;
    assert_eq!(gateway.state().sessions[1].received, ["join", "later"]);
}

#[tokio::test]
async fn another_client_takes_the_session_over() {
    each(async |gateway, url| {
        let mut first = quick(&url).reconnect_if(|_| false).build().unwrap();
        opened(&mut first).await;
        first.send("1").await.unwrap();
        message(&mut first).await;
        let point = first.resume_point().unwrap().clone();
        assert!(!format!("{point:?}").contains(&point.token), "a secret");
        let mut second = quick(&url).token(point.token, point.received).build().unwrap();
        assert!(opened(&mut second).await.resumed);
        assert!(matches!(event(&mut first).await, Event::Closed(_)));
        second.send("2").await.unwrap();
        assert_eq!(message(&mut second).await, "2");
        assert_eq!(gateway.state().sessions[0].received, ["1", "2"]);
    })
    .await;
}

#[tokio::test]
async fn the_queue_has_bounds_and_pongs_make_room() {
    let gateway = FakeGateway::start(Setup { echo: false, ..Setup::default() }).await;
    let url = format!("tcp://{}", gateway.address);
    // Room for eight.
    let mut client = quick(&url).queue_bytes(8 * 65).build().unwrap();
    opened(&mut client).await;
    for _ in 0..40 {
        client.send("x").await.unwrap();
    }
    until("all", || gateway.state().sessions[0].received.len() == 40).await;
    drop(gateway);
    let nobody = quick(&url).queue_bytes(2 * 65).build().unwrap();
    nobody.try_send("a").unwrap();
    nobody.try_send("b").unwrap();
    let Err(SendError::Full(back)) = nobody.try_send("c") else { panic!("no room") };
    assert_eq!(back, "c".into());
    let Some(Event::Closed(closed)) = nobody.close().await else { panic!("the last event") };
    assert_eq!(closed.unsent, ["a".into(), "b".into()]);
}

#[tokio::test]
async fn messages_are_confirmed() {
    let gateway = FakeGateway::start(Setup { echo: false, ..Setup::default() }).await;
    let mut client = quick(&format!("tcp://{}", gateway.address)).build().unwrap();
    opened(&mut client).await;
    for _ in 0..33 {
        gateway.state().send("x");
    }
    for _ in 0..33 {
        message(&mut client).await;
    }
    until("by count, then by time", || gateway.state().sessions[0].kept.is_empty()).await;
    assert_eq!(gateway.state().controls.last().map(String::as_str), Some("ack 33"));
}

#[tokio::test]
async fn silence_is_noticed() {
    let gateway = FakeGateway::start(Setup { idle: 1, ..Setup::default() }).await;
    let proxy = CuttingProxy::before(gateway.address).await;
    let mut client = quick(&format!("tcp://{}", proxy.address)).build().unwrap();
    opened(&mut client).await;
    until("a ping", || gateway.state().controls.iter().any(|control| control.starts_with("ping"))).await;
    proxy.silence(true);
    client.send("into the void").await.unwrap();
    let Event::Reconnecting { cause: Error::Silent, .. } = event(&mut client).await else {
        panic!("silence")
    };
    proxy.silence(false);
    assert!(opened(&mut client).await.resumed);
    assert_eq!(message(&mut client).await, "into the void");
    assert_eq!(gateway.state().sessions[0].received, ["into the void"]);
}

#[tokio::test]
async fn a_gateway_without_resume() {
    let setup = Setup { websocket: true, resume: false, ..Setup::default() };
    let gateway = FakeGateway::start(setup.clone()).await;
    let mut client = quick(&format!("ws://{}", gateway.address)).build().unwrap();
    client.send("early").await.unwrap();
    let first = opened(&mut client).await;
    assert!(!first.resumable && client.resume_point().is_none());
    assert_eq!(message(&mut client).await, "early");
    gateway.state().cut();
    opened(&mut client).await;
    client.send("again").await.unwrap();
    assert_eq!(message(&mut client).await, "again");

    let echo = FakeGateway::start(Setup { websocket: false, ..setup }).await;
    let mut client = quick(&format!("tcp://{}", echo.address)).build().unwrap();
    let Event::Closed(closed) = event(&mut client).await else { panic!("the hello comes back") };
    assert!(matches!(closed.cause, Error::NotSpoken), "{:?}", closed.cause);
    let mut plain = quick(&format!("tcp://{}", echo.address)).resume(false).build().unwrap();
    assert!(!opened(&mut plain).await.resumable);
    plain.send("plain").await.unwrap();
    assert_eq!(message(&mut plain).await, "plain");
}

#[tokio::test]
async fn close_codes_decide_whether_it_comes_back() {
    let gateway = FakeGateway::start(Setup { websocket: true, ..Setup::default() }).await;
    let mut client = quick(&format!("ws://{}", gateway.address)).build().unwrap();
    opened(&mut client).await;
    gateway.state().end(1001, "gateway is going away; retry-after-ms=50");
    let Event::Reconnecting { delay, cause, .. } = event(&mut client).await else { panic!("a loss") };
    assert!(
        delay >= Duration::from_millis(50) && matches!(cause, Error::Closed { code: 1001, .. }),
        "{cause:?}"
    );
    assert_eq!(opened(&mut client).await.reason.as_deref(), Some("unknown"));
    gateway.state().end(1008, "sending too fast");
    let Event::Closed(closed) = event(&mut client).await else { panic!("the end") };
    assert_eq!(closed.cause.to_string(), "closed with code 1008: sending too fast");
    assert!(client.recv().await.is_none());
}

#[tokio::test]
async fn dropping_the_handle_leaves_the_session() {
    each(async |gateway, url| {
        let mut client = quick(&url).build().unwrap();
        opened(&mut client).await;
        drop(client);
        until("the connection is gone", || gateway.state().connected() == 0).await;
        assert!(!gateway.state().sessions[0].over);
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_takes_its_time_keeps_its_connection() {
    let gateway = FakeGateway::start(Setup { idle: 1, ..Setup::default() }).await;
    let mut client = quick(&format!("tcp://{}", gateway.address)).events(1).build().unwrap();
    opened(&mut client).await;
    for number in 0..10 {
        client.send(number.to_string()).await.unwrap();
    }
    // Nothing is taken; pings go out nevertheless, one after the other goes unanswered.
    let pings = || gateway.state().controls.iter().filter(|control| control.starts_with("ping")).count();
    until("pings without answers", || pings() >= 3).await;
    for number in 0..10 {
        assert_eq!(message(&mut client).await, number.to_string());
    }
}
