// Promises by the key of what they wait for. One that nobody looks at any more may fail unnoticed.

export class Waiters {
  #waiting = new Map(); // key -> [{ resolve, reject, timer }]

  /** Resolves or rejects when the key is settled, or with `late()` after `timeoutMs` (null: never). */
  wait(key, timeoutMs, late) {
    const promise = new Promise((resolve, reject) => {
      const waiter = { resolve, reject, timer: null };
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), waiter]);
      if (timeoutMs !== null) waiter.timer = setTimeout(() => this.#tooLate(key, waiter, late()), timeoutMs);
    });
    promise.catch(() => {});
    return promise;
  }

  resolve(key, value) {
    for (const { resolve } of this.#take(key)) resolve(value);
  }

  reject(key, error) {
    for (const { reject } of this.#take(key)) reject(error);
  }

  rejectAll(error) {
    for (const key of [...this.#waiting.keys()]) this.reject(key, error);
  }

  #tooLate(key, waiter, error) {
    const others = (this.#waiting.get(key) ?? []).filter((other) => other !== waiter);
    if (others.length) this.#waiting.set(key, others);
    else this.#waiting.delete(key);
    waiter.reject(error);
  }

  #take(key) {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const { timer } of waiting) clearTimeout(timer);
    return waiting;
  }
}
