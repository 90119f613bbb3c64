/**
 * How long to wait before the next attempt: exponential backoff with full jitter, a random time from nothing up to a ceiling
 * that doubles with every attempt. Clients that were cut at the same moment come back spread.
 */
export class Backoff {
  #attempts = 0;

  /** `base` and `max` in milliseconds; `random` gives numbers from 0 to 1, without 1. */
  constructor({ base = 500, max = 32_000, random = Math.random } = {}) {
    this.base = base;
    this.max = max;
    this.random = random;
  }

  /** Attempts since the last `reset`. */
  get attempts() {
    return this.#attempts;
  }

  /** Milliseconds to wait, on top of what the gateway asked for (`atLeast`). */
  next(atLeast = 0) {
    const ceiling = Math.min(this.max, this.base * 2 ** this.#attempts);
    this.#attempts += 1;
    return atLeast + this.random() * ceiling;
  }

  /** A connection has lasted: the next loss is a new one. */
  reset() {
    this.#attempts = 0;
  }
}
