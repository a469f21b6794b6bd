// Staying connected: which link is spoken on, which takes over from it, and when to try again.
//
// Every link is opened as `next`. When its socket opens it becomes `link` and says hello; one that was there before is `former` until the new one is
// live, so that a server that goes away (`drain`) is left without a gap. If the new one fails after its hello both are given up: what the former
// would go on to say might no longer fit what the new one has told.

import { deviceNow } from "./clock.js";
import { verdict } from "./closes.js";
import { Refused, Unavailable } from "./errors.js";

const TOKEN_MS = 30_000; // patience with the app's own token function
const PROOF_MS = 5_000; // patience with a connection that may have died while the phone slept

export class Connection {
  state = "idle";
  #talk;
  #connect;
  #token;
  #pause;
  #told;
  #link = null;
  #next = null;
  #former = null;
  #opening = false; // a token is being fetched
  #turn = 0; // of opening: what an earlier one still brings is not wanted any more
  #attempt = 0;
  #retry = null;
  #drain = null;

  /** `connect(told)` opens a link; `told`: { step(step), state(change), stopped(error) }. */
  constructor({ talk, connect, token, pause, told }) {
    [this.#talk, this.#connect, this.#token, this.#pause, this.#told] = [talk, connect, token, pause, told];
  }

  get ended() {
    return this.state === "stopped" || this.state === "closed";
  }

  start() {
    if (this.state === "idle") this.#open();
  }

  /** Say it on the present link; null says nothing. */
  send(frame) {
    this.#link?.send(frame);
  }

  /** Open a new link, resume there, then leave the old one. */
  handOver() {
    if (this.state === "live" && this.#next === null && this.#former === null && !this.#opening) this.#open();
  }

  /** Find out at once. */
  wake() {
    if (this.state === "waiting") this.#open();
    if (this.state !== "live") return;
    this.send(this.#talk.ping(deviceNow()));
    this.#link.expect(PROOF_MS);
  }

  drop() {
    this.#link?.drop();
  }

  close() {
    if (!this.ended) this.#end("closed");
  }

  /** A token, however it is had. */
  async fetchToken() {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Unavailable(`no token within ${TOKEN_MS / 1_000} s`)), TOKEN_MS);
    });
    try {
      return await Promise.race([this.#token(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  // -- opening --------------------------------------------------------------------------------------------------------------

  async #open() {
    clearTimeout(this.#retry);
    const turn = (this.#turn += 1);
    this.#opening = true;
    if (this.#link === null) this.#become("connecting");
    try {
      const token = await this.fetchToken();
      if (turn !== this.#turn) return;
      this.#opening = false;
      this.#next = this.#connect({
        opened: (link) => this.#opened(link, token),
        frame: (link, data) => this.#frame(link, data),
        ended: (link, code, reason) => this.#lost(link, code, reason),
      });
    } catch (problem) {
      if (turn !== this.#turn) return;
      this.#opening = false;
      if (problem instanceof Refused) this.#stop(problem);
      else this.#again(null, String(problem?.message ?? problem));
    }
  }

  #opened(link, token) {
    [this.#former, this.#link, this.#next] = [this.#link, link, null];
    this.send(this.#talk.hello(token, deviceNow()));
  }

  #again(code, reason) {
    clearTimeout(this.#retry);
    const retryInMs = Math.round(this.#pause(this.#attempt, Math.random(), reason));
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#open(), retryInMs);
    if (this.#link === null) this.#become("waiting", { retryInMs, closeCode: code, reason });
  }

  // -- while it lasts ---------------------------------------------------------------------------------------------------------

  #frame(link, data) {
    const current = link === this.#link;
    const step = current ? this.#talk.receive(data, deviceNow()) : this.#talk.overheard(data, deviceNow());
    link.expect(this.#talk.deadMs);
    for (const frame of step.frames) link.send(frame);
    for (const message of step.messages) {
      if (message.type === "live") this.#lively();
      if (message.type === "drain") this.#drained(link, message.after_ms);
    }
    this.#told.step(step);
  }

  #lively() {
    this.#attempt = 0;
    this.#former?.leave();
    this.#former = null;
    this.#become("live");
  }

  #drained(link, afterMs) {
    clearTimeout(this.#drain);
    this.#drain = setTimeout(() => link === this.#link && this.handOver(), afterMs);
  }

  // -- ends -------------------------------------------------------------------------------------------------------------------

  #lost(link, code, reason) {
    if (link === this.#former) this.#former = null;
    else if (link === this.#next) this.#notOpened(code, reason);
    else if (link === this.#link) this.#broken(code, reason);
  }

  #notOpened(code, reason) {
    this.#next = null;
    this.#again(code, reason);
  }

  #broken(code, reason) {
    this.#former?.leave();
    [this.#former, this.#link] = [null, null];
    this.#talk.lost(code);
    const final = verdict(code, reason);
    if (final) this.#stop(final);
    else if (this.#next || this.#opening) this.#become("connecting", { closeCode: code, reason }); // about to take over anyway
    else this.#again(code, reason);
  }

  #stop(error) {
    this.#end("stopped", { closeCode: error.closeCode ?? null, reason: error.message });
    this.#told.stopped(error);
  }

  #end(state, details) {
    this.#turn += 1;
    this.#opening = false;
    for (const timer of [this.#retry, this.#drain]) clearTimeout(timer);
    for (const link of [this.#next, this.#former, this.#link]) link?.leave();
    [this.#next, this.#former, this.#link] = [null, null, null];
    this.#talk.lost();
    this.#become(state, details);
  }

  #become(state, details = {}) {
    const former = this.state;
    this.state = state;
    if (state !== former) this.#told.state({ state, former, retryInMs: null, closeCode: null, reason: "", ...details });
  }
}
