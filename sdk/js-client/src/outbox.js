/**
 * What the application sent and the gateway has not confirmed, in order, within bounds. Messages of a session are numbered
 * from 1; the first here is number `confirmed` + 1.
 */
export class Outbox {
  #entries = [];
  #confirmed = 0;
  /** How many of the entries went out on this connection, and on any connection of this session. */
  #written = 0;
  #everWritten = 0;
  #bytes = 0;

  /** At most so many messages and bytes. */
  constructor({ messages, bytes }) {
    this.limits = { messages, bytes };
  }

  get length() {
    return this.#entries.length;
  }

  get bytes() {
    return this.#bytes;
  }

  /** The number of the message that went out last. */
  get last() {
    return this.#confirmed + this.#written;
  }

  /** Whether so much waits for being confirmed that it is time to ask: a quarter of what fits. */
  get wantsConfirmation() {
    return this.#written * 4 >= this.limits.messages || (this.#written > 0 && this.#bytes * 4 >= this.limits.bytes);
  }

  /** Takes a message, if there is room. */
  push(data, bytes) {
    if (this.#entries.length >= this.limits.messages || this.#bytes + bytes > this.limits.bytes) return false;
    this.#entries.push({ data, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** The next message to write on this connection, or nothing. */
  next() {
    if (this.#written === this.#entries.length) return undefined;
    const entry = this.#entries[this.#written];
    this.#written += 1;
    this.#everWritten = Math.max(this.#everWritten, this.#written);
    return entry.data;
  }

  /** The gateway has had the messages up to this number. */
  confirm(number) {
    this.#drop(Math.min(number - this.#confirmed, this.#written));
  }

  /**
   * The session goes on, on another connection: the gateway has had `received` messages; the rest goes out again. Gives
   * back how many it says it lost although it had confirmed them.
   */
  resume(received) {
    this.#drop(Math.min(received - this.#confirmed, this.#everWritten));
    const lost = Math.max(0, this.#confirmed - received);
    this.#confirmed = received;
    this.#written = 0;
    return lost;
  }

  /**
   * A new session. Gives back what went out in the former one without being confirmed, and takes away what never went out
   * as well, for `restore`.
   */
  begin() {
    const unconfirmed = this.#entries.splice(0, this.#everWritten);
    const unsent = this.#entries.splice(0);
    this.#confirmed = this.#written = this.#everWritten = this.#bytes = 0;
    return { unconfirmed: unconfirmed.map(({ data }) => data), unsent };
  }

  /** Puts what never went out behind what came meanwhile. It was within the bounds before. */
  restore(unsent) {
    this.#entries.push(...unsent);
    this.#bytes += unsent.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #drop(count) {
    if (count <= 0) return;
    for (const { bytes } of this.#entries.splice(0, count)) this.#bytes -= bytes;
    this.#confirmed += count;
    this.#written = Math.max(0, this.#written - count);
    this.#everWritten -= count;
  }
}
