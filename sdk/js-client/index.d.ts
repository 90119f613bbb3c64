/** What a message may be. Bytes are copied: they may be used again at once. */
export type Data = string | ArrayBuffer | ArrayBufferView;

/** What arrives: text as a string, anything else as bytes. */
export type Received = string | Uint8Array;

export type State = "connecting" | "open" | "away" | "closed";

export interface Options {
  /** The class to connect with, where there is no global `WebSocket`: that of the package `ws`, for example. */
  WebSocket?: unknown;
  /** Subprotocols of the application, offered behind `weir.v1`. */
  protocols?: string | string[];
  /** Whether to ask for a session that resumes. Default: true. */
  resume?: boolean;
  /** Takes a session back that another client has left; both as that client's properties of the same names said. */
  token?: string;
  received?: number;
  /** What may wait for being sent or confirmed, at most. Default: 10,000 messages, 1 MiB. */
  queue?: { messages?: number; bytes?: number };
  /** Delays before attempts, in milliseconds: random, from 0 to a ceiling of `base`, doubled up to `max`. Default: 500, 32,000. */
  backoff?: { base?: number; max?: number };
  /** Milliseconds that a connection must have lasted for the delays to begin anew. Default: 10,000. */
  stableAfter?: number;
  /** Milliseconds for an attempt, from the beginning to the welcome. Default: 10,000. */
  connectTimeout?: number;
  /** Milliseconds between two pings, at most. Default: 25,000, or a third of the gateway's `idle` if that is less. */
  heartbeat?: number;
  /** Decides in place of the table in the README whether to come back after an end. */
  shouldReconnect?: (code: number, reason: string) => boolean;
}

export interface OpenEvent {
  /** Whether the gateway would give the session back after a loss. If not, it says nothing of what follows. */
  resumable: boolean;
  /** Whether the session is the former one and nothing is missing. */
  resumed: boolean;
  /** Why it is not, if one was asked for. After `missed` attributes and groups are as they were. */
  reason?: "missed" | "expired" | "unknown" | (string & {});
  /** With `missed`: how many messages to this client are gone. */
  missed: number;
  /** The gateway's name of the session, for logs. */
  session?: string;
  /** Seconds for which the gateway waits for a client that is lost. */
  window: number;
  /** The subprotocol that the gateway chose. */
  protocol: string;
  /** With a new session: what was sent in the former one, and nobody knows whether it arrived. It is not sent again. */
  unconfirmed: Received[];
}

export interface MessageEvent {
  data: Received;
}

export interface ReconnectingEvent {
  /** Milliseconds until the next attempt. */
  delay: number;
  /** Attempts since a connection lasted. */
  attempt: number;
  /** Why there is no connection. */
  code: number;
  reason: string;
}

export interface CloseEvent {
  code: number;
  reason: string;
  /** What was sent, and nobody knows whether it arrived. */
  unconfirmed: Received[];
  /** What was never sent. */
  unsent: Received[];
}

export interface ErrorEvent {
  /**
   * `connection`: an attempt failed, and is followed by `reconnecting`; `queue_full`, `closed`: a message was not taken;
   * `lost`: the gateway lost messages that it had confirmed.
   */
  code: "connection" | "queue_full" | "closed" | "lost";
  message: string;
}

export interface Events {
  /** Connected: for the first time, or again. */
  open: OpenEvent;
  message: MessageEvent;
  /** The connection is lost, or could not be made; the client tries again by itself. */
  reconnecting: ReconnectingEvent;
  /** The last event: the client will not come back. */
  close: CloseEvent;
  error: ErrorEvent;
}

/** A connection to Weir that comes back. It begins to connect at once. */
export class WeirClient {
  /** Throws a `SyntaxError` for a bad URL or subprotocol, a `TypeError` for a bad option. */
  constructor(url: string, options?: Options);

  readonly state: State;
  /** For the `token` of another client; another one with every `open`. Whoever has it can become the session. */
  readonly token: string | undefined;
  /** How many messages of the session have been handed to the `message` listeners. */
  readonly received: number;
  /** Bytes that wait for being sent or confirmed. */
  readonly bufferedAmount: number;

  /** Gives back a function that ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  off<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void;

  /**
   * Takes a message, to be sent when there is a connection. False, after an `error`, where there is no room or the client is
   * closed. Throws a `TypeError` for what is no message, or begins with `\0WSN`.
   */
  send(data: Data): boolean;

  /** Ends the session. `code`: 1000, or 3000 to 4999. Resolves after `close`, at the latest after two seconds. */
  close(code?: number, reason?: string): Promise<void>;
}
