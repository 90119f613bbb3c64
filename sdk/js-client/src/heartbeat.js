import { RoundTrip } from "./round_trip.js";

// Pings that confirm messages are no closer than this: a gateway takes 20 a second.
const SHORTEST = 100;

/**
 * Asks now and then whether the gateway is there, and says when it is not. One ping is under way at a time. Any message
 * counts as a sign of life, so that a pong behind a long message is not missed; so do bytes that leave this machine, so that
 * a ping behind one is not.
 */
export class Heartbeat {
  #timer;
  #asked;
  #count = 0;
  #heard = 0;
  #last = -Infinity;
  #hurry = false;
  #waited = 0;

  /**
   * `interval` in milliseconds. `send(echo)` sends a ping and gives back whatever `answered` is to be called with when its
   * pong comes; `dead()` is called once, when nothing came in time; `waiting()` says how many bytes have not left yet.
   */
  constructor({ interval, send, answered, dead, waiting = () => 0, clock, roundTrip = new RoundTrip() }) {
    Object.assign(this, { interval, send, answered, dead, waiting, clock, roundTrip });
    this.#schedule(interval);
  }

  /** Something arrived. */
  heard() {
    this.#heard = this.clock.now();
  }

  /** A pong arrived. One that nobody waits for is passed over. */
  pong(echo) {
    if (this.#asked?.echo !== echo) return;
    const { at, ticket } = this.#asked;
    this.#asked = undefined;
    this.roundTrip.sample(this.clock.now() - at);
    this.#schedule(this.#hurry ? this.#earliest() : this.interval);
    this.answered(ticket);
  }

  /** Asks as soon as it may: an answer is wanted for what was sent. */
  soon() {
    if (this.#hurry) return;
    this.#hurry = true;
    if (!this.#asked) this.#schedule(this.#earliest());
  }

  stop() {
    this.clock.cancel(this.#timer);
    this.#asked = undefined;
    this.send = this.answered = this.dead = () => {};
  }

  #earliest() {
    return Math.max(0, this.#last + SHORTEST - this.clock.now());
  }

  #schedule(delay) {
    this.clock.cancel(this.#timer);
    this.#timer = this.clock.after(delay, () => this.#beat());
  }

  #beat() {
    if (this.#asked) return this.#overdue();
    this.#hurry = false;
    this.#last = this.#heard = this.clock.now();
    const echo = String((this.#count += 1));
    this.#asked = { echo, at: this.#last, ticket: this.send(echo) };
    this.#waited = this.waiting();
    this.#schedule(this.roundTrip.deadline);
  }

  #overdue() {
    const waits = this.waiting();
    if (waits < this.#waited) this.heard();
    this.#waited = waits;
    const left = this.#heard + this.roundTrip.deadline - this.clock.now();
    if (left > 0) return this.#schedule(left);
    const { dead } = this;
    this.stop();
    dead();
  }
}
