/** Named events. What a listener throws is reported as an uncaught error, and harms nobody else. */
export class Emitter {
  #listeners = new Map();

  /** Calls `listener` with each event of this name. Gives back a function that ends it. */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.off(name, listener);
  }

  /** Ends what `on` began. */
  off(name, listener) {
    this.#listeners.get(name)?.delete(listener);
  }

  /** Not for users. */
  emit(name, event) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
