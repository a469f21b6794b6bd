// A device's half of the conversation, without a socket and without a clock: frames go in, messages and frames come out.
//
//     connection opened -> send hello(token, now)
//     frame arrived     -> step = receive(data, now): send step.frames, show step.messages
//     connection lost   -> lost(closeCode); then connect again, or not (`verdict`)
//
// One conversation lives as long as the device does. `dispatch/client/protocol.py` is its twin: the same stories are told to both. While one
// connection takes over from another, `overheard` takes in what the former still says. `now` is this device's clock, ms since 1970.

import { Clock } from "./clock.js";
import { CLOSES } from "./closes.js";
import { INBOUND_LIMIT } from "./codec.js";
import { Refused } from "./errors.js";
import { readItem } from "./messages.js";

const GREETING_MS = 15_000; // patience until `welcome` says how patient to be
const SEEN_LIMIT = 64; // proposals of one `ack`
const ANSWERED_LIMIT = 256; // proposals answered here that are remembered
const STREAMED = new Set(["proposal", "withdrawn", "booking", "counter", "notice", "test"]); // what counts in the provider's stream
const OF_NO_ITEM = new Set(["notice", "test"]); // of these, what changes nothing that is open
const GONE = new Set(["won", "lost", "expired", "cancelled", "already_yours", "not_asked", "done"]); // answers after which a proposal is gone
const OF_A_PROPOSAL = new Set(["accept", "refuse"]); // commands whose answer ends it

export class Conversation {
  state = "closed"; // closed, greeting (hello said; replay runs until `live`), live
  open = new Map();
  epoch = null;
  seq = 0;
  clock = new Clock();
  #heartbeat = null;
  #welcome = null;
  #page = null; // what will replace `open` once it is complete
  #syncing = null;
  #syncs = 0;
  #owesAck = false;
  #seen = []; // on the screen, and not said yet
  #answered = new Set(); // proposals that this device has answered
  #helloAt = 0;

  constructor({ codec, device, queue, app = "", background = false, push = null }) {
    Object.assign(this, { codec, device, queue, app, background, push });
    for (const command of queue.commands()) this.#remember(command);
  }

  /** After so much silence the connection is dead. */
  get deadMs() {
    return this.#heartbeat && this.state === "live" ? this.#heartbeat.dead_ms : GREETING_MS;
  }

  // -- the connection -----------------------------------------------------------------------------------------------------

  /** First frame of a new connection. */
  hello(token, now) {
    Object.assign(this, { state: "greeting" });
    [this.#page, this.#syncing, this.#helloAt] = [null, null, now];
    const { device, app, background, push, epoch, seq } = this;
    const resume = epoch === null ? null : { epoch, seq };
    return this.codec.encode({ type: "hello", token, device, app, resume, background, push });
  }

  /** The connection is gone. Commands without an answer are repeated, with their ids, on the next one. */
  lost(closeCode = null) {
    this.state = "closed";
    if (closeCode === CLOSES.STATE_LOST) this.epoch = null; // what we stand on is no more: begin again from a snapshot
  }

  // -- what the device says -------------------------------------------------------------------------------------------------

  /** Say this until it is answered. null: there is no live connection, it is said on the next one. */
  command(command) {
    const frame = this.codec.encode(command);
    if (this.codec.size(frame) > INBOUND_LIMIT) throw new Refused(`a command of more than ${INBOUND_LIMIT} bytes`, "bad_request");
    this.queue.add(command);
    this.#remember(command);
    if (command.type === "status") this.background = command.background ?? this.background;
    return this.again(command.id);
  }

  /** A queued command once more. */
  again(id) {
    const command = this.queue.get(id);
    if (command === null || this.state !== "live") return null;
    this.queue.said([command]);
    return this.codec.encode(command);
  }

  /** These proposals are on the screen. null: said on the next connection. */
  seen(proposals) {
    if (this.state === "live") return this.#ack(proposals.slice(0, SEEN_LIMIT));
    this.#seen = [...this.#seen, ...proposals].slice(-SEEN_LIMIT);
    return null;
  }

  /** Ask for everything that is open. null: there is no live connection (the next one tells it anyway), or the question was asked already. */
  sync() {
    if (this.state !== "live" || this.#syncing !== null) return null;
    this.#syncs += 1;
    this.#syncing = `sync-${this.#syncs}`;
    return this.codec.encode({ type: "sync", id: this.#syncing });
  }

  /** Are you there? */
  ping(now) {
    return this.codec.encode({ type: "ping", seq: this.seq, now });
  }

  /** A newer token. It is not repeated: the next connection brings one anyway. */
  refresh(id, token) {
    return this.state === "live" ? this.codec.encode({ type: "refresh", id, token }) : null;
  }

  #ack(seen = []) {
    this.#owesAck = false;
    return this.codec.encode({ type: "ack", seq: this.seq, seen });
  }

  #remember({ type, proposal }) {
    if (!OF_A_PROPOSAL.has(type)) return;
    this.#answered.add(proposal);
    if (this.#answered.size > ANSWERED_LIMIT) this.#answered.delete(this.#answered.values().next().value);
  }

  // -- what the server says ---------------------------------------------------------------------------------------------------

  /** Take in one frame. A message that nobody here knows is dropped: the server may be newer. */
  receive(data, now) {
    return this.#heard(data, now, true);
  }

  /** Take in a frame of the connection that is being left: its stream and its answers still count. */
  overheard(data, now) {
    return this.#heard(data, now, false);
  }

  #heard(data, now, current) {
    const message = this.codec.decode(data);
    if (STREAMED.has(message?.type)) return this.#streamed(message);
    switch (message?.type) {
      case undefined: return step();
      case "ping": return this.#pinged(message, now, current);
      case "result":
      case "error": return this.#settled(message);
      default: return current ? this.#ofCurrent(message, now) : step();
    }
  }

  /** What counts only on the connection that stays. */
  #ofCurrent(message, now) {
    switch (message.type) {
      case "pong": return this.#timed(message, now);
      case "welcome": return this.#welcomed(message, now);
      case "live": return this.#live(message);
      case "snapshot": return this.#snapshot(message);
      default: return step([message]);
    }
  }

  #streamed(message) {
    if (message.seq <= this.seq) return step(); // a double
    this.seq = message.seq;
    apply(message, this.#page ?? this.open);
    this.#owesAck ||= message.type === "proposal";
    const frames = this.#owesAck && this.state === "live" ? [this.#ack()] : [];
    const own = message.type === "withdrawn" && message.reason === "answered_elsewhere" && this.#answered.has(message.proposal);
    return step(own ? [] : [message], frames, !OF_NO_ITEM.has(message.type));
  }

  #pinged(ping, now, current) {
    this.clock.heard(ping.now, now);
    const missed = current && ping.seq > this.seq ? this.sync() : null;
    return step([], [this.codec.encode({ type: "pong", seq: this.seq, now }), missed].filter(Boolean));
  }

