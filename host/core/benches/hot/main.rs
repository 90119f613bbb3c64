//! A message through a worker, from the bytes that were read to those that are written, with a transport that takes everything; and
//! what else a worker does often.

mod native;
mod world;

use native::{Has, Onlooker, chain};
use std::sync::Arc;
use weir_core::{Depth, Kind, Rate, Route, Says, SharedRate, When};
use weir_proof::hot::Case;
use world::{World, framed, websocket};

const CASES: &[Case] = &[
    Case { name: "echo: length u32be, 64 B, alone", of: 64, make: || echo(framed(), 1) },
    Case { name: "echo: length u32be, 64 B, 64 together", of: 64, make: || echo(framed(), 64) },
    Case { name: "echo: WebSocket, 64 B, alone", of: 64, make: || echo(websocket(), 1) },
    Case { name: "echo: WebSocket, 64 B, 64 together", of: 64, make: || echo(websocket(), 64) },
    Case { name: "echo: a native plugin that forwards", of: 64, make: one_plugin },
    Case { name: "echo: a plugin whose filter looks at kind and size", of: 64, make: filtered },
    Case { name: "echo: a plugin whose filter looks inside", of: 64, make: looked_into },
    Case { name: "echo: a rate of its own and a shared one", of: 64, make: rated },
    Case { name: "echo: somebody looks on, and wants nothing of it", of: 64, make: || looked_on(None) },
    Case {
        name: "echo: somebody looks on, 256 B of each",
        of: 64,
        make: || looked_on(Some(Depth { payload: 256, ..Depth::default() })),
    },
    Case { name: "cluster: 64 B there and back, alone", of: 64, make: || forward(1) },
    Case { name: "cluster: 64 B there and back, 64 together", of: 64, make: || forward(64) },
    Case { name: "another worker: 64 B to a group there, 64 together", of: 64, make: by_letter },
    Case {
        name: "group: one message of 64 B to 1,000 WebSocket sessions",
        of: 1_000,
        make: || group(World::many(websocket(), 1_000)),
    },
    Case {
        name: "group: the same to 500 TCP and 500 WebSocket sessions",
        of: 1_000,
        make: || group(World::mixed(500)),
    },
    Case { name: "heartbeats: 1,000 sessions asked, and their answers", of: 1_000, make: heartbeats },
    Case { name: "session: opened, one message, closed", of: 16, make: sessions },
];

fn boxed(mut world: World, together: usize) -> Box<dyn FnMut()> {
    let conn = world.open(0);
    Box::new(move || world.echo(conn, together))
}

fn echo(end: world::End, together: usize) -> Box<dyn FnMut()> {
    boxed(World::new(vec![(end, Route::Echo)]), together)
}

fn one_plugin() -> Box<dyn FnMut()> {
    boxed(World::echoing(framed()).with(|policy| policy.chain = chain(None)), 64)
}

fn filtered() -> Box<dyn FnMut()> {
    let when = When { kind: Some(Kind::Text), size: [0, 4096], ..When::default() };
    boxed(World::echoing(framed()).with(|policy| policy.chain = chain(Some(when))), 64)
}

fn looked_into() -> Box<dyn FnMut()> {
    let when = When { says: vec![Says(Arc::new(Has))], ..When::default() };
    boxed(World::echoing(framed()).with(|policy| policy.chain = chain(Some(when))), 64)
}

fn rated() -> Box<dyn FnMut()> {
    let world = World::echoing(framed()).with(|policy| {
        let rate = Rate { messages: 1 << 40, bytes: 0 };
        policy.limits.rate = rate;
        policy.limits.shared_rates = [SharedRate { attribute: "weir.peer".into(), rate }].into();
    });
    boxed(world, 64)
}

fn looked_on(depth: Option<Depth>) -> Box<dyn FnMut()> {
    let mut world = World::echoing(framed());
    world.worker.tap(Some(Box::new(Onlooker(depth))));
    boxed(world, 64)
}

fn forward(together: usize) -> Box<dyn FnMut()> {
    let mut world = World::forwarding();
    let conn = world.open(0);
    let upstream = world.upstream();
    Box::new(move || world.forward(conn, upstream, together))
}

fn by_letter() -> Box<dyn FnMut()> {
    let [mut here, mut there] = World::neighbours(&framed());
    let conn = here.open(0);
    there.open(0);
    Box::new(move || here.send(conn, &mut there))
}

fn group(mut world: World) -> Box<dyn FnMut()> {
    let conn = world.conns[0];
    Box::new(move || world.publish(conn))
}

fn heartbeats() -> Box<dyn FnMut()> {
    let mut world = World::many(websocket(), 1_000);
    Box::new(move || world.beat())
}

fn sessions() -> Box<dyn FnMut()> {
    let mut world = World::echoing(framed());
    Box::new(move || {
        for _ in 0..16 {
            let conn = world.open(0);
            world.echo(conn, 64);
            world.end(conn);
        }
    })
}

weir_proof::hot!(CASES);
