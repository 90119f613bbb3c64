// The gateway's side of the protocol `weir.v1`, as docs/sessions.md has it, without the gateway: what the client's tests
// talk to. It echoes every message, and can be told to misbehave.

import { once } from "node:events";
import { WebSocketServer } from "./peers.js";

const MARK = "\0WSN ";

export class FakeGateway {
  sessions = [];
  connections = new Set();
  /** What every connection said: `{ protocol, offered, hello, controls, messages }`. */
  seen = [];
  /** How it behaves; tests change it while it runs. */
  resume = true;
  protocols = [];
  idle = 60;
  pongs = true;
  welcomes = true;
  echo = true;

  static async start(options = {}) {
    const gateway = Object.assign(new FakeGateway(), options);
    gateway.server = new WebSocketServer({
      port: options.port ?? 0,
      host: "127.0.0.1",
      handleProtocols: (offered) => {
        gateway.offered = [...offered];
        if (gateway.resume && offered.has("weir.v1")) return "weir.v1";
        return gateway.protocols.find((name) => offered.has(name)) ?? false;
      },
    });
    gateway.server.on("connection", (socket) => gateway.#accept(socket));
    await once(gateway.server, "listening");
    gateway.port = gateway.server.address().port;
    gateway.url = `ws://127.0.0.1:${gateway.port}/`;
    return gateway;
  }

  async stop() {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }

  /** Breaks every connection without a close. */
  cut() {
    for (const socket of this.connections) socket.terminate();
  }

  /** Ends every connection, and the sessions, in order. */
  end(code, reason) {
    for (const session of this.sessions) session.over = true;
    for (const socket of this.connections) socket.close(code, reason);
  }

  /** Forgets every session, as a gateway that was started again has. */
  forget() {
    for (const session of this.sessions) session.over = true;
  }

  get last() {
    return this.sessions.at(-1);
  }

  #accept(socket) {
    this.connections.add(socket);
    const seen = { protocol: socket.protocol, offered: this.offered, hello: undefined, controls: [], messages: [] };
    this.offered = undefined;
    this.seen.push(seen);
    let session = socket.protocol === "weir.v1" ? undefined : new Session();
    if (session) this.sessions.push(session), session.attach(socket);
    socket.on("message", (data, binary) => {
      const message = binary ? data : data.toString();
      if (typeof message === "string" && message.startsWith(MARK)) {
        const [word, ...words] = message.slice(MARK.length).split(" ");
        if (word === "hello") {
          seen.hello = words.join(" ");
          if (this.welcomes) session = this.#welcome(socket, words);
          return;
        }
        seen.controls.push([word, ...words].join(" "));
        if (word === "ping" && this.pongs) socket.send(`${MARK}pong ${words[0]}`);
        if (word === "ack") session.acknowledge(Number(words[0]));
        if (word === "bye") session.over = true;
        return;
      }
      seen.messages.push(message);
      if (session.socket !== socket) return;
      session.received.push(message);
      if (this.echo) session.send(message);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.connections.delete(socket);
      if (session?.socket === socket) session.socket = undefined;
    });
  }

  #welcome(socket, words) {
    const fields = Object.fromEntries(words.slice(1).map((word) => word.split("=")));
    const found = this.sessions.find((session) => session.token === fields.token && !session.over);
    const session = found ?? new Session();
    if (!found) this.sessions.push(session);
    session.token = `t${(this.tokens = (this.tokens ?? 0) + 1)}`;
    const had = Number(fields.received ?? 0);
    const missed = found ? Math.max(0, session.gone - had) : 0;
    const answer = {
      session: session.id,
      token: session.token,
      expires: 86_400,
      window: 60,
      idle: this.idle,
      received: session.received.length,
      sent: found ? had + missed : 0,
      resumed: Boolean(found) && missed === 0,
      ...(fields.token && !found && { reason: "unknown" }),
      ...(missed > 0 && { reason: "missed", missed }),
      later: "unknown=words=are=passed=over",
    };
    const text = Object.entries(answer).map(([name, value]) => `${name}=${value}`);
    socket.send(`${MARK}welcome 1 ${text.join(" ")}`);
    session.acknowledge(had);
    session.socket?.close(1000, "taken over");
    session.attach(socket);
    return session;
  }
}

class Session {
  static count = 0;
  id = `s${(Session.count += 1)}`;
  /** Every message of the client, and those to it that it has not confirmed: `[number, message]`. */
  received = [];
  kept = [];
  sent = 0;
  /** The messages up to this number are not kept, though not confirmed. */
  gone = 0;

  send(message) {
    this.kept.push([(this.sent += 1), message]);
    this.socket?.send(message);
  }

  attach(socket) {
    this.socket = socket;
    for (const [, message] of this.kept) socket.send(message);
  }

  acknowledge(number) {
    this.kept = this.kept.filter(([at]) => at > number);
  }

  /** The oldest messages have to go. */
  drop(count) {
    this.gone = this.kept[count - 1][0];
    this.kept.splice(0, count);
  }
}
