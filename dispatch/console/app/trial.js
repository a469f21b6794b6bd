// Trying the notifications (R25b): a test proposal goes to every device by every way, and each receipt that comes back is shown.

import { list, make, say } from "../dom.js";
import { tell } from "./status.js";
import { seconds, speech } from "./words.js";

const PATIENCE = { timeoutMs: 30_000 };
const byId = (id) => document.getElementById(id);

/** The last test, as the engine and this device's own service worker tell of it. */
export class Trial {
  constructor() {
    this.state = null; // as told last; null: none was sent since this page began
    this.busy = false;
    this.arrived = new Set(); // tests whose notification this device has shown
  }

  /** The engine says how one stands. */
  hear(state) {
    this.state = state;
  }

  /** The service worker has shown a notification. */
  notified({ kind, id }) {
    if (kind === "test") this.arrived.add(id);
  }
}

/** Sends one; what comes of it is told by messages. `it`: the page's state. */
export async function send(it, draw) {
  const { trial } = it;
  if (trial.busy) return;
  if (it.link.state !== "live") return void tell(speech.words.trial_offline, true);
  trial.busy = true;
  draw();
  try {
    const { outcome } = await it.client.test(PATIENCE);
    if (outcome === "sent") tell(speech.words.trial_sent);
  } catch (problem) {
    tell(problem.code === "rate_limited" ? speech.words.limited : problem.message, true);
  }
  trial.busy = false;
  draw();
}

/** Draws it. */
export function drawTrial({ trial, account }) {
  const { words } = speech;
  const { state } = trial;
  const button = byId("trial-send");
  button.setAttribute("aria-busy", String(trial.busy));
  say(button, state ? words.trial_again : words.trial_send);
  const receipts = state?.receipts ?? [];
  byId("trial-none").hidden = !state || receipts.some(({ way }) => way === "push");
  const keyOf = ({ way, device }) => `${state.proposal}/${way}/${device}/${speech.language}`;
  list(byId("trial-receipts"), receipts, keyOf, (receipt) => line(receipt, account), (row, receipt) => {
    row.dataset.came = String(receipt.received_at !== null || receipt.outcome === "sent" || shownHere(receipt, trial, account));
    say(row.querySelector("span"), told(receipt, trial, account));
  });
}

const mine = ({ device }, account) => device === account.device;

/** Whether this device has shown the notification: its own service worker says so, whatever the push service did. */
const shownHere = (receipt, { state, arrived }, account) => receipt.way === "push" && mine(receipt, account) && arrived.has(state.proposal);

function line(receipt, account) {
  const { words } = speech;
  const where = mine(receipt, account) ? words.trial_here : words.trial_there(receipt.device ?? "");
  return make("li", { "data-way": receipt.way }, make("b", { textContent: `${words.trial_ways[receipt.way] ?? receipt.way} · ${where}` }), make("span"));
}

/** What came back by one way, in words. */
function told(receipt, trial, account) {
  const { words } = speech;
  const { state } = trial;
  const { received_at: received, seen_at: seen, outcome } = receipt;
  if (shownHere(receipt, trial, account)) return words.trial_arrived;
  if (outcome) return words.trial_outcomes[outcome] ?? outcome;
  if (received === null) return state.state === "open" ? words.trial_under_way : words.trial_nothing;
  const came = words.trial_received(seconds(received - state.sent_at));
  return seen === null ? came : `${came} ${words.trial_seen(seconds(seen - state.sent_at))}`;
}
