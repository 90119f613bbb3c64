use crate::{
    Answer, Body, Bounds, Close, Direction, Effect, Fate, Gap, Header, Kind, Limits, Line, Message, Open,
    Plugin, ReadError, Reader, Redaction, Session, Target, Tls, Told, Verdict, Why, Writer,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ENDLESS: Bounds = Bounds { bytes: u64::MAX, messages: u64::MAX };

fn header() -> Header {
    Header {
        version: crate::VERSION,
        weir: "0.1.0".into(),
        began: 1_732_222_097_123_456,
        monotonic: 5000,
        listener: "chat".into(),
        join: vec!["lobby".into()],
        plugins: vec![Plugin {
            name: "wordfilter".into(),
            generation: 3,
            sha256: "00".repeat(32),
            directions: vec![Direction::Inbound],
            on_failure: "closed".into(),
            config: Some(serde_json::json!({ "words": ["darn"] })),
            grants: vec!["kv".into()],
            limits: Limits {
                deadline_us: 10_000,
                setup_deadline_us: 250_000,
                memory: 16 << 20,
                table_elements: 100_000,
                max_output: 256 << 10,
                max_effects: 64,
            },
        }],
        redaction: Redaction::default(),
    }
}

fn message(sequence: u64, payload: &str, verdicts: Vec<Verdict>) -> Message {
    Message {
        at: 1_732_222_097_200_000 + sequence,
        worker: 1,
        order: sequence * 2,
        session: Session(0x1_0100_0003),
        direction: Direction::Inbound,
        sequence,
        kind: Kind::Text,
        payload: Body::new(payload.into()),
        verdicts,
        fate: Fate::Routed(Target::Group("lobby".into())),
    }
}

fn verdict(answer: Answer, effects: Vec<Effect>) -> Verdict {
    Verdict {
        plugin: "wordfilter".into(),
        generation: 3,
        order: 7,
        at: None,
        released: false,
        answer,
        effects,
        attributes: BTreeMap::new(),
        ns: 4200,
    }
}

fn written(lines: &[Line], bounds: Bounds) -> String {
    let mut writer = Writer::new(Vec::new(), bounds);
    let mut why = None;
    for line in lines {
        why = writer.write(line).unwrap();
        if why.is_some() {
            break;
        }
    }
    String::from_utf8(writer.end(9, why.unwrap_or(Why::Time), 0).unwrap()).unwrap()
}

fn first() -> Line {
    Line::Recording(Box::new(header()))
}

fn read(file: &[u8]) -> (Vec<Line>, bool) {
    let (header, mut reader) = Reader::begin(file).unwrap();
    let mut lines = vec![Line::Recording(Box::new(header))];
    while let Some(line) = reader.read().unwrap() {
        lines.push(line);
    }
    (lines, reader.is_cut())
}

fn refusal(file: &[u8]) -> String {
    match Reader::begin(file).map(|_| ()) {
        Err(error) => error.to_string(),
        Ok(()) => panic!("it was read"),
    }
}

#[test]
fn a_line_is_what_the_page_shows() {
    let changed = Answer::Forward { payload: Some(Body::new(b"**** \xff".to_vec())), to: Some(Target::Echo) };
    let effect = Effect::Join { session: Session(0x1_0100_0003), group: "loud".into() };
    let mut line = message(1, "darn it", vec![verdict(changed, vec![effect])]);
    line.verdicts[0].attributes =
        BTreeMap::from([("mood".into(), Some("bad".into())), ("gone".into(), None)]);
    let shown = serde_json::to_string(&Line::message(line.clone())).unwrap();
    assert_eq!(
        shown,
        r#"{"type":"message","at":1732222097200001,"worker":1,"order":2,"session":"101000003","direction":"inbound","#
            .to_owned()
            + r#""sequence":1,"kind":"text","payload":{"text":"darn it","size":7},"#
            + r#""verdicts":[{"plugin":"wordfilter","generation":3,"order":7,"verdict":"forward","#
            + r#""payload":{"base64":"KioqKiD/","size":6},"to":"echo","#
            + r#""effects":[{"effect":"join","session":"101000003","group":"loud"}],"#
            + r#""attributes":{"gone":null,"mood":"bad"},"ns":4200}],"fate":{"routed":{"group":"lobby"}}}"#
    );
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recording-format.md"));
    assert!(page.unwrap().contains(&shown), "docs/recording-format.md does not show this line:\n{shown}");
}

#[test]
fn a_file_that_was_cut_gives_what_is_whole() {
    let lines = [first(), Line::message(message(1, "a", vec![])), Line::message(message(2, "b", vec![]))];
    let file = written(&lines, ENDLESS);
    let (all, cut) = read(file.as_bytes());
    assert!(!cut && all[..3] == lines && matches!(all[3], Line::End(_)));
    for length in file.find('\n').unwrap() + 1..file.len() {
        let (some, cut) = read(&file.as_bytes()[..length]);
        let whole = file[..length].matches('\n').count();
        assert!(cut && some == all[..whole], "cut at {length}");
    }
}

#[test]
fn what_is_no_recording_is_told_apart() {
    assert!(matches!(Reader::begin(&b""[..]), Err(ReadError::Empty)));
    for foreign in
        ["\n", "{}\n", "[1]\n", "\0asm", "{\"type\":\"recording\"}\n", "{\"type\":\"end\",\"version\":1}\n"]
    {
        assert!(refusal(foreign.as_bytes()).contains("not a recording"), "{foreign:?}");
    }
    let newer = refusal(b"{\"type\":\"recording\",\"version\":2,\"weir\":\"9.1.0\",\"more\":[]}\n");
    assert!(newer.contains("format 2") && newer.contains("weir 9.1.0 or newer"), "{newer}");
    let broken = written(&[first()], ENDLESS).replace("\"end\"", "\"message\"");
    let (_, mut reader) = Reader::begin(broken.as_bytes()).unwrap();
    let error = reader.read().unwrap_err().to_string();
    assert!(error.starts_with("line 2 "), "{error}");
}

#[test]
fn what_a_later_gateway_adds_is_passed_over() {
    let file = written(&[first()], ENDLESS);
    let (head, end) = file.split_once('\n').unwrap();
    let more = head.replacen('{', "{\"moon\":{\"phase\":1},", 1);
    let file = format!("{more}\n{{\"type\":\"weather\",\"rain\":true}}\n{end}");
    let (lines, cut) = read(file.as_bytes());
    assert!(!cut && lines.len() == 2 && lines[0] == first());
}

#[test]
fn a_line_that_is_too_long_is_no_reason_to_take_memory() {
    let file = format!("{}{}", written(&[first()], ENDLESS), "x".repeat(1 << 20));
    let longest = 1 << 14;
    let (_, mut reader) = Reader::within(file.as_bytes(), longest).unwrap();
    reader.read().unwrap();
    assert!(reader.read().unwrap_err().to_string().contains("longer than"));
}

#[test]
fn bounds_hold_to_the_byte() {
    let lines: Vec<_> =
        std::iter::once(first()).chain((1..100).map(|n| Line::message(message(n, "text", vec![])))).collect();
    let unbounded = written(&lines, ENDLESS).len() as u64;
    for bytes in [1500, 5000, 5001, 5002, unbounded - 1] {
        let file = written(&lines, Bounds { bytes, messages: 1000 });
        assert!(file.len() as u64 <= bytes && file.contains("\"why\":\"bytes\""), "{bytes}: {}", file.len());
        assert!(file.len() as u64 + 600 > bytes, "{bytes}: {} is far from it", file.len());
    }
    let file = written(&lines, Bounds { bytes: u64::MAX, messages: 7 });
    assert_eq!(file.matches("\"type\":\"message\"").count(), 7);
    assert!(file.ends_with("\"why\":\"messages\",\"messages\":7,\"lost\":0}\n"), "{file}");
}

#[test]
fn gaps_add_up() {
    let gap = |lost| Line::Gap(Gap { at: 1, lost, why: "buffer".into() });
    let mut writer = Writer::new(Vec::new(), ENDLESS);
    for line in [first(), gap(3), gap(4)] {
        assert!(writer.write(&line).unwrap().is_none());
    }
    let file = String::from_utf8(writer.end(2, Why::Stopped, 5).unwrap()).unwrap();
    assert!(file.ends_with("\"lost\":12}\n"), "{file}");
}

fn redacting(pointers: &[&str]) -> Redaction {
    let pointers = pointers.iter().map(|pointer| pointer.parse().unwrap()).collect();
    Redaction { pointers, ..Redaction::default() }
}

fn cleaned(redaction: &Redaction, line: Line) -> String {
    let mut line = line;
    redaction.clean(&mut line);
    let once = line.clone();
    redaction.clean(&mut line);
    assert_eq!(once, line, "what is redacted stays as it is");
    serde_json::to_string(&line).unwrap()
}

#[test]
fn a_secret_is_nowhere_in_the_line() {
    let to = || Target::Group("of hunter2".into());
    let session = Session(1);
    let send = |text: &str| Effect::Send { to: to(), kind: Kind::Text, payload: Body::new(text.into()) };
    let forward = |text: &str| Answer::Forward { payload: Some(Body::new(text.into())), to: Some(to()) };
    let mut line = message(
        1,
        r#"{"user":{"name":"ann","password":"hunter2","password":"hunter2-too"},"text":"hello"}"#,
        vec![
            verdict(
                forward(r#"{"user":{"password":"hunter2"},"text":"hello","length":5}"#),
                vec![
                    send(r#"{"text":"new login with hunter2"}"#),
                    send("hunter2 is no JSON"),
                    send(r#"{"text":"fine"}"#),
                    Effect::Join { session, group: "hunter2".into() },
                    Effect::Attribute { session, name: "pw".into(), value: Some("hunter2".into()) },
                    Effect::Release {
                        session,
                        direction: Direction::Inbound,
                        sequence: 1,
                        answer: forward("hunter2"),
                    },
                ],
            ),
            verdict(Answer::Drop { reason: "said hunter2".into() }, vec![]),
            verdict(Answer::Close { code: 1008, reason: "hunter2 again".into() }, vec![]),
        ],
    );
    line.verdicts[0].attributes = BTreeMap::from([("pw".into(), Some("hunter2".into()))]);
    line.fate = Fate::Routed(to());
    let shown = cleaned(&redacting(&["/user/password"]), Line::message(line.clone()));
    assert!(!shown.contains("hunter2"), "{shown}");
    // What is no secret is there, as it was written.
    assert!(shown.contains(r#"\"name\":\"ann\""#) && shown.contains(r#"\"text\":\"fine\""#), "{shown}");
    assert!(shown.contains(r#"\"length\":5"#), "{shown}");
    let shown = cleaned(&Redaction { payloads: false, ..Redaction::default() }, Line::message(line.clone()));
    for part in ["ann", "hello", "fine", "again", "is no JSON", "length"] {
        assert!(!shown.contains(part), "{part} is in {shown}");
    }
    let size = line.payload.size();
    assert!(shown.contains(&format!("\"payload\":{{\"size\":{size}}}")), "{shown}");
    // Nothing asked for, nothing taken.
    assert_eq!(
        cleaned(&Redaction::default(), Line::message(line.clone())),
        serde_json::to_string(&Line::message(line)).unwrap()
    );
}

#[test]
fn what_cannot_be_looked_into_is_left_out_when_something_is_redacted() {
    for payload in ["hunter2", "{\"password\":\"hunter2\"", ""] {
        let shown = cleaned(&redacting(&["/password"]), Line::message(message(1, payload, vec![])));
        assert!(shown.contains(&format!("\"payload\":{{\"size\":{}}}", payload.len())), "{shown}");
    }
}

#[test]
fn credentials_are_in_no_recording_that_does_not_ask_for_them() {
    let mut open = Open {
        at: 1,
        worker: 0,
        order: 1,
        session: Session(9),
        before: false,
        transport: "websocket".into(),
        peer: "203.0.113.9:40112".into(),
        tls: Some(Tls { sni: Some("a.example".into()), ..Tls::default() }),
        request: vec![
            (":path".into(), "/chat?token=hunter2".into()),
            ("Authorization".into(), "Bearer hunter2".into()),
            ("host".into(), "a.example".into()),
        ],
        attributes: BTreeMap::from([
            ("weir.path".into(), "/chat?token=hunter2".into()),
            ("user".into(), "ann".into()),
        ]),
    };
    let shown = cleaned(&Redaction::default(), Line::Open(Box::new(open.clone())));
    assert!(
        !shown.contains("hunter2") && shown.contains("/chat?[redacted]") && shown.contains("ann"),
        "{shown}"
    );
    let shown = cleaned(&redacting(&["/x"]), Line::Open(Box::new(open.clone())));
    assert!(!shown.contains("ann") && shown.contains("a.example"), "{shown}");
    let keeping = Redaction { attributes: vec!["user".into()], ..redacting(&["/x"]) };
    assert!(cleaned(&keeping, Line::Open(Box::new(open.clone()))).contains("ann"));
    open.before = true;
    let shown = cleaned(&Redaction { credentials: true, ..Redaction::default() }, Line::Open(Box::new(open)));
    assert!(shown.contains("Bearer hunter2") && shown.contains("\"before\":true"), "{shown}");
}

#[test]
fn pointers_are_checked() {
    for good in ["/a", "/a/0/b", "/*/x", "/a~1b/~0", "/"] {
        assert!(good.parse::<crate::Pointer>().is_ok(), "{good}");
    }
    let tokens = ["a/b".to_owned(), "~".to_owned(), "*".to_owned()];
    assert_eq!(String::from(crate::Pointer::of(&tokens).unwrap()), "/a~1b/~0/*");
    assert!(crate::Pointer::of(&[]).is_err());
    for bad in ["", "a", "a/b", "/a~2", "/~", &"/x".repeat(33)] {
        assert!(bad.parse::<crate::Pointer>().is_err(), "{bad}");
    }
}

#[test]
fn reading_holds_on_its_corpus() {
    weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), "read", 5_000, crate::fuzzing::read);
}

#[test]
fn what_is_redacted_holds_on_its_corpus() {
    weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), "redact", 10_000, crate::fuzzing::redact);
}

prop_compose! {
    fn a_body()(bytes in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), size in 0_u64..100) -> Body {
        bytes.map_or_else(|| Body::left_out(size), Body::new)
    }
}

fn a_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Echo),
        any::<u64>().prop_map(|id| Target::Session(Session(id))),
        any::<String>().prop_map(Target::Group),
        any::<String>().prop_map(Target::Cluster),
    ]
}

