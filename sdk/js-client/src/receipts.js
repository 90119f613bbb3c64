// Confirmed at the latest after so many messages, so many bytes (a quarter of a gateway's default buffer), so many ms.
const MESSAGES = 32;
const BYTES = 16 << 10;
const DELAY = 1_000;

/** Counts what came from the gateway, and says when to confirm it. */
export class Receipts {
  #timer;
  #confirmed = 0;
  #bytes = 0;
  #limit = BYTES;

  /** `send(number)` confirms. */
  constructor({ received = 0, send, clock }) {
    this.received = received;
    this.send = send;
    this.clock = clock;
  }

  /** A connection begins. The next message is number `received` + 1; `buffer` is the gateway's in bytes, 0 if unsaid. */
  start(received, buffer) {
    this.stop();
    this.received = this.#confirmed = received;
    this.#bytes = 0;
    this.#limit = buffer > 0 ? buffer / 4 : BYTES;
  }

  /** A message was handed to the application. */
  took(bytes) {
    this.received += 1;
    this.#bytes += bytes;
    if (this.received - this.#confirmed >= MESSAGES || this.#bytes >= this.#limit) this.confirm();
    else this.#timer ??= this.clock.after(DELAY, () => this.confirm());
  }

  /** Confirms what is not confirmed yet. */
  confirm() {
    this.stop();
    if (this.received === this.#confirmed) return;
    this.#confirmed = this.received;
    this.#bytes = 0;
    this.send(this.received);
  }

  /** The connection is gone: nothing to confirm on. */
  stop() {
    this.clock.cancel(this.#timer);
    this.#timer = undefined;
  }
}
