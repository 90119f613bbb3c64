// The parts that need no socket.

import assert from "node:assert/strict";
import test from "node:test";
import { Backoff } from "../src/backoff.js";
import { hello, isControl, parse } from "../src/control.js";
import { comesBack, retryAfter } from "../src/ending.js";
import { Heartbeat } from "../src/heartbeat.js";
import { Negotiation } from "../src/negotiation.js";
import { Outbox } from "../src/outbox.js";
import { Receipts } from "../src/receipts.js";
import { RoundTrip } from "../src/round_trip.js";
import { FakeClock } from "./fake_clock.js";

test("backoff doubles its ceiling up to 32 seconds, and jitter is all of it", () => {
  const highest = new Backoff({ random: () => 1 });
  const delays = Array.from({ length: 9 }, () => highest.next());
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000, 32_000]);
  highest.reset();
  assert.equal(highest.next(), 500);
  assert.equal(new Backoff({ random: () => 0 }).next(), 0);
  assert.equal(new Backoff({ random: () => 0.5 }).next(4_321), 4_571, "what the gateway asks for is a minimum");
  const many = Array.from({ length: 2_000 }, () => new Backoff().next());
  assert.ok(Math.min(...many) < 50 && Math.max(...many) > 450 && Math.max(...many) < 500, "spread over the whole range");
});

test("close codes", () => {
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015, 3000, 4000, 4499]) assert.ok(comesBack(code, ""), code);
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3500, 4500, 4999]) assert.ok(!comesBack(code, ""), code);
  assert.ok(comesBack(1008, "reading too slowly"));
  assert.ok(!comesBack(1008, "sending too fast"));
  assert.equal(retryAfter("gateway is going away; retry-after-ms=4321"), 4_321);
  assert.equal(retryAfter("gateway is going away"), 0);
  assert.equal(retryAfter("xretry-after-ms=5"), 0);
  assert.equal(retryAfter("retry-after-ms=999999999"), 600_000);
});

test("control messages", () => {
  assert.equal(hello(), "\0WSN hello 1");
  assert.equal(hello("T", 7), "\0WSN hello 1 token=T received=7");
  assert.ok(isControl("\0WSN pong 1") && isControl(new TextEncoder().encode("\0WSN")));
  assert.ok(!isControl("WSN") && !isControl(new Uint8Array([0, 0x57, 0x53])) && !isControl(""));
  assert.deepEqual(parse("\0WSN pong 17 later"), { type: "pong", echo: "17" });
  assert.equal(parse("\0WSN goodnight").type, "unknown");
  const welcome = parse("\0WSN welcome 1 session=s token=a=b received=3 sent=4 resumed=false reason=missed missed=2 x=y z");
  assert.deepEqual([welcome.token, welcome.received, welcome.sent, welcome.missed], ["a=b", 3, 4, 2]);
  assert.ok(welcome.kept && !welcome.resumed);
  for (const bad of ["2 token=T received=0 sent=0", "1 received=0 sent=0", "1 token=T received=x sent=0", "1 token=T sent=0"]) {
    assert.throws(() => parse(`\0WSN welcome ${bad}`), /welcome/);
  }
});

test("round trips: 8 seconds at first, then one and a half times what is usual, from 2 seconds", () => {
  const roundTrip = new RoundTrip();
  assert.equal(roundTrip.deadline, 8_000);
  for (let i = 0; i < 50; i += 1) roundTrip.sample(20);
  assert.equal(roundTrip.deadline, 2_000);
  for (let i = 0; i < 200; i += 1) roundTrip.sample(3_000);
  assert.ok(Math.abs(roundTrip.deadline - 4_500) < 10, roundTrip.deadline);
  for (let i = 0; i < 200; i += 1) roundTrip.sample(60_000);
  assert.equal(roundTrip.deadline, 8_000);
});

function beating() {
  const clock = new FakeClock();
  const said = { pings: [], answered: [], dead: 0, waits: 0 };
  const heartbeat = new Heartbeat({
    interval: 20_000,
    clock,
    send: (echo) => said.pings.push(echo),
    answered: (ticket) => said.answered.push(ticket),
    dead: () => (said.dead += 1),
    waiting: () => said.waits,
  });
  return { clock, said, heartbeat };
}

test("a heartbeat that is answered goes on", () => {
  const { clock, said, heartbeat } = beating();
  for (let i = 1; i <= 5; i += 1) {
    clock.pass(20_000);
    assert.equal(said.pings.length, i);
    heartbeat.pong("not asked");
    heartbeat.pong(said.pings.at(-1));
  }
  assert.deepEqual([said.answered, said.dead], [[1, 2, 3, 4, 5], 0]);
  heartbeat.stop();
  assert.equal(clock.timers, 0);
});

test("silence after a ping is the end; other messages, and bytes that leave, are not silence", () => {
  const { clock, said, heartbeat } = beating();
  said.waits = 1_000;
  clock.pass(20_000);
  for (let i = 0; i < 5; i += 1) {
    said.waits -= 1;
    clock.pass(8_000);
  }
  assert.equal(said.dead, 0);
  for (let i = 0; i < 10; i += 1) {
    clock.pass(7_000);
    heartbeat.heard();
  }
  assert.equal(said.dead, 0);
  clock.pass(7_999);
  assert.equal(said.dead, 0);
  clock.pass(1);
  assert.deepEqual([said.dead, clock.timers], [1, 0]);
});

