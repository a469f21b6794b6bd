// What this provider has before him: open proposals, those that are gone and why, and the bookings he holds. Nothing is drawn here.

import { Over } from "./counters.js";

const KEPT = "dispatch.inbox";
const GONE_KEPT = 10;
const OWN = new Set(["won", "done"]); // after these a proposal that leaves was answered here, and is no loss

/** Which of two reasons tells more: that he was too late tells more than that it was taken. */
const telling = (known, told) => (known === undefined || known === "away" || OWN.has(told) || (known === "taken" && told === "lost") ? told : known);

const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
};

export class Inbox {
  constructor() {
    const { proposals = [], bookings = [] } = read();
    this.proposals = new Map(proposals.map((proposal) => [proposal.proposal, proposal])); // as known last, in the order to be shown
    this.bookings = new Map(bookings.map((booking) => [booking.booking_id, booking]));
    this.counters = new Map(); // proposal -> my other times, while they are held or shown
    this.over = new Over(); // and those that are no more
    this.gone = new Map(); // proposal -> { proposal, reason }, the latest in front
    this.lost = new Map(); // bookings that he held until just now, as the server said it last
    this.reasons = new Map(); // why a proposal leaves, when that is told before it leaves
    this.seen = new Set();
    this.deciding = new Set(); // accepted, and it is decided in a moment who gets them
  }

  /** What is open now, as the server said it. Answers what is new, and what left: `{ fresh, gone }`. */
  take(client) {
    const before = this.proposals;
    this.proposals = new Map(client.proposals.map((proposal) => [proposal.proposal, proposal]));
    this.bookings = new Map(client.bookings.map((booking) => [booking.booking_id, booking]));
    this.counters = new Map(client.counters.map((counter) => [counter.proposal, counter]));
    for (const id of this.proposals.keys()) this.gone.delete(id); // it came back, in a new version
    const fresh = client.proposals.filter(({ proposal }) => !before.has(proposal));
    const gone = [...before.values()].filter(({ proposal }) => !this.proposals.has(proposal)).map((proposal) => this.#leave(proposal));
    this.#keep();
    return { fresh, gone: gone.filter(Boolean) };
  }

  #leave(proposal) {
    const reason = this.reasons.get(proposal.proposal) ?? "away";
    this.reasons.delete(proposal.proposal);
    this.seen.delete(proposal.proposal);
    if (OWN.has(reason)) return null;
    const left = { proposal, reason };
    this.gone = new Map([[proposal.proposal, left], ...this.gone].slice(0, GONE_KEPT));
    return left;
  }

  /** Why a proposal leaves, or has just left. What was said first stays, unless what is said now tells more. */
  because(id, reason) {
    const left = this.gone.get(id);
    if (this.proposals.has(id)) this.reasons.set(id, telling(this.reasons.get(id), reason));
    else if (OWN.has(reason)) this.gone.delete(id);
    else if (left) left.reason = telling(left.reason, reason);
  }

  /** A booking that he held is his no more. */
  lose(booking) {
    this.lost = new Map([[booking.booking_id, booking], ...this.lost].slice(0, GONE_KEPT));
  }

  dismiss(id) {
    this.gone.delete(id);
  }

  /** Over without a word from the server: nobody told, as nobody was connected. */
  expire(now) {
    const over = [...this.proposals.values()].filter(({ expires_at }) => expires_at <= now);
    for (const proposal of over) {
      this.proposals.delete(proposal.proposal);
      this.reasons.set(proposal.proposal, "expired");
      this.#leave(proposal);
    }
    return over.length > 0;
  }

  #keep() {
    localStorage.setItem(KEPT, JSON.stringify({ proposals: [...this.proposals.values()], bookings: [...this.bookings.values()] }));
  }
}
