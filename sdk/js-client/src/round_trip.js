const FLOOR = 2_000;
const CEILING = 8_000;

/** How long answers take: smoothed round trip and its deviation (RFC 6298, section 2), in milliseconds. */
export class RoundTrip {
  #smoothed;
  #deviation = 0;

  sample(milliseconds) {
    if (this.#smoothed === undefined) {
      this.#smoothed = milliseconds;
      this.#deviation = milliseconds / 2;
      return;
    }
    this.#deviation += (Math.abs(this.#smoothed - milliseconds) - this.#deviation) / 4;
    this.#smoothed += (milliseconds - this.#smoothed) / 8;
  }

  /** Milliseconds after which an answer is overdue: one and a half times what is usual, from 2 to 8 seconds. */
  get deadline() {
    if (this.#smoothed === undefined) return CEILING;
    return Math.min(CEILING, Math.max(FLOOR, 1.5 * (this.#smoothed + 4 * this.#deviation)));
  }
}
