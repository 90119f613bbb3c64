import { clock } from "./clock.js";

const positive = (name, value) => {
  if (typeof value === "number" && value > 0) return value;
  throw new TypeError(`${name} must be a number above 0, not ${value}`);
};

/** What the user said, with defaults for the rest. Throws where a value makes no sense. */
export function complete(options) {
  const WebSocket = options.WebSocket ?? globalThis.WebSocket;
  if (typeof WebSocket !== "function") {
    throw new TypeError("there is no WebSocket here: npm install ws, and pass { WebSocket } of it");
  }
  return {
    WebSocket,
    protocols: [options.protocols ?? []].flat(),
    resume: options.resume ?? true,
    token: options.token,
    received: options.received ?? 0,
    queue: {
      messages: positive("queue.messages", options.queue?.messages ?? 10_000),
      bytes: positive("queue.bytes", options.queue?.bytes ?? 1 << 20),
    },
    backoff: {
      base: positive("backoff.base", options.backoff?.base ?? 500),
      max: positive("backoff.max", options.backoff?.max ?? 32_000),
      random: options.random,
    },
    stableAfter: positive("stableAfter", options.stableAfter ?? 10_000),
    connectTimeout: positive("connectTimeout", options.connectTimeout ?? 10_000),
    heartbeat: positive("heartbeat", options.heartbeat ?? 25_000),
    shouldReconnect: options.shouldReconnect,
    clock: options.clock ?? clock,
  };
}
