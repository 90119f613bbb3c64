/**
 * Whether to offer the subprotocol `weir.v1`. A gateway that does not know it opens the connection without one, and
 * browsers then fail the connection without saying why (WHATWG WebSockets, "establish a WebSocket connection").
 * So after a failure the gateway is tried without the offer; if that opens, it is left and tried with the offer once
 * more, so that a gateway that was only away for a moment is not taken for one that cannot resume.
 *
 * | state | offers | connection opens | fails |
 * | --- | --- | --- | --- |
 * | `unknown` | yes | `spoken` | `probing` |
 * | `probing` | no | `proven` | `unknown` |
 * | `proven` (the gateway is there) | yes | `spoken` | `plain` |
 * | `plain` | no | `plain` | `unknown` |
 * | `spoken` | yes | `spoken` | `spoken` |
 */
export class Negotiation {
  #state;

  /** `wanted`: whether the application wants sessions that resume. `known`: whether this gateway has given one before. */
  constructor({ wanted, known }) {
    this.fixed = !wanted;
    this.#state = wanted ? (known ? "spoken" : "unknown") : "plain";
  }

  get state() {
    return this.#state;
  }

  get offers() {
    return this.#state !== "plain" && this.#state !== "probing";
  }

  /** A connection opened, with `weir.v1` or without. Gives back whether to leave it and to connect anew at once. */
  opened(chosen) {
    const probed = this.#state === "probing";
    if (chosen) this.#state = "spoken";
    else if (!this.fixed) this.#state = probed ? "proven" : "plain";
    return probed;
  }

  /**
   * A connection did not open. `refused`: it is certain that the gateway was there and did not choose `weir.v1`. Gives back
   * whether to connect anew at once.
   */
  failed(refused) {
    if (this.fixed) return false;
    if (refused && this.offers) {
      this.#state = "plain";
      return true;
    }
    const proven = this.#state === "proven";
    const next = { unknown: "probing", probing: "unknown", proven: "plain", plain: "unknown", spoken: "spoken" };
    this.#state = next[this.#state];
    return proven;
  }
}
