// A provider's device: one object that stays connected, whatever happens in between. The interface is told in ../index.d.ts.

import { deviceNow } from "./clock.js";
import { pauseMs } from "./closes.js";
import { CODECS } from "./codec.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { Emitter } from "./emitter.js";
import { refusal, Refused, TakenBack, Unavailable } from "./errors.js";
import { Link } from "./link.js";
import { watchPage } from "./page.js";
import { Queue } from "./queue.js";
import { VERSION } from "./version.js";
import { Waiters } from "./waiters.js";

export class DeviceClient {
  stopped = null;
  #talk;
  #queue;
  #connection;
  #events = new Emitter();
  #answers = new Waiters(); // by id of the command
  #lives = new Waiters();
  #told = 0; // version of the queue that listeners know
  #fixedToken;
  #watches;
  #unwatch = () => {};

  constructor(options) {
    const { url, token, device, encoding = "msgpack", app = `dispatch-js/${VERSION}`, background = false, push = null } = options;
    const { WebSocket = globalThis.WebSocket, storage = null, watchPage: watches = true, pause = pauseMs } = options;
    const codec = CODECS[encoding];
    if (!url || !token || !device) throw new TypeError("a device client needs `url`, `token` and `device`");
    if (!codec) throw new TypeError(`encoding ${encoding}: there are ${Object.keys(CODECS).join(" and ")}`);
    if (!WebSocket) throw new TypeError("no WebSocket here: hand in a class (`WebSocket` of the package ws), or start Node 20 with --experimental-websocket");
    this.#queue = new Queue({ storage, key: `dispatch:answers:${device}` });
    this.#talk = new Conversation({ codec, device, queue: this.#queue, app, background, push });
    this.#connection = new Connection({
      talk: this.#talk,
      connect: (told) => new Link({ WebSocket, url, subprotocol: codec.subprotocol, told }),
      token: async () => (typeof token === "function" ? token() : token),
      pause,
      told: { step: (step) => this.#step(step), state: (change) => this.#state(change), stopped: (error) => this.#stop(error) },
    });
    [this.#fixedToken, this.#watches] = [typeof token !== "function", watches];
  }

  // -- what is known --------------------------------------------------------------------------------------------------------

  get state() {
    return this.#connection.state;
  }

  get open() {
    return this.#talk.open;
  }

  get proposals() {
    const now = this.serverNow();
    return this.#items("proposal", (one, other) => one.answer_by - other.answer_by).filter(({ expires_at: end }) => end > now);
  }

  get bookings() {
    const start = ({ windows, window }) => windows[window ?? 0]?.start ?? 0;
    return this.#items("booking", (one, other) => start(one) - start(other));
  }

  get counters() {
    return this.#items("counter", (one, other) => one.seq - other.seq);
  }

  get pending() {
    return this.#queue.view();
  }

  get offsetMs() {
    return this.#talk.clock.offsetMs;
  }

  serverNow() {
    return deviceNow() + this.offsetMs;
  }

  msLeft(moment) {
    return Math.max(0, moment - this.serverNow());
  }

