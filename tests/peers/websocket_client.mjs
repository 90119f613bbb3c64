// A client around Node's `ws`: what an echo over WebSocket must do. Prints what it sent and received.
//
//     node websocket_client.mjs URL

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { WebSocket } = createRequire(process.env.WEIR_NODE + "/")("ws");
const url = process.argv[2];
const MIB = 1 << 20;

/** A socket whose messages can be awaited. */
class Talk {
  static async open(target, options = {}) {
    const talk = new Talk();
    talk.socket = new WebSocket(target, options);
    talk.waiting = [];
    talk.got = [];
    talk.socket.on("message", (data, binary) => {
      const message = binary ? data : data.toString();
      const waiter = talk.waiting.shift();
      if (waiter) waiter(message);
      else talk.got.push(message);
    });
    talk.closed = new Promise((done) => talk.socket.on("close", (code, reason) => done([code, reason.toString()])));
    await new Promise((done, fail) => {
      talk.socket.on("open", done);
      talk.socket.on("error", fail);
    });
    return talk;
  }

  next() {
    return this.got.length ? Promise.resolve(this.got.shift()) : new Promise((done) => this.waiting.push(done));
  }

  pong(payload) {
    const answered = new Promise((done) => this.socket.once("pong", done));
    this.socket.ping(payload);
    return answered;
  }
}

async function echoes() {
  let count = 0;
  const talk = await Talk.open(url);
  assert.equal(talk.socket.extensions, "", "compression is not offered");
  for (const message of [
    "hello",
    "",
    "привет, 世界 🦀",
    Buffer.from([0, 255, 128]),
    Buffer.alloc(0),
    "z".repeat(125),
    "z".repeat(126),
    "z".repeat(65535),
    "z".repeat(65536),
    "ж".repeat(MIB / 2),
    Buffer.alloc(MIB, 0xfe),
  ]) {
    talk.socket.send(message);
    assert.deepEqual(await talk.next(), message);
    count += 1;
  }
  // In fragments, a ping between them.
  talk.socket.send("one ", { fin: false });
  assert.equal((await talk.pong("between")).toString(), "between");
  talk.socket.send("", { fin: false });
  talk.socket.send("two 🦀", { fin: true });
  assert.equal(await talk.next(), "one two 🦀");
  count += 1;
  assert.equal((await talk.pong(Buffer.alloc(125, 7))).length, 125);
  for (let n = 0; n < 1000; n += 1) talk.socket.send(`message ${n}`);
  for (let n = 0; n < 1000; n += 1) {
    assert.equal(await talk.next(), `message ${n}`);
    count += 1;
  }
  talk.socket.close(4321, "that was all");
  assert.deepEqual(await talk.closed, [4321, "that was all"]);
  return count;
}

/** The code that a breach of the rules gets. */
async function told(breach) {
  const talk = await Talk.open(url);
  talk.socket.send("fine");
  assert.equal(await talk.next(), "fine");
  talk.socket.on("error", () => {});
  breach(talk.socket);
  return (await talk.closed)[0];
}

async function refused(target, options) {
  const socket = new WebSocket(target, options);
  return new Promise((done) => {
    socket.on("error", () => {});
    socket.on("open", () => {
      socket.on("close", () => done(101));
      socket.close();
    });
    socket.on("unexpected-response", (_, response) => {
      response.resume();
      done(response.statusCode);
    });
  });
}

const count = await echoes();
const codes = [
  await told((socket) => socket.send(Buffer.alloc(MIB + 1))),
  await told((socket) => socket.send(Buffer.from("caf\xe9", "latin1"), { binary: false })),
  await told((socket) => {
    for (let n = 0; n < 200; n += 1) socket.send("x", { fin: false });
  }),
];
const statuses = [
  await refused(url + "elsewhere"),
  await refused(url, { origin: "https://evil.example" }),
  await refused(url + "?query=allowed"),
];
// Each of the breaches came after one message that was fine.
console.log(JSON.stringify({ echoed: count + codes.length, codes, statuses }));
process.exit(0);