  #timed(pong, now) {
    this.clock.heard(pong.now, now);
    return step();
  }

  #settled(answer) {
    if (answer.id === null) return step([answer]);
    if (answer.seq !== undefined && !this.#decided(answer)) return step();
    if (answer.id === this.#syncing) this.#syncing = null;
    const command = this.queue.get(answer.id);
    if (answer.type === "error") return this.#failed(answer, command);
    if (answer.outcome !== "pending") this.queue.remove(answer.id); // pending: one more result follows, if need be on another connection
    const gone = GONE.has(answer.outcome) && answer.proposal && (command ? OF_A_PROPOSAL.has(command.type) : answer.outcome !== "done");
    return step([answer], [], gone && this.open.delete(answer.proposal));
  }

  /** What was pending is decided: that comes in the stream. Whether it is news, and was asked on this device. */
  #decided({ id, seq }) {
    if (seq <= this.seq) return false; // a double
    this.seq = seq;
    return this.queue.get(id) !== null;
  }

  #failed(error, command) {
    if (command && error.retry) return { ...step([error]), again: { id: error.id, afterMs: error.after_ms ?? 500 } };
    this.queue.remove(error.id);
    return step([error]);
  }

  #welcomed(welcome, now) {
    [this.#welcome, this.#heartbeat] = [welcome, welcome.heartbeat];
    this.clock.answered(welcome.now, this.#helloAt, now);
    if (!welcome.resumed) {
      [this.epoch, this.seq, this.#page] = [null, welcome.seq, new Map()]; // cut before `live`: begin again from nothing
      this.#turn(welcome.items);
    }
    return step();
  }

  #live(live) {
    if (this.#welcome === null) return step();
    [this.state, this.epoch, this.seq] = ["live", this.#welcome.epoch, Math.max(this.seq, live.seq)];
    const fresh = this.#page ? this.#replace() : [];
    const frames = this.#owesAck || this.#seen.length ? [this.#ack(this.#seen)] : [];
    this.#seen = [];
    const commands = this.queue.commands();
    this.queue.said(commands);
    frames.push(...commands.map((command) => this.codec.encode(command)));
    return step([...fresh, live], frames, true);
  }

  #snapshot(snapshot) {
    this.#page ??= new Map();
    this.#turn(snapshot.items);
    if (snapshot.id === null || snapshot.more) return step(); // the rest of a welcome, which `live` completes; or more pages to come
    [this.#syncing, this.epoch, this.seq] = [null, snapshot.epoch, snapshot.seq];
    return step(this.#replace(), [this.#ack()], true);
  }

  /** Add a page of items to what will replace `open`. */
  #turn(items) {
    for (const item of items.map(readItem)) {
      if (item === null) continue;
      apply(item, this.#page);
      this.#owesAck ||= item.type === "proposal";
    }
  }

  /** `open` becomes what the server said is open; the answer is what the app did not know yet. */
  #replace() {
    const former = this.open;
    [this.open, this.#page] = [this.#page, null];
    return [...this.open].filter(([key, item]) => JSON.stringify(former.get(key)) !== JSON.stringify(item)).map(([, item]) => item);
  }
}

/** What follows from a frame: `messages` for the app, `frames` for the server; `changed`: what is open; `again`: a command to be repeated later. */
function step(messages = [], frames = [], changed = false) {
  return { messages, frames, changed, again: null };
}

/** What a message of the stream changes in what is open. */
function apply(message, known) {
  const counter = `counter:${message.proposal}`;
  if (message.type === "proposal") known.set(message.proposal, message);
  else if (message.type === "withdrawn") known.delete(message.proposal);
  else if (message.type === "booking" && (message.state === "accepted" || message.state === "taken_over")) known.set(message.booking_id, message);
  else if (message.type === "booking") known.delete(message.booking_id);
  else if (message.type === "counter" && (message.state === "held" || message.state === "shown")) known.set(counter, message);
  else if (message.type === "counter") known.delete(counter);
}
