//! Every capability, as a plugin uses it.

use crate::guests::guest;
use crate::rig::{Plugin, RUNTIME, SESSION, instance, message, seat, spec, store};
use bytes::Bytes;
use std::sync::Arc;
use weir_core::{
    Attributes, Call, Direction, Effect, Forwarding, Kind, Program as _, Rejection, SessionId, SessionInfo,
    Target, TlsInfo, Transport, Verdict,
};
use weir_plugin::{PluginLimits, Value};

fn plugin() -> Plugin {
    instance("capabilities", PluginLimits::default())
}

#[test]
fn attributes_are_read_and_a_call_sees_what_it_set() {
    let mut plugin = plugin();
    let attributes: Attributes = Arc::new(
        [("user", "ada"), ("weir.peer", "::1")].map(|(name, value)| (name.into(), value.into())).into(),
    );
    plugin.call.session = Some((SESSION, attributes));
    assert_eq!(
        plugin.reply("attr.get user\nattr.get weir.peer\nattr.set user eve\nattr.get user\nattr.remove user\nattr.get user\nattr.of 99 user"),
        "ada\n::1\nok\neve\nok\n-\n-"
    );
    let set = |value: Option<&str>| Effect::SetAttribute {
        session: SESSION,
        name: "user".into(),
        value: value.map(Into::into),
    };
    assert_eq!(plugin.call.effects, [set(Some("eve")), set(None)]);
    // Lent for the call and given back.
    assert!(plugin.call.session.is_some());
}

#[test]
fn effects_come_out_in_order() {
    let mut plugin = plugin();
    plugin.say("join room\nsend group:room hello\nsend session:5 you\nsend cluster:back up\nsend echo me\nrelease 5 9\nleave room\nevery 20").unwrap();
    let send = |to, text: &'static str| Effect::Send {
        to,
        kind: Kind::Text,
        payload: Bytes::from_static(text.as_bytes()),
    };
    assert_eq!(
        plugin.call.effects,
        [
            Effect::Join { session: SESSION, group: "room".into() },
            send(Target::Group("room".into()), "hello"),
            send(Target::Session(SessionId::from_raw(5)), "you"),
            send(Target::Cluster("back".into()), "up"),
            send(Target::Echo, "me"),
            Effect::Release {
                session: SessionId::from_raw(5),
                direction: Direction::Inbound,
                sequence: 9,
                verdict: Verdict::Forward(Forwarding::default()),
            },
            Effect::Leave { session: SESSION, group: "room".into() },
            Effect::Every { milliseconds: 20 },
        ]
    );
}

#[test]
fn verdicts_are_what_was_said() {
    let mut plugin = plugin();
    assert_eq!(plugin.say("drop spam"), Ok(Verdict::Drop("spam".into())));
    assert_eq!(plugin.say("drop spam"), Ok(Verdict::Drop("spam".into())));
    assert_eq!(plugin.generation.store().drop_reasons().read(), [("spam".into(), 2)]);
    assert_eq!(plugin.say("close 4001 bye"), Ok(Verdict::Close(Rejection::new(4001, "bye"))));
    assert_eq!(plugin.say("hold 250"), Ok(Verdict::Hold(250)));
    assert_eq!(plugin.say("hold 4294967295"), Ok(Verdict::Hold(3_600_000)), "an hour at most");
    let route = Some(Target::Group("room".into()));
    assert_eq!(plugin.say("route group:room"), Ok(Verdict::Forward(Forwarding { payload: None, route })));
    assert!(plugin.call.nanoseconds > 0);
}

#[test]
fn sessions_open_close_and_are_refused() {
    let mut plugin = plugin();
    let info = |path: &str| SessionInfo {
        id: SESSION,
        listener: "chat".into(),
        transport: Transport::WebSocket,
        peer: "203.0.113.9:40112".into(),
        tls: Some(TlsInfo { sni: Some("chat.example".into()), ..TlsInfo::default() }),
        request: vec![(":path".into(), path.into())],
    };
    assert_eq!(plugin.instance.open(&info("/ws"), &mut plugin.call), Ok(Ok(())));
    let Some(Effect::SetAttribute { value: Some(value), .. }) = plugin.call.effects.pop() else { panic!() };
    assert_eq!(&*value, "chat 203.0.113.9:40112 chat.example [(\":path\", \"/ws\")]");
    let refused = plugin.instance.open(&info("/forbidden"), &mut plugin.call).unwrap();
    assert_eq!(refused, Err(Rejection::new(4003, "forbidden")));
    plugin.call.effects.clear();
    plugin.instance.close(SESSION, &Rejection::new(1000, "done"), &mut plugin.call).unwrap();
    let Some(Effect::SetAttribute { value: Some(value), .. }) = plugin.call.effects.pop() else { panic!() };
    assert_eq!(&*value, "1000 done");
}

#[test]
fn a_timer_call_has_no_session() {
    let mut plugin = plugin();
    plugin.instance.timer(&mut Call::default()).unwrap();
    let read = plugin.generation.store().metrics().read();
    assert_eq!((&*read[0].name, &read[0].value), ("ticks", &Value::Count(1)));
}

#[test]
fn kv_does_what_the_contract_says() {
    let mut plugin = plugin();
    assert_eq!(
        plugin.reply("kv.get a\nkv.set a 1\nkv.get a\nkv.add a 41\nkv.add n -2\nkv.cas a 42 x\nkv.cas a 42 y\nkv.cas new - z\nkv.delete a\nkv.delete a"),
        "-\nok\n1\n42\n-2\ntrue\nfalse\ntrue\ntrue\nfalse"
    );
    assert_eq!(plugin.reply("kv.set t 1 0\nkv.get t"), "ok\n-");
    // What was written stays when the call traps later.
    assert!(plugin.say("kv.set kept 1\nkv.set word x\nkv.add word 1").is_err());
    plugin.renew();
    assert_eq!(plugin.reply("kv.get kept"), "1");
}

#[test]
fn kv_is_one_for_all_workers_and_atomic() {
    const EACH: usize = 2_000;
    let store = store();
    let generation = RUNTIME.prepare(&guest("capabilities"), &spec("capabilities"), &store).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let generation = &generation;
            scope.spawn(move || {
                let mut instance = generation.instantiate(&seat(worker), &mut Vec::new()).unwrap();
                for _ in 0..EACH {
                    let mut call = Call { session: Some((SESSION, Arc::default())), ..Call::default() };
                    instance.message(&message(Kind::Text, b"kv.add hits 1"), &mut call).unwrap();
                }
            });
        }
    });
    assert_eq!(store.kv().get("hits", 0).unwrap(), (4 * EACH).to_string().into_bytes());
}

#[test]
fn clocks_random_groups_and_metrics_answer() {
    let mut plugin = plugin();
    let now: u64 = plugin.reply("now").parse().unwrap();
    assert!(now > 1_700_000_000_000);
    let first: u64 = plugin.reply("monotonic").parse().unwrap();
    let second: u64 = plugin.reply("monotonic").parse().unwrap();
    assert!(second >= first);
    assert_eq!(plugin.reply("random 32\nmembers nobody"), "32\n0");
    plugin.say("count hits 2\ngauge depth 1.5\nobserve size 10\ncount depth 1").unwrap();
    let read = plugin.generation.store().metrics().read();
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].value, Value::Gauge(1.5));
    assert_eq!(plugin.generation.store().metrics().refused(), 1);
}
