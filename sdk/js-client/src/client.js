import { Backoff } from "./backoff.js";
import { Connection } from "./connection.js";
import { ack, bye, ping, PROTOCOL } from "./control.js";
import { Emitter } from "./emitter.js";
import { comesBack, retryAfter } from "./ending.js";
import { Heartbeat } from "./heartbeat.js";
import { Negotiation } from "./negotiation.js";
import { complete } from "./options.js";
import { Outbox } from "./outbox.js";
import { payload, size } from "./payload.js";
import { Receipts } from "./receipts.js";

// For the other side's part of an end in order.
const GOODBYE = 2_000;
// Browsers close connections that are dead by themselves, some time. Nobody needs to wait for more of them than this.
const FORMER = 4;

/** A connection to Weir that comes back. See index.d.ts for what each member does. */
export class WeirClient {
  #url;
  #options;
  #emitter = new Emitter();
  #backoff;
  #negotiation;
  #outbox;
  #receipts;
  #heartbeat;
  #connection;
  /** Connections that were given up and are perhaps still open: see `Connection.abandon`. */
  #former = [];
  /** The one timer of the state: until the next attempt, until the connection counts as stable, until the end. */
  #timer;
  #state = "connecting";
  #token;
  #resumable = false;
  #finished;
  #finish;

  constructor(url, options = {}) {
    this.#url = url;
    this.#options = complete(options);
    const { clock, received, token, resume } = this.#options;
    this.#backoff = new Backoff(this.#options.backoff);
    this.#negotiation = new Negotiation({ wanted: resume, known: token !== undefined });
    this.#outbox = new Outbox(this.#options.queue);
    this.#receipts = new Receipts({ received, clock, send: (number) => this.#connection?.send(ack(number)) });
    this.#token = token;
    this.#finished = new Promise((finish) => (this.#finish = finish));
    this.#connect();
  }

  get state() {
    return this.#state;
  }

  get token() {
    return this.#token;
  }

  get received() {
    return this.#receipts.received;
  }

  get bufferedAmount() {
    return this.#outbox.bytes;
  }

  on(name, listener) {
    return this.#emitter.on(name, listener);
  }

  off(name, listener) {
    this.#emitter.off(name, listener);
  }