fn an_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (prop::option::of(a_body()), prop::option::of(a_target()))
            .prop_map(|(payload, to)| Answer::Forward { payload, to }),
        any::<String>().prop_map(|reason| Answer::Drop { reason }),
        any::<(u16, String)>().prop_map(|(code, reason)| Answer::Close { code, reason }),
        any::<u32>().prop_map(|milliseconds| Answer::Hold { milliseconds }),
        any::<String>().prop_map(|cause| Answer::Failed { cause }),
    ]
}

fn an_effect() -> impl Strategy<Value = Effect> {
    let session = || any::<u64>().prop_map(Session);
    prop_oneof![
        (a_target(), a_body()).prop_map(|(to, payload)| Effect::Send { to, kind: Kind::Binary, payload }),
        (session(), any::<u64>(), an_answer()).prop_map(|(session, sequence, answer)| Effect::Release {
            session,
            direction: Direction::Outbound,
            sequence,
            answer,
        }),
        (session(), any::<String>()).prop_map(|(session, group)| Effect::Leave { session, group }),
        (session(), any::<String>(), any::<Option<String>>())
            .prop_map(|(session, name, value)| Effect::Attribute { session, name, value }),
        any::<u32>().prop_map(|milliseconds| Effect::Every { milliseconds }),
    ]
}

