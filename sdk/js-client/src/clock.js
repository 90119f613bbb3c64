/** Time and timers; tests have one of their own. `now` in milliseconds, never going back. */
export const clock = {
  now: () => performance.now(),
  after: (milliseconds, call) => setTimeout(call, milliseconds),
  cancel: (timer) => clearTimeout(timer),
};