  send(data) {
    const message = payload(data);
    if (this.#state === "closed") return this.#refuse("closed", "the client is closed");
    const plain = this.#state === "open" && !this.#resumable;
    const full = plain && this.#connection.buffered + message.bytes > this.#options.queue.bytes;
    if (full || !this.#outbox.push(message.data, message.bytes)) {
      return this.#refuse("queue_full", "too much waits for being sent or confirmed; the message was dropped");
    }
    if (this.#state === "open") this.#flush();
    return true;
  }

  close(code = 1000, reason = "") {
    if (this.#state === "closed") return this.#finished;
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new TypeError("a close code is 1000, or 3000 to 4999");
    const open = this.#state === "open";
    this.#state = "closed";
    this.#quiet();
    if (!open) {
      this.#abandon();
      this.#end(code, reason);
      return this.#finished;
    }
    if (this.#resumable) this.#connection.send(bye());
    this.#connection.close(code, reason);
    this.#timer = this.#options.clock.after(GOODBYE, () => {
      this.#abandon();
      this.#end(code, reason);
    });
    return this.#finished;
  }

  #connect() {
    const { WebSocket, protocols, connectTimeout, clock } = this.#options;
    this.#connection = new Connection({
      WebSocket,
      url: this.#url,
      protocols: this.#negotiation.offers ? [PROTOCOL, ...protocols] : protocols,
      timeout: connectTimeout,
      clock,
      events: {
        opened: (chosen) => this.#opened(chosen),
        ready: (welcome) => this.#ready(welcome),
        message: (data) => this.#took(data),
        pong: (echo) => this.#heartbeat?.pong(echo),
        heard: () => this.#heartbeat?.heard(),
        late: () => this.#giveUp("no answer within the time to connect", false),
        ended: (end) => this.#lost(end),
      },
    });
  }

  #opened(chosen) {
    if (this.#negotiation.opened(chosen)) return undefined;
    return { token: this.#token, received: this.#receipts.received };
  }

  #ready(welcome) {
    const { clock, stableAfter } = this.#options;
    this.#discard();
    this.#resumable = welcome !== undefined;
    const kept = welcome?.kept ?? false;
    const { unconfirmed, unsent } = kept ? { unconfirmed: [], unsent: [] } : this.#outbox.begin();
    const lost = kept ? this.#outbox.resume(welcome.received) : 0;
    this.#token = welcome?.token;
    this.#receipts.start(welcome?.sent ?? 0, welcome?.buffer ?? 0);
    if (welcome) this.#beat(welcome.idle);
    this.#timer = clock.after(stableAfter, () => this.#backoff.reset());
    this.#state = "open";
    if (lost > 0) this.#emitter.emit("error", { code: "lost", message: `the gateway lost ${lost} messages` });
    this.#emitter.emit("open", {
      resumable: this.#resumable,
      resumed: welcome?.resumed ?? false,
      reason: welcome?.reason,
      missed: welcome?.missed ?? 0,
      session: welcome?.session,
      window: welcome?.window ?? 0,
      protocol: this.#connection.protocol,
      unconfirmed,
    });
    // Behind what a listener sends first on a new session, a join for example.
    this.#outbox.restore(unsent);
    if (this.#state === "open") this.#flush();
  }

  #beat(idle) {
    const { clock, heartbeat } = this.#options;
    const interval = Math.min(heartbeat, idle > 0 ? (idle * 1_000) / 3 : Infinity);
    const send = (echo) => {
      this.#connection.send(ping(echo));
      return this.#outbox.last;
    };
    // The gateway reads in order: with the answer to a ping it has had all that went before it.
    const answered = (last) => {
      this.#outbox.confirm(last);
      if (this.#outbox.wantsConfirmation) this.#heartbeat.soon();
    };
    const dead = () => this.#giveUp("a heartbeat was not answered", true);
    const waiting = () => this.#connection.buffered;
    this.#heartbeat = new Heartbeat({ interval, send, answered, dead, waiting, clock });
  }

  #giveUp(reason, ready) {
    this.#abandon();
    this.#lost({ code: 1006, reason, ready, refused: false });
  }

  #abandon() {
    this.#connection.abandon();
    this.#former.push(this.#connection);
    if (this.#former.length > FORMER) this.#former.shift().discard();
  }

  #discard() {
    for (const connection of this.#former.splice(0)) connection.discard();
  }

  #took(data) {
    if (this.#state !== "open") return;
    this.#emitter.emit("message", { data });
    if (this.#resumable && this.#state === "open") this.#receipts.took(size(data));
  }

  #flush() {
    for (let data = this.#outbox.next(); data !== undefined; data = this.#outbox.next()) this.#connection.send(data);
    if (!this.#resumable) this.#outbox.confirm(this.#outbox.last);
    else if (this.#outbox.wantsConfirmation) this.#heartbeat.soon();
  }

  /** A connection is gone, or an attempt has failed. */
  #lost({ code, reason, ready, refused }) {
    this.#quiet();
    if (this.#state === "closed") return this.#end(code, reason);
    // A probe was left on purpose; no other connection ends with a code before it is ready without having failed.
    const probed = !ready && this.#negotiation.state === "proven" && code === 1000;
    const atOnce = probed || (!ready && this.#negotiation.failed(refused));
    if (!atOnce && !(this.#options.shouldReconnect ?? comesBack)(code, reason)) return this.#end(code, reason);
    const delay = atOnce ? 0 : this.#backoff.next(retryAfter(reason));
    if (this.#state === "open") this.#state = "away";
    this.#timer = this.#options.clock.after(delay, () => this.#connect());
    if (atOnce) return;
    if (!ready) this.#emitter.emit("error", { code: "connection", message: `cannot connect: ${reason || code}` });
    this.#emitter.emit("reconnecting", { delay, attempt: this.#backoff.attempts, code, reason });
  }

  #refuse(code, message) {
    this.#emitter.emit("error", { code, message });
    return false;
  }

  #quiet() {
    this.#options.clock.cancel(this.#timer);
    this.#heartbeat?.stop();
    this.#heartbeat = undefined;
    this.#receipts.stop();
  }

  #end(code, reason) {
    this.#quiet();
    this.#state = "closed";
    this.#discard();
    const { unconfirmed, unsent } = this.#outbox.begin();
    this.#emitter.emit("close", { code, reason, unconfirmed, unsent: unsent.map(({ data }) => data) });
    this.#finish();
  }
}