prop_compose! {
    fn a_verdict()(
        answer in an_answer(),
        effects in prop::collection::vec(an_effect(), 0..3),
        (order, at, released, ns) in any::<(u64, Option<u64>, bool, u64)>(),
        attributes in prop::collection::btree_map(any::<String>(), any::<Option<String>>(), 0..3),
    ) -> Verdict {
        Verdict { order, at, released, attributes, ns, ..verdict(answer, effects) }
    }
}

prop_compose! {
    fn a_line()(
        payload in a_body(),
        sequence in 1_u64..1 << 40,
        verdicts in prop::collection::vec(a_verdict(), 0..3),
        close in any::<Option<(u64, String)>>(),
        told in any::<bool>(),
    ) -> Line {
        match close {
            Some((at, reason)) => {
                Line::Close(Close { at, worker: 2, order: 1, session: Session(at), code: 1000, reason })
            }
            None if told => {
                let other = || verdict(Answer::Hold { milliseconds: 1 }, vec![]);
                let verdict = verdicts.into_iter().next().unwrap_or_else(other);
                Line::Told(Box::new(Told { worker: 1, session: Session(sequence), verdict }))
            }
            None => Line::message(Message { payload, ..message(sequence, "", verdicts) }),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(lines in prop::collection::vec(a_line(), 0..10), cut in 0.0..1.0) {
        let mut all = vec![first()];
        all.extend(lines);
        let file = written(&all, ENDLESS);
        let (back, was_cut) = read(file.as_bytes());
        prop_assert!(!was_cut);
        prop_assert_eq!(&back[..all.len()], &all[..]);
        let at = (file.len() as f64 * cut) as usize;
        let whole = file.as_bytes()[..at].split(|byte| *byte == b'\n').count() - 1;
        if whole > 0 {
            prop_assert_eq!(&read(&file.as_bytes()[..at]).0[..], &back[..whole]);
        }
    }

    #[test]
    fn redacting_twice_is_redacting_once(line in a_line(), payload in "\\{\"a\":(\"[a-z]{0,5}\"|[0-9]{1,4}|\\[\"x\",\"abc\"\\])\\}") {
        let mut line = line;
        if let Line::Message(message) = &mut line {
            message.payload = Body::new(payload.into_bytes());
        }
        cleaned(&redacting(&["/a"]), line);
    }

    #[test]
    fn any_bytes_are_read_without_harm(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut file = written(&[first()], ENDLESS).into_bytes();
        file.extend(&data);
        crate::fuzzing::read(&file);
        crate::fuzzing::read(&data);
    }
}