  #items(type, order) {
    return [...this.open.values()].filter((item) => item.type === type).sort(order);
  }

  // -- its life ---------------------------------------------------------------------------------------------------------------

  start() {
    if (this.state === "idle" && this.#watches) this.#unwatch = watchPage(() => this.wake());
    this.#connection.start();
    return this;
  }

  live(timeoutMs = null) {
    if (this.state === "live") return Promise.resolve();
    return this.#ended() ?? this.#lives.wait("live", timeoutMs, () => new Unavailable(`not connected within ${timeoutMs} ms`));
  }

  async close() {
    this.#connection.close();
    this.#finish(new Unavailable("this client is closed"));
  }

  on(name, listener) {
    return this.#events.on(name, listener);
  }

  once(name, listener) {
    return this.#events.once(name, listener);
  }

  wake() {
    this.#connection.wake();
  }

  drop() {
    this.#connection.drop();
  }

  setPush(push) {
    this.#talk.push = push;
    this.#connection.handOver();
  }

  // -- what a provider does -----------------------------------------------------------------------------------------------------

  accept({ proposal, version }, { window = 0, ...options } = {}) {
    return this.#ask({ type: "accept", id: idOf(options), proposal, version, window }, options);
  }

  refuse({ proposal, version }, { reason = null, ...options } = {}) {
    return this.#ask({ type: "refuse", id: idOf(options), proposal, version, reason }, options);
  }

  counter({ proposal, version }, { windows, note = "", ...options }) {
    return this.#ask({ type: "counter", id: idOf(options), proposal, version, windows, note }, options);
  }

  report({ proposal }, { reason, ...options }) {
    return this.#ask({ type: "report", id: idOf(options), proposal, reason }, options);
  }

  cancel({ booking_id }, { reason = null, declares = null, ...options } = {}) {
    return this.#ask({ type: "cancel", id: idOf(options), booking_id, reason, declares }, options);
  }

  late({ booking_id }, { minutes, ...options }) {
    return this.#ask({ type: "late", id: idOf(options), booking_id, minutes }, options);
  }

  status({ available = null, background = null }, options = {}) {
    return this.#ask({ type: "status", id: idOf(options), available, background }, options);
  }

  test(options = {}) {
    return this.#ask({ type: "test", id: idOf(options) }, options);
  }

  settings({ doNotDisturb, suggestion = null }, options = {}) {
    const quiet = doNotDisturb === undefined ? {} : { do_not_disturb: doNotDisturb };
    return this.#ask({ type: "settings", id: idOf(options), ...quiet, suggestion }, options);
  }

  followUp({ kind, text = "" }, options = {}) {
    return this.#ask({ type: "follow_up", id: idOf(options), kind, text }, options);
  }

  takeBack(id) {
    const inTime = this.#queue.takeBack(id);
    if (inTime) this.#answers.reject(id, new TakenBack(id));
    this.#queued();
    return inTime;
  }

  seen(...proposals) {
    this.#connection.send(this.#talk.seen(proposals));
  }

  sync() {
    this.#connection.send(this.#talk.sync());
  }

  async refresh() {
    if (this.#fixedToken) throw new Refused("no way to a newer token: `token` must be a function", "bad_request");
    const token = await this.#connection.fetchToken();
    const [id, ended] = [newId(), this.#ended()];
    const frame = this.#talk.refresh(id, token);
    if (ended) return ended;
    if (frame === null) return undefined; // the next connection brings a fresh one anyway
    const refreshed = this.#answers.wait(id, 30_000, () => new Unavailable("the newer token was not answered"));
    this.#connection.send(frame);
    return void (await refreshed);
  }

  /** Say a command until it is answered, on however many connections. */
  #ask(command, { timeoutMs = null }) {
    const ended = this.#ended();
    if (ended) return ended;
    try {
      const frame = this.#talk.command(command);
      const answer = this.#answers.wait(command.id, timeoutMs, () => this.#forget(command.id, timeoutMs));
      this.#connection.send(frame);
      this.#queued();
      return answer;
    } catch (problem) {
      return Promise.reject(problem);
    }
  }

  #forget(id, timeoutMs) {
    this.#queue.remove(id);
    this.#queued();
    return new Unavailable(`no answer within ${timeoutMs} ms; ask again with the same id: ${id}`);
  }

  /** What somebody is told who asks when it is over; null while it is not. */
  #ended() {
    if (this.stopped) return handled(Promise.reject(this.stopped));
    return this.state === "closed" ? handled(Promise.reject(new Unavailable("this client is closed"))) : null;
  }

  // -- what happens -------------------------------------------------------------------------------------------------------------

  #step({ messages, changed, again }) {
    for (const message of messages) {
      this.#settle(message, again);
      this.#events.emit(message.type, message);
    }
    if (again) setTimeout(() => this.#connection.send(this.#talk.again(again.id)), again.afterMs);
    if (changed) this.#events.emit("change", this.open);
    this.#queued();
  }

  #settle(message, again) {
    const { type, id } = message;
    if (type === "live") this.#lives.resolve("live");
    else if (type === "refreshed") this.#answers.resolve(id, message);
    else if (type === "result" && message.outcome !== "pending") this.#answers.resolve(id, message);
    else if (type === "error" && again?.id !== id) this.#answers.reject(id, refusal(message));
    else if (type === "auth_needed") this.#renew(message.by);
  }

  /** The server wants a newer token before `by`. Without one it closes (4012), and the next connection brings one. */
  async #renew(by) {
    for (let attempt = 0; !this.#fixedToken && this.state === "live" && this.msLeft(by) > 0; attempt += 1) {
      try {
        return await this.refresh();
      } catch {
        await new Promise((wake) => setTimeout(wake, 250 + pauseMs(attempt, Math.random())));
      }
    }
    return undefined;
  }

  #state(change) {
    this.#events.emit("state", change);
  }

  #stop(error) {
    this.stopped = error;
    this.#finish(error);
    this.#events.emit("stopped", error);
  }

  #finish(error) {
    this.#unwatch();
    this.#lives.rejectAll(error);
    this.#answers.rejectAll(error);
  }

  #queued() {
    if (this.#told === this.#queue.version) return;
    this.#told = this.#queue.version;
    this.#events.emit("pending", this.pending);
  }
}

function idOf({ id }) {
  return id ?? newId();
}

/** 128 bits of chance. (`randomUUID` is missing on pages without TLS.) */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A rejection that nobody looks at is no error of the page. */
function handled(promise) {
  promise.catch(() => {});
  return promise;
}
