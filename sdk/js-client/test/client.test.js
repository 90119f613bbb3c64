// The client against a gateway that keeps to the protocol, and against one that does not.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { WeirClient } from "../index.js";
import { CuttingProxy } from "./cutting_proxy.js";
import { FakeGateway } from "./fake_gateway.js";
import { WebSocket } from "./peers.js";
import { until } from "./until.js";

const QUICK = { WebSocket, backoff: { base: 10, max: 50 } };

const clients = new Set();

/** A client whose events are listed. */
function watch(url, options) {
  const client = new WeirClient(url, { ...QUICK, ...options });
  clients.add(client);
  const events = [];
  for (const name of ["open", "message", "reconnecting", "close", "error"]) {
    client.on(name, (event) => events.push({ name, ...event }));
  }
  const of = (name) => events.filter((event) => event.name === name);
  const is = (state) => until(`the client is ${state}`, () => client.state === state);
  const opens = (count) => until(`${count} opens`, () => of("open").length >= count && client.state === "open");
  return { client, events, of, is, opens, got: () => of("message").map(({ data }) => data) };
}

/** Runs with a gateway, and stops it and all clients whatever happens. */
async function withGateway(options, run) {
  const gateway = await FakeGateway.start(options);
  try {
    await run(gateway);
  } finally {
    for (const client of clients) client.close();
    clients.clear();
    await gateway.stop();
  }
}

test("a conversation: hello, messages of both kinds, bye", () =>
  withGateway({}, async (gateway) => {
    const { client, of, opens, got } = watch(gateway.url);
    assert.equal(client.state, "connecting");
    assert.ok(client.send("early"));
    await opens(1);
    const [open] = of("open");
    assert.deepEqual([open.resumable, open.resumed, open.session], [true, false, gateway.last.id]);
    const bytes = new Uint8Array([0, 1, 255]);
    client.send(bytes);
    bytes.fill(9);
    client.send(new Uint16Array([258]).buffer);
    await until("three echoes", () => got().length === 3);
    assert.deepEqual(got(), ["early", new Uint8Array([0, 1, 255]), new Uint8Array([2, 1])]);
    assert.throws(() => client.send("\0WSN bye"), TypeError);
    assert.throws(() => client.send(7), TypeError);
    assert.throws(() => client.close(1001), TypeError);
    await client.close();
    await until("the gateway has seen the end", () => gateway.connections.size === 0);
    assert.deepEqual(gateway.seen[0].hello, "1");
    assert.deepEqual(gateway.seen[0].controls, ["bye"]);
    assert.deepEqual([client.state, of("close").length, of("close")[0].code], ["closed", 1, 1000]);
    assert.equal(client.send("late"), false);
    assert.equal(of("error").at(-1).code, "closed");
  }));

test("a cut connection comes back with its session; nothing is lost or doubled", () =>
  withGateway({}, async (gateway) => {
    const { client, of, opens, is, got } = watch(gateway.url);
    await opens(1);
    client.send("1");
    await until("an echo", () => got().length === 1);
    gateway.cut();
    await is("away");
    client.send("2");
    gateway.last.send("while away");
    await opens(2);
    await until("the rest", () => got().length === 3);
    assert.deepEqual(got(), ["1", "while away", "2"]);
    assert.deepEqual(gateway.last.received, ["1", "2"]);
    const open = of("open")[1];
    assert.deepEqual([open.resumed, open.missed, open.unconfirmed], [true, 0, []]);
    assert.match(gateway.seen[1].hello, /^1 token=t1 received=1$/);
    assert.equal(of("reconnecting").length, 1);
    assert.equal(of("reconnecting")[0].code, 1006);
    await client.close();
  }));

test("what the gateway could not keep is told", () =>
  withGateway({ echo: false }, async (gateway) => {
    const { client, of, opens, is, got } = watch(gateway.url);
    await opens(1);
    gateway.cut();
    await is("away");
    for (const message of ["a", "b", "c"]) gateway.last.send(message);
    gateway.last.drop(2);
    await opens(2);
    await until("what was kept", () => got().length === 1);
    const open = of("open")[1];
    assert.deepEqual([open.resumed, open.reason, open.missed, got()], [false, "missed", 2, ["c"]]);
    assert.equal(client.received, 3);
    await client.close();
  }));

