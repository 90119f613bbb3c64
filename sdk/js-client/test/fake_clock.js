/** A clock that goes when it is told to. */
export class FakeClock {
  #now = 0;
  #timers = new Map();
  #count = 0;

  now = () => this.#now;

  after = (delay, call) => {
    this.#timers.set((this.#count += 1), { at: this.#now + delay, call });
    return this.#count;
  };

  cancel = (timer) => this.#timers.delete(timer);

  get timers() {
    return this.#timers.size;
  }

  /** Lets so many milliseconds pass, timer by timer. */
  pass(milliseconds) {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [timer, { at, call }] = due;
      this.#timers.delete(timer);
      this.#now = at;
      call();
    }
    this.#now = end;
  }
}
