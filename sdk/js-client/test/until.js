import { setTimeout as sleep } from "node:timers/promises";

/** Waits for a condition. The time is only the one after which a test that will never end ends. */
export async function until(what, condition, patience = 30_000) {
  const end = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await sleep(2);
  }
}
