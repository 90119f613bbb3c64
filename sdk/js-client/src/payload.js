import { isControl } from "./control.js";

const encoder = new TextEncoder();

/** What is sent, as it is kept until it is confirmed: bytes are copied, so that the caller may use them again. */
export function payload(data) {
  const kept = copy(data);
  if (isControl(kept)) throw new TypeError("a message must not begin with \\0WSN: those bytes are the protocol's");
  return { data: kept, bytes: size(kept) };
}

/** Bytes of a message. */
export function size(data) {
  return typeof data === "string" ? encoder.encode(data).length : data.length;
}

function copy(data) {
  if (typeof data === "string") return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  throw new TypeError("a message is a string, an ArrayBuffer or a view of one");
}
