// A client around Node's `ws` that offers compression: what an echo and a group must do. Prints what it sent and received.
//
//     node compression_client.mjs ECHO_URL GROUP_URL

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";

const { WebSocket } = createRequire(process.env.WEIR_NODE + "/")("ws");
const [echo, group] = process.argv.slice(2);
const MIB = 1 << 20;
const PROSE = "It was the best of times, it was the worst of times, привет 🦀. ";
const AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** A socket whose messages can be awaited. */
async function open(url, perMessageDeflate) {
  const socket = new WebSocket(url, { perMessageDeflate, maxPayload: 2 * MIB });
  const [waiting, got] = [[], []];
  const talk = { socket, next: () => (got.length ? Promise.resolve(got.shift()) : new Promise((done) => waiting.push(done))) };
  socket.on("message", (data, binary) => {
    const message = binary ? data : data.toString();
    if (waiting.length) waiting.shift()(message);
    else got.push(message);
  });
  socket.on("upgrade", (response) => (talk.agreed = response.headers["sec-websocket-extensions"] ?? ""));
  talk.closed = new Promise((done) => socket.on("close", (code) => done(code)));
  await new Promise((done, fail) => {
    socket.on("open", done);
    socket.on("error", fail);
  });
  return talk;
}

async function echoes(offer, agreed) {
  let count = 0;
  const talk = await open(echo, offer);
  assert.equal(talk.agreed, agreed);
  for (const size of [0, 1, 128, 1023, 1024, 65536, 200_000, MIB]) {
    for (const message of [Buffer.alloc(size, PROSE), randomBytes(size), "z".repeat(size)]) {
      talk.socket.send(message);
      assert.deepEqual(await talk.next(), message);
      count += 1;
    }
  }
  talk.socket.send(PROSE.repeat(50), { fin: false });
  talk.socket.send("", { fin: false });
  talk.socket.send("the end", { fin: true });
  assert.equal(await talk.next(), PROSE.repeat(50) + "the end");
  count += 1;
  for (let n = 0; n < 500; n += 1) talk.socket.send(`${PROSE.repeat(n % 30)}${n}`);
  for (let n = 0; n < 500; n += 1) {
    assert.equal(await talk.next(), `${PROSE.repeat(n % 30)}${n}`);
    count += 1;
  }
  talk.socket.close(1000);
  await talk.closed;
  return count;
}

async function fanOut() {
  const members = [];
  for (const offer of [true, true, { threshold: 0 }, { serverMaxWindowBits: 10 }, false]) members.push(await open(group, offer));
  for (const message of [PROSE.repeat(10), PROSE.repeat(5000), "short"]) {
    members[0].socket.send(message);
    for (const member of members) assert.equal(await member.next(), message);
  }
  for (const member of members) {
    member.socket.close();
    await member.closed;
  }
  return 3;
}

/** The code that a breach of the rules gets. */
async function told(breach) {
  const talk = await open(echo, { threshold: 0 });
  talk.socket.send("fine");
  assert.equal(await talk.next(), "fine");
  talk.socket.on("error", () => {});
  breach(talk.socket);
  return await talk.closed;
}

let echoed = await echoes(true, AGREED);
echoed += await echoes({ threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 9 }, `${AGREED}; server_max_window_bits=10`);
const codes = [
  await told((socket) => socket.send(Buffer.alloc(40 * MIB))),
  await told((socket) => socket.send(Buffer.from("caf\xe9 ".repeat(100), "latin1"), { binary: false })),
];
console.log(JSON.stringify({ echoed: echoed + codes.length, published: await fanOut(), codes }));
process.exit(0);