test("pings for confirmation are ten a second at most", () => {
  const { clock, said, heartbeat } = beating();
  for (let i = 0; i < 1_000; i += 1) {
    heartbeat.soon();
    clock.pass(1);
    if (said.pings.length) heartbeat.pong(said.pings.at(-1));
  }
  assert.ok(said.pings.length >= 9 && said.pings.length <= 11, said.pings.length);
});

test("the outbox sends again what was not confirmed, and nothing else", () => {
  const outbox = new Outbox({ messages: 5, bytes: 100 });
  const all = () => Array.from({ length: 9 }, () => outbox.next()).filter((data) => data !== undefined);
  for (const data of ["a", "b", "c", "d"]) assert.ok(outbox.push(data, 1));
  assert.deepEqual([outbox.next(), outbox.next(), outbox.next()], ["a", "b", "c"]);
  assert.equal(outbox.last, 3);
  outbox.confirm(1);
  assert.equal(outbox.resume(2), 0);
  assert.deepEqual(all(), ["c", "d"]);
  assert.equal(outbox.last, 4);
  assert.equal(outbox.resume(2), 0);
  outbox.push("e", 1);
  assert.deepEqual(all(), ["c", "d", "e"], "twice cut");
  outbox.confirm(99);
  assert.deepEqual([outbox.length, outbox.bytes, outbox.last], [0, 0, 5]);
  assert.equal(outbox.resume(3), 2, "the gateway had confirmed two more");
});

test("the outbox has bounds", () => {
  const outbox = new Outbox({ messages: 2, bytes: 10 });
  assert.deepEqual([outbox.push("a", 11), outbox.push("a", 4), outbox.push("b", 7)], [false, true, false]);
  assert.deepEqual([outbox.push("c", 6), outbox.push("", 0)], [true, false]);
  assert.ok(!outbox.wantsConfirmation);
  outbox.next();
  assert.ok(outbox.wantsConfirmation);
});

test("with a new session the outbox says what may be lost, and keeps what never went out", () => {
  const outbox = new Outbox({ messages: 9, bytes: 99 });
  for (const data of ["a", "b", "c"]) outbox.push(data, 1);
  outbox.next();
  outbox.resume(0);
  const { unconfirmed, unsent } = outbox.begin();
  assert.deepEqual(unconfirmed, ["a"], "it went out on a connection before");
  outbox.push("join", 4);
  outbox.restore(unsent);
  assert.deepEqual([outbox.next(), outbox.next(), outbox.next(), outbox.next()], ["join", "b", "c", undefined]);
  assert.equal(outbox.bytes, 6);
});

test("a token of a former page: the gateway's count is taken over", () => {
  const outbox = new Outbox({ messages: 9, bytes: 99 });
  outbox.push("a", 1);
  assert.equal(outbox.resume(41), 0);
  outbox.next();
  assert.equal(outbox.last, 42);
});

test("receipts go out by count, by bytes and after a second", () => {
  const clock = new FakeClock();
  const acks = [];
  const receipts = new Receipts({ send: (number) => acks.push(number), clock });
  for (let i = 0; i < 64; i += 1) receipts.took(1);
  assert.deepEqual(acks, [32, 64]);
  receipts.took(16 << 10);
  assert.equal(acks.at(-1), 65);
  receipts.took(1);
  clock.pass(500);
  receipts.took(1);
  assert.equal(acks.length, 3);
  clock.pass(500);
  assert.deepEqual([acks.at(-1), clock.timers], [67, 0]);
  receipts.start(0, 400);
  receipts.took(99);
  receipts.took(1);
  assert.equal(acks.at(-1), 2, "a quarter of the gateway's buffer");
});

test("negotiation: every state and what follows", () => {
  const at = (state) => {
    const negotiation = new Negotiation({ wanted: true, known: false });
    const path = { unknown: [], probing: ["failed"], proven: ["failed", "plainly"], plain: ["plainly"], spoken: ["chosen"] };
    for (const step of path[state]) step === "failed" ? negotiation.failed(false) : negotiation.opened(step === "chosen");
    assert.equal(negotiation.state, state);
    return negotiation;
  };
  const table = {
    unknown: [true, "spoken", "plain", "probing"],
    probing: [false, "spoken", "proven", "unknown"],
    proven: [true, "spoken", "plain", "plain"],
    plain: [false, "spoken", "plain", "unknown"],
    spoken: [true, "spoken", "plain", "spoken"],
  };
  for (const [state, [offers, chosen, plainly, failed]] of Object.entries(table)) {
    assert.equal(at(state).offers, offers, state);
    const after = (step) => {
      const negotiation = at(state);
      step(negotiation);
      return negotiation.state;
    };
    assert.equal(after((negotiation) => negotiation.opened(true)), chosen, state);
    assert.equal(after((negotiation) => negotiation.opened(false)), plainly, state);
    assert.equal(after((negotiation) => negotiation.failed(false)), failed, state);
  }
  assert.ok(at("unknown").failed(true) && at("proven").failed(false), "at once");
  const never = new Negotiation({ wanted: false, known: false });
  never.failed(false);
  assert.ok(!never.offers);
});