test("a gateway that forgot the session: the fate of messages is told, a join goes first", () =>
  withGateway({ echo: false }, async (gateway) => {
    const { client, of, opens, is } = watch(gateway.url);
    client.on("open", ({ resumed }) => resumed || client.send("join"));
    await opens(1);
    await until("join", () => gateway.last.received.length === 1);
    client.send("maybe");
    gateway.cut();
    gateway.forget();
    await is("away");
    client.send("later");
    await opens(2);
    await until("the new session's", () => gateway.last.received.length === 2);
    const open = of("open")[1];
    assert.deepEqual([open.resumed, open.reason, open.unconfirmed], [false, "unknown", ["join", "maybe"]]);
    assert.deepEqual(gateway.last.received, ["join", "later"]);
    await client.close();
  }));

test("a new page takes the session over with its token", () =>
  withGateway({}, async (gateway) => {
    const first = watch(gateway.url);
    await first.opens(1);
    first.client.send("1");
    await until("an echo", () => first.got().length === 1);
    const { token, received } = first.client;
    const second = watch(gateway.url, { token, received });
    await second.opens(1);
    assert.deepEqual([received, second.of("open")[0].resumed], [1, true]);
    await first.is("closed");
    assert.equal(first.of("close")[0].reason, "taken over");
    second.client.send("2");
    await until("an echo", () => second.got().length === 1);
    assert.deepEqual(gateway.last.received, ["1", "2"]);
    await second.client.close();
  }));

test("the queue has bounds: what does not fit is refused, with an error", () =>
  withGateway({}, async (gateway) => {
    const { client, of, opens, is, got } = watch(gateway.url, { queue: { messages: 3, bytes: 100 } });
    await opens(1);
    gateway.cut();
    await is("away");
    assert.deepEqual(["a", "b", "c", "d"].map((data) => client.send(data)), [true, true, true, false]);
    assert.equal(of("error").at(-1).code, "queue_full");
    await opens(2);
    await until("what fitted", () => got().length === 3);
    await client.close();
  }));

test("a long conversation fits through a small queue: pongs confirm", () =>
  withGateway({ echo: false }, async (gateway) => {
    const { client, opens } = watch(gateway.url, { queue: { messages: 8, bytes: 1_000 } });
    await opens(1);
    for (let i = 0; i < 40; i += 1) {
      await until("room", () => client.send(`${i}`));
    }
    await until("all", () => gateway.last.received.length === 40);
    await client.close();
  }));

test("messages are confirmed", () =>
  withGateway({ echo: false }, async (gateway) => {
    const { client, opens, got } = watch(gateway.url);
    await opens(1);
    for (let i = 0; i < 33; i += 1) gateway.last.send(`${i}`);
    await until("by count, then by time", () => gateway.last.kept.length === 0);
    assert.deepEqual(gateway.seen[0].controls, ["ack 32", "ack 33"]);
    assert.equal(got().length, 33);
    await client.close();
  }));

test("silence is noticed, the connection is made anew, the session goes on", () =>
  withGateway({ idle: 1 }, async (gateway) => {
    const proxy = await CuttingProxy.before(gateway.url);
    const { client, of, opens, got } = watch(proxy.url);
    await opens(1);
    await until("an answered ping", () => gateway.seen[0].controls.some((word) => word.startsWith("ping")));
    proxy.silent = true;
    client.send("into the void");
    await until("it notices", () => of("reconnecting").length > 0);
    assert.equal(of("reconnecting")[0].reason, "a heartbeat was not answered");
    proxy.silent = false;
    await opens(2);
    await until("an echo", () => got().length === 1);
    assert.deepEqual([of("open")[1].resumed, gateway.last.received], [true, ["into the void"]]);
    await client.close();
    proxy.stop();
  }));

test("where a socket cannot be cut, it is not closed before the session lives elsewhere", () =>
  withGateway({ idle: 1, pongs: false }, async (gateway) => {
    // Browsers have no `terminate`.
    class Browser extends WebSocket {}
    Browser.prototype.terminate = undefined;
    const { client, of, opens } = watch(gateway.url, { WebSocket: Browser });
    await opens(1);
    await until("it notices", () => of("reconnecting").length > 0);
    gateway.pongs = true;
    await opens(2);
    assert.ok(of("open")[1].resumed);
    await until("the former one is closed", () => gateway.connections.size === 1);
    await client.close();
  }));

test("close codes decide whether it comes back", () =>
  withGateway({}, async (gateway) => {
    const stays = watch(gateway.url);
    await stays.opens(1);
    gateway.end(1001, "gateway is going away; retry-after-ms=50");
    await until("it waits", () => stays.of("reconnecting").length === 1);
    assert.ok(stays.of("reconnecting")[0].delay >= 50);
    await stays.opens(2);
    assert.equal(stays.of("open")[1].reason, "unknown");
    gateway.end(1008, "sending too fast");
    await stays.is("closed");
    assert.deepEqual(stays.of("close").map(({ code, reason }) => [code, reason]), [[1008, "sending too fast"]]);
    const asked = watch(gateway.url, { shouldReconnect: (code) => code === 1008 });
    await asked.opens(1);
    gateway.end(1008, "");
    await asked.opens(2);
    gateway.end(1012, "");
    await asked.is("closed");
  }));

