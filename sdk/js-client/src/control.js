// The control messages of the protocol `weir.v1`: text behind four bytes that no message of the application begins with.

/** The subprotocol that stands for sessions that resume. */
export const PROTOCOL = "weir.v1";
const MARK = "\0WSN";
const MARK_BYTES = [0x00, 0x57, 0x53, 0x4e];

export const hello = (token, received) =>
  token === undefined ? `${MARK} hello 1` : `${MARK} hello 1 token=${token} received=${received}`;
export const ack = (number) => `${MARK} ack ${number}`;
export const ping = (echo) => `${MARK} ping ${echo}`;
export const bye = () => `${MARK} bye`;

/** Whether a message, a string or bytes, begins as control messages do. */
export function isControl(data) {
  if (typeof data === "string") return data.startsWith(MARK);
  return data.length >= MARK_BYTES.length && MARK_BYTES.every((byte, at) => data[at] === byte);
}

/**
 * Reads a control message of the gateway: `{ type: "welcome", … }`, `{ type: "pong", echo }`, or `{ type: "unknown" }` for
 * one of a later protocol, which is passed over. Throws where the gateway is not to be understood.
 */
export function parse(data) {
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  const [word, ...words] = text.slice(MARK.length + 1).split(" ");
  if (word === "pong") return { type: "pong", echo: words[0] ?? "" };
  if (word !== "welcome") return { type: "unknown", word };
  if (words[0] !== "1") throw new Error(`the gateway welcomes with version ${words[0]}, not 1`);
  return welcome(words.slice(1));
}

function welcome(words) {
  const fields = new Map();
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals > 0) fields.set(word.slice(0, equals), word.slice(equals + 1));
  }
  const number = (name, missing) => {
    const value = fields.get(name);
    if (value === undefined && missing !== undefined) return missing;
    const parsed = /^\d{1,16}$/.test(value ?? "") ? Number(value) : NaN;
    if (!Number.isSafeInteger(parsed)) throw new Error(`the gateway's welcome has ${name}=${value}, no number`);
    return parsed;
  };
  if (!fields.has("token")) throw new Error("the gateway's welcome has no token");
  const reason = fields.get("reason");
  const resumed = fields.get("resumed") === "true";
  return {
    type: "welcome",
    session: fields.get("session"),
    token: fields.get("token"),
    idle: number("idle", 0),
    window: number("window", 0),
    received: number("received"),
    sent: number("sent"),
    buffer: number("buffer", 0),
    resumed,
    reason,
    missed: number("missed", 0),
    /** The session is the former one, whether or not all of its messages were kept. */
    kept: resumed || reason === "missed",
  };
}
