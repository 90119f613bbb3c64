// The client against a running gateway: two clients talk while their connections are cut again and again. Every message must
// arrive once, in order, in both directions. Prints one line of JSON; the exit code says whether all is well.
//
//     WEIR_URL=ws://127.0.0.1:7001/ node end_to_end.mjs [echo|group]
//
// or with the URL as the first argument. The listener has `[listener.resume]` with a buffer of 64 KiB or more, and
// `route = "echo"` (each client gets its own messages) or `route = "group:…"` (each gets the other's).

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { WeirClient } from "../index.js";
import { CuttingProxy } from "./cutting_proxy.js";
import { WebSocket } from "./peers.js";
import { until } from "./until.js";

const MESSAGES = 2_000;
const CUTS = 20;
// Sent and not yet arrived, at most: little enough that the gateway's buffer holds it.
const AHEAD = 100;

class Talker {
  got = [];
  opens = [];
  errors = [];
  sent = 0;

  static async start(name, url) {
    const talker = new Talker();
    talker.name = name;
    talker.proxy = await CuttingProxy.before(url);
    talker.client = new WeirClient(talker.proxy.url, { WebSocket, backoff: { base: 20, max: 200 } });
    talker.client.on("open", (event) => talker.opens.push(event));
    talker.client.on("error", ({ code, message }) => code === "connection" || talker.errors.push(message));
    talker.client.on("message", ({ data }) => talker.took(data));
    await until(`${name} is there`, () => talker.opens.length > 0);
    return talker;
  }

  took(data) {
    const [from, number] = data.split(":");
    if (from !== this.from) return;
    this.got.push(Number(number));
  }

  say() {
    this.sent += 1;
    assert.ok(this.client.send(`${this.name}:${this.sent}:${"x".repeat(this.sent % 200)}`), "the queue has room");
  }
}

export async function talk(url, route) {
  const [a, b] = [await Talker.start("a", url), await Talker.start("b", url)];
  try {
    return await converse(a, b, route);
  } finally {
    for (const talker of [a, b]) {
      talker.client.close();
      talker.proxy.stop();
    }
  }
}

async function converse(a, b, route) {
  [a.from, b.from] = route === "echo" ? ["a", "b"] : ["b", "a"];
  const pairs = route === "echo" ? [[a, a], [b, b]] : [[a, b], [b, a]];
  for (let number = 1; number <= MESSAGES; number += 1) {
    for (const [from, to] of pairs) {
      from.say();
      await until(`${to.name} keeps up`, () => from.sent - to.got.length < AHEAD);
    }
    // One after the other, so that the pieces on the way are different ones each time.
    if (number % (MESSAGES / CUTS) === 37) a.proxy.cut();
    if (number % (MESSAGES / CUTS) === 71) b.proxy.cut();
  }
  for (const [, to] of pairs) await until(`${to.name} has all`, () => to.got.length >= MESSAGES);
  const expected = Array.from({ length: MESSAGES }, (_, at) => at + 1);
  const said = { route, sent: a.sent + b.sent, received: 0, cuts: 0, resumed: 0 };
  for (const talker of [a, b]) {
    await talker.client.close();
    assert.deepEqual(talker.got, expected, `${talker.name}: each message once, in order`);
    assert.deepEqual(talker.errors, []);
    assert.ok(talker.opens[0].resumable, "the gateway has [listener.resume]");
    assert.deepEqual(talker.opens.slice(1).filter(({ resumed }) => !resumed), [], "every session was resumed");
    said.received += talker.got.length;
    said.cuts += talker.proxy.cuts;
    said.resumed += talker.opens.length - 1;
  }
  assert.ok(said.resumed >= CUTS, "the cuts were felt");
  return said;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2);
  const url = words.find((word) => word.includes("://")) ?? process.env.WEIR_URL;
  if (!url) throw new Error("say where the gateway is: WEIR_URL=ws://127.0.0.1:7001/");
  console.log(JSON.stringify(await talk(url, words.includes("group") ? "group" : "echo")));
}
