// The page's link to the engine, and what is done with what it hears there.

import { DeviceClient } from "/sdk/index.js";
import { NoToken } from "./account.js";
import { errorOf, outcomeOf } from "./answers.js";
import { heardOfTimes } from "./counters.js";
import * as installation from "./installation.js";
import { nameOf, placeOf } from "./proposals.js";
import { draw, it } from "./state.js";
import { tell } from "./status.js";
import * as visits from "./visits.js";
import { speech } from "./words.js";

const OF_NO_CARD = new Set(["status", "settings", "follow_up", "test", "report"]); // who says these waits for the answer himself

/** `shut(why)`: nobody is let in any more; `suggested(suggestion)`: one came with the answer to a refusal. */
const heeded = { shut: () => {}, suggested: () => {} };
export const heeds = (acts) => Object.assign(heeded, acts);

// -- its life -----------------------------------------------------------------------------------------------------------

export function connect() {
  disconnect();
  it.link = { state: "connecting", retryAt: 0, stopped: null };
  const background = document.hidden;
  it.client = new DeviceClient({ url: installation.deviceUrl(it.settings), token, device: it.account.device, app: "dispatch-pro", background, push: it.pushing.address, storage: localStorage });
  listen(it.client);
  for (const { id, type, proposal } of it.client.pending) it.asked.set(id, { type, proposal });
  it.client.start();
  draw();
}

export function disconnect() {
  const former = it.client;
  it.client = null;
  it.link = { state: "idle", retryAt: 0, stopped: null };
  former?.close();
}

function listen(mine) {
  const on = (name, act) => mine.on(name, (event) => mine === it.client && act(event));
  on("state", (change) => {
    it.link = { ...it.link, state: change.state, retryAt: Date.now() + (change.retryInMs ?? 0) };
    draw();
  });
  on("live", arrived);
  on("change", () => take());
  on("withdrawn", ({ proposal, reason }) => it.inbox.because(proposal, reason));
  on("result", (result) => answered(result));
  on("error", (error) => refused(error));
  on("booking", (booking) => heardOf(booking));
  on("counter", (counter) => take(heardOfTimes(counter, it.inbox)));
  on("test", (state) => draw(it.trial.hear(state)));
  on("notice", ({ text }) => text && tell(text));
  on("pending", (commands) => {
    for (const { id, type, proposal } of commands) it.asked.set(id, { type, proposal });
    draw();
  });
  on("stopped", (why) => stopped(why));
}

/** For the SDK, which asks for every connection. */
async function token() {
  try {
    return await it.account.token();
  } catch (problem) {
    if (problem instanceof NoToken) heeded.shut(nobody(problem));
    throw problem;
  }
}

/** Why nobody is let in. */
function nobody({ message }) {
  if (it.settings.token_url) return speech.words.elsewhere;
  return message ? speech.words.no_provider(message) : speech.words.ran_out;
}

async function arrived() {
  it.clock.hear(it.client.offsetMs);
  take();
  await it.account.learn().catch(() => {}); // the network may be gone again
  draw();
}

function stopped(why) {
  it.link = { ...it.link, state: "stopped", stopped: why };
  if (why.closeCode !== 4500) return draw();
  return heeded.shut(it.account.ranOut ? speech.words.ran_out : speech.words.bad_token);
}

// -- what is heard ------------------------------------------------------------------------------------------------------

function take() {
  it.clock.hear(it.client.offsetMs);
  const { fresh } = it.inbox.take(it.client);
  for (const proposal of fresh) announce(proposal);
  draw();
}

function announce(proposal) {
  if (it.link.state !== "live") return; // what was open before this page is no news
  tell(speech.words.fresh(nameOf(proposal, it.account), placeOf(proposal)), false, document.getElementById("proposals").hidden);
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.([120, 60, 120]); // browsers refuse it before
}

function answered({ id, outcome, proposal, booking, suggestion }) {
  const { type } = it.asked.get(id) ?? {};
  it.inbox.deciding[outcome === "pending" ? "add" : "delete"](proposal);
  if (outcome !== "pending") it.asked.delete(id);
  if (!type || OF_NO_CARD.has(type)) return;
  if (suggestion) heeded.suggested(suggestion);
  const known = it.inbox.proposals.get(proposal) ?? it.inbox.gone.get(proposal)?.proposal;
  const { said, note, gone } = outcomeOf(type, outcome, known ? nameOf(known, it.account) : "");
  if (gone) it.inbox.because(proposal, gone);
  if (note) it.notes.set(proposal, note);
  if (outcome === "won" && booking) it.inbox.bookings.set(booking.booking_id, booking);
  if (said || note) tell(said ?? note, outcome !== "won" && outcome !== "done");
  draw();
}

function refused(error) {
  const { type, proposal } = it.asked.get(error.id) ?? {};
  if (!type || error.retry || OF_NO_CARD.has(type)) return; // the SDK says it again by itself
  it.asked.delete(error.id);
  const text = errorOf(error);
  if (proposal) it.notes.set(proposal, text);
  else tell(text, true);
  draw();
}

function heardOf(booking) {
  if (booking.state === "accepted" || booking.state === "taken_over") return;
  if (booking.state === "completed") it.inbox.bookings.delete(booking.booking_id);
  if (it.inbox.bookings.has(booking.booking_id)) {
    it.inbox.lose(booking);
    tell(visits.lostText(booking, it.account), true);
  }
  take();
}
