// What a close code says about coming back. The table of it is in the README.

// The gateway's own sentences with 1008 that tell of a bad network, not of a client that may not be here.
const SLOW = ["handshake took too long", "frame took too long", "took nothing for too long", "reading too slowly"];
// More than a gateway's drain asks for; a peer cannot send a client away for days.
const LONGEST_WAIT = 600_000;

/** Whether it makes sense to connect again after an end with this code and reason. */
export function comesBack(code, reason) {
  if (code === 1008) return SLOW.includes(reason);
  // Of the codes of applications the lower half of each thousand asks to come back, the upper half to stay away.
  if (code >= 3000) return code % 1000 < 500;
  return ![1000, 1002, 1003, 1007, 1009, 1010].includes(code);
}

/** Milliseconds that the gateway asks to wait (`retry-after-ms=N` in the reason), at most ten minutes; else 0. */
export function retryAfter(reason) {
  const asked = /(?:^|[\s;])retry-after-ms=(\d{1,9})(?:$|[\s;])/.exec(reason);
  return asked ? Math.min(Number(asked[1]), LONGEST_WAIT) : 0;
}
