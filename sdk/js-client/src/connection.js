import { hello, isControl, parse, PROTOCOL } from "./control.js";

const OPEN = 1;

/**
 * One WebSocket, from the attempt to its end. It knows what is said on it, not what a session is.
 *
 * It calls, of `events`: `opened(chosen)` when the WebSocket is open, which gives back the hello's `{ token, received }`,
 * or nothing to leave the connection at once; `ready(welcome)` when messages may go, without a welcome on a plain
 * connection; `message(data)`; `pong(echo)`; `heard()` for whatever arrives; `late()` when it is not ready in time, and is to
 * be abandoned; and once, last, `ended({ code, reason, ready, refused })`. `refused`: the server was there and chose no
 * subprotocol.
 */
export class Connection {
  #socket;
  #events;
  #clock;
  #deadline;
  #chosen = false;
  #ready = false;
  #problem = "";

  /** Throws what the WebSocket's constructor throws for a bad URL or subprotocol. */
  constructor({ WebSocket, url, protocols, timeout, clock, events }) {
    this.#events = events;
    this.#clock = clock;
    const socket = protocols.length > 0 ? new WebSocket(url, protocols) : new WebSocket(url);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#took(typeof data === "string" ? data : new Uint8Array(data));
    // Node's `ws` says what is wrong; browsers give no message.
    socket.onerror = (event) => (this.#problem ||= event?.message ?? "");
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
    this.#deadline = clock.after(timeout, () => this.#events.late());
  }

  /** The subprotocol that was chosen; empty if none was. */
  get protocol() {
    return this.#socket.protocol ?? "";
  }

  /** Bytes that were sent and have not left this machine. */
  get buffered() {
    return this.#socket.bufferedAmount ?? 0;
  }

  /** Sends a message. One that is sent while the connection ends is lost, and nobody says so. */
  send(data) {
    if (this.#socket.readyState === OPEN) this.#socket.send(data);
  }

  /** Ends in order: `ended` is called when the other side has ended too. */
  close(code, reason) {
    this.#socket.close(code, reason);
  }

  /**
   * Gives the connection up: from now on nothing of it is heard. Where it can be cut it is. Browsers can only close in
   * order, which would end the session if the gateway still heard it: there it is left open until `discard`.
   */
  abandon() {
    this.#clock.cancel(this.#deadline);
    this.#events = undefined;
    const nothing = () => {};
    const socket = this.#socket;
    // Not null: an error that nobody listens to would be thrown by `ws`.
    socket.onopen = socket.onmessage = socket.onerror = socket.onclose = nothing;
    if (typeof socket.terminate === "function") socket.terminate();
    else if (socket.readyState !== OPEN) socket.close();
  }

  /** After `abandon`: the session lives elsewhere now, or is over. */
  discard() {
    this.#socket.close();
  }

  #opened() {
    this.#chosen = this.protocol === PROTOCOL;
    const from = this.#events.opened(this.#chosen);
    if (!from) return this.#leave();
    if (this.#chosen) this.#socket.send(hello(from.token, from.received));
    else this.#begin();
  }

  #begin(welcome) {
    this.#clock.cancel(this.#deadline);
    this.#ready = true;
    this.#events.ready(welcome);
  }

  #took(data) {
    this.#events.heard();
    if (this.#ready && !(this.#chosen && isControl(data))) return this.#events.message(data);
    try {
      if (!isControl(data)) throw new Error("the gateway sent a message before its welcome");
      this.#control(parse(data));
    } catch (error) {
      this.#broken(error.message);
    }
  }

  #control(control) {
    if (control.type === "pong") this.#events.pong(control.echo);
    else if (control.type === "welcome" && !this.#ready) this.#begin(control);
    else if (!this.#ready) throw new Error("the gateway answered the hello with something else than a welcome");
  }

  /** The gateway does not keep to the protocol: coming back would not help. */
  #broken(reason) {
    const socket = this.#socket;
    this.#end(1002, reason);
    socket.close();
  }

  /** It was opened only to see whether it can be. */
  #leave() {
    const socket = this.#socket;
    this.#end(1000, "");
    socket.close();
  }

  #end(code, reason) {
    const events = this.#events;
    if (!events) return;
    const refused = this.#problem.includes("no subprotocol");
    this.#events = undefined;
    this.#clock.cancel(this.#deadline);
    this.#socket.onmessage = this.#socket.onclose = () => {};
    events.ended({ code, reason: reason || this.#problem, ready: this.#ready, refused });
  }
}