test("a gateway that does not resume: a plain session, with and without a subprotocol", () =>
  withGateway({ resume: false, protocols: ["chat"] }, async (gateway) => {
    for (const [protocols, protocol] of [[[], ""], [["chat"], "chat"]]) {
      const { client, of, opens, got } = watch(gateway.url, { protocols });
      client.send("early");
      await opens(1);
      await until("an echo", () => got().length === 1);
      assert.deepEqual([of("open")[0].resumable, of("open")[0].protocol, client.token], [false, protocol, undefined]);
      assert.equal(of("error").length, 0);
      gateway.cut();
      await opens(2);
      client.send("\0");
      await until("an echo", () => got().length === 2);
      await client.close();
    }
    assert.deepEqual(gateway.seen.flatMap(({ controls }) => controls), []);
  }));

test("an application's subprotocol is offered behind weir.v1", () =>
  withGateway({ protocols: ["chat"] }, async (gateway) => {
    const { client, of, opens } = watch(gateway.url, { protocols: "chat" });
    await opens(1);
    assert.deepEqual([gateway.seen[0].offered, of("open")[0].protocol], [["weir.v1", "chat"], "weir.v1"]);
    await client.close();
  }));

/** Fails as browsers do: without a word. */
class Silent extends WebSocket {
  set onerror(listener) {
    super.onerror = () => listener({});
  }
}

test("in a browser the refusal is found out by trying", () =>
  withGateway({ resume: false }, async (gateway) => {
    const { client, of, opens, got } = watch(gateway.url, { WebSocket: Silent });
    client.send("hello");
    await opens(1);
    await until("an echo", () => got().length === 1);
    assert.ok(!of("open")[0].resumable);
    const offers = gateway.seen.map(({ offered }) => offered?.[0]);
    assert.deepEqual(offers, ["weir.v1", undefined, "weir.v1", undefined]);
    const said = gateway.seen.map(({ messages }) => messages);
    assert.deepEqual(said, [[], [], [], ["hello"]], "nothing was said on the probe");
    await client.close();
  }));

test("a gateway that is away for a moment is not taken for one that cannot resume", async () => {
  const port = await new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
  const { client, of, opens } = watch(`ws://127.0.0.1:${port}/`, { WebSocket: Silent });
  await until("three failures", () => of("error").length >= 3);
  assert.equal(client.state, "connecting");
  await withGateway({ port }, async (gateway) => {
    await opens(1);
    assert.ok(of("open")[0].resumable);
    assert.equal(gateway.sessions.filter(({ token }) => token).length, 1);
    await client.close();
  });
});

test("a gateway that does not keep to the protocol is left", async () => {
  await withGateway({ welcomes: false }, async (gateway) => {
    const { client, of, is } = watch(gateway.url);
    await until("a hello", () => gateway.seen[0]?.hello);
    for (const socket of gateway.connections) socket.send("a message without a welcome");
    await is("closed");
    assert.deepEqual([of("close")[0].code, of("open").length], [1002, 0]);
    assert.match(of("close")[0].reason, /before its welcome/);
    assert.equal(client.state, "closed");
  });
});

test("a welcome that does not come is not waited for for ever", () =>
  withGateway({ welcomes: false }, async (gateway) => {
    const { client, of, opens } = watch(gateway.url, { connectTimeout: 200 });
    await until("it gives up", () => of("error").length === 1);
    gateway.welcomes = true;
    await opens(1);
    await client.close();
  }));

test("closing ends it in every state, and leaves no timer", async () => {
  await withGateway({}, async (gateway) => {
    const connecting = watch(gateway.url);
    await connecting.client.close();
    const away = watch(gateway.url, { backoff: { base: 1e6, max: 1e6 } });
    await away.opens(1);
    gateway.cut();
    await away.is("away");
    away.client.send("never sent");
    await away.client.close(4000, "enough");
    const { code, reason, unsent } = away.of("close")[0];
    assert.deepEqual([code, reason, unsent], [4000, "enough", ["never sent"]]);
    const inside = watch(gateway.url);
    inside.client.on("open", () => inside.client.close());
    await inside.is("closed");
    await inside.client.close();
    assert.equal(inside.of("close").length, 1);
  });
  // A timer that is left would keep this process alive: the runner would say so.
});
