// Commands without a final answer, in the order in which they were given: said on every connection until one answers. With a storage they outlive
// the page, for an hour: what a provider wanted earlier than that he is asked again.

import { Refused } from "./errors.js";

export const LIMIT = 256; // commands without an answer
const KEPT_MS = 3_600_000;
// answers; a status, or being late, speaks of the moment
const KEPT = new Set(["accept", "refuse", "counter", "report", "cancel", "follow_up"]);

export class Queue {
  #entries = new Map(); // id -> { command, sent, at }
  #storage;
  #key;
  #now;
  version = 0; // grows with every change

  constructor({ storage = null, key = "", now = Date.now } = {}) {
    [this.#storage, this.#key, this.#now] = [storage, key, now];
    for (const entry of this.#load()) this.#entries.set(entry.command.id, entry);
  }

  get(id) {
    return this.#entries.get(id)?.command ?? null;
  }

  /** Commands in order. */
  commands() {
    return [...this.#entries.values()].map(({ command }) => command);
  }

  /** As an app shows them. */
  view() {
    return [...this.#entries.values()].map(({ command: { id, type, proposal = null }, sent }) => ({ id, type, proposal, sent }));
  }

  add(command) {
    const same = this.get(command.id);
    if (same && JSON.stringify(same) !== JSON.stringify(command)) throw new Refused(`the id ${command.id} is another command's`, "bad_request");
    if (same) return;
    if (this.#entries.size >= LIMIT) throw new Refused(`${LIMIT} commands wait for an answer; let some be answered first`, "rate_limited");
    this.#entries.set(command.id, { command, sent: false, at: this.#now() });
    this.#save();
  }

  /** These are being said: from now on they may have been heard. */
  said(commands) {
    for (const { id } of commands) this.#entries.get(id).sent = true;
    if (commands.length) this.#save();
  }

  remove(id) {
    const removed = this.#entries.delete(id);
    if (removed) this.#save();
    return removed;
  }

  /** Remove what was never said; whether that came in time. */
  takeBack(id) {
    return this.#entries.get(id)?.sent === false && this.remove(id);
  }

  #load() {
    try {
      const kept = JSON.parse(this.#storage?.getItem(this.#key) ?? "[]");
      return kept.filter(({ command, at }) => KEPT.has(command.type) && this.#now() - at < KEPT_MS).slice(0, LIMIT);
    } catch {
      return []; // somebody else wrote there
    }
  }

  #save() {
    this.version += 1;
    const kept = [...this.#entries.values()].filter(({ command }) => KEPT.has(command.type));
    try {
      if (kept.length) this.#storage?.setItem(this.#key, JSON.stringify(kept));
      else this.#storage?.removeItem(this.#key);
    } catch {
      // a full or forbidden storage: the answers live as long as the page
    }
  }
}
