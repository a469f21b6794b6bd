// Puts the provider's page together: who he is, his link to the engine, what he sees, what he answers.

import { DeviceClient, Stopped, TakenBack } from "/sdk/index.js";
import { say } from "../dom.js";
import { Account, brought, NoToken } from "./account.js";
import { askReason, askTimes, errorOf, outcomeOf } from "./answers.js";
import { Areas } from "./areas.js";
import { ServerClock } from "./clock.js";
import { drawCounters, heardOfTimes } from "./counters.js";
import { Inbox } from "./inbox.js";
import * as installation from "./installation.js";
import { nameOf, placeOf, Proposals } from "./proposals.js";
import * as push from "./push.js";
import { drawLink, drawNotices, tell } from "./status.js";
import { drawSwitches } from "./switches.js";
import * as visits from "./visits.js";
import { Wishes } from "./wishes.js";
import { preferred, speak, speech } from "./words.js";

const TICK_MS = 250;
const TABS = ["proposals", "bookings", "settings"];
const OF_NO_CARD = new Set(["status", "settings", "follow_up"]);
const byId = (id) => document.getElementById(id);

let settings; // of this installation
let account;
let client = null;
let inbox = new Inbox();
let clock = new ServerClock();
let link = { state: "idle", retryAt: 0, stopped: null };
let changing = null; // the availability that was asked for and is not confirmed yet
let installer = null; // the browser's offer to install
let newer = false; // a newer version of the page lies ready
let pushing = { address: null, busy: false, problem: "" };
const asked = new Map(); // commands of this page: id -> { type, proposal }

// -- the link to the engine ---------------------------------------------------------------------------------------------

function connect() {
  disconnect();
  link = { state: "connecting", retryAt: 0, stopped: null };
  client = new DeviceClient({ url: installation.deviceUrl(settings), token, device: account.device, app: "dispatch-pro", background: document.hidden, push: pushing.address, storage: localStorage });
  const mine = client;
  const on = (name, act) => client.on(name, (event) => mine === client && act(event));
  on("state", (change) => {
    link = { ...link, state: change.state, retryAt: Date.now() + (change.retryInMs ?? 0) };
    draw();
  });
  on("live", arrived);
  on("change", () => take());
  on("withdrawn", ({ proposal, reason }) => inbox.because(proposal, reason));
  on("result", (result) => answered(result));
  on("error", (error) => refused(error));
  on("booking", (booking) => heardOf(booking));
  on("counter", (counter) => take(heardOfTimes(counter, inbox)));
  on("notice", ({ text }) => text && tell(text));
  on("pending", (commands) => {
    for (const { id, type, proposal } of commands) asked.set(id, { type, proposal });
    draw();
  });
  on("stopped", (why) => stopped(why));
  for (const { id, type, proposal } of client.pending) asked.set(id, { type, proposal });
  client.start();
  draw();
}

function disconnect() {
  const former = client;
  client = null;
  former?.close();
}

/** Why nobody is let in. */
function nobody({ message }) {
  if (settings.token_url) return speech.words.elsewhere;
  return message ? speech.words.no_provider(message) : speech.words.ran_out;
}

/** For the SDK, which asks for every connection. */
async function token() {
  try {
    return await account.token();
  } catch (problem) {
    if (problem instanceof NoToken) knock(nobody(problem));
    throw problem;
  }
}

async function arrived() {
  clock.hear(client.offsetMs);
  take();
  await account.learn().catch(() => {}); // the network may be gone again
  draw();
}

function stopped(why) {
  link = { ...link, state: "stopped", stopped: why };
  if (why.closeCode !== 4500) return draw();
  return knock(account.ranOut ? speech.words.ran_out : speech.words.bad_token);
}

// -- what happens -------------------------------------------------------------------------------------------------------

function take() {
  clock.hear(client.offsetMs);
  const { fresh } = inbox.take(client);
  for (const proposal of fresh) announce(proposal);
  draw();
}

function announce(proposal) {
  if (link.state !== "live") return; // what was open before this page is no news
  tell(speech.words.fresh(nameOf(proposal, account), placeOf(proposal)), false, byId("proposals").hidden);
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.([120, 60, 120]); // browsers refuse it before
}

function answered({ id, outcome, proposal, booking, suggestion }) {
  const { type } = asked.get(id) ?? {};
  inbox.deciding[outcome === "pending" ? "add" : "delete"](proposal);
  if (outcome !== "pending") asked.delete(id);
  if (!type || OF_NO_CARD.has(type)) return;
  if (suggestion) wishes.suggest(suggestion);
  const known = inbox.proposals.get(proposal) ?? inbox.gone.get(proposal)?.proposal;
  const what = known ? nameOf(known, account) : "";
  const { said, note, gone } = outcomeOf(type, outcome, what);
  if (gone) inbox.because(proposal, gone);
  if (note) cards.notes.set(proposal, note);
  if (outcome === "won" && booking) inbox.bookings.set(booking.booking_id, booking);
  if (said || note) tell(said ?? note, outcome !== "won" && outcome !== "done");
  draw();
}

function refused(error) {
  const { type, proposal } = asked.get(error.id) ?? {};
  if (!type || error.retry || OF_NO_CARD.has(type)) return; // the SDK says it again by itself
  asked.delete(error.id);
  const text = errorOf(error);
  if (proposal) cards.notes.set(proposal, text);
  else tell(text, true);
  draw();
}

function heardOf(booking) {
  if (booking.state === "accepted" || booking.state === "taken_over") return;
  if (booking.state === "completed") inbox.bookings.delete(booking.booking_id);
  if (inbox.bookings.has(booking.booking_id)) {
    inbox.lose(booking);
    tell(visits.lostText(booking, account), true);
  }
  take();
}

// -- what he does -------------------------------------------------------------------------------------------------------

/** The answer arrives as an event, also after the page was loaded anew; what was never sent is told by the promise alone. */
function command({ proposal }, say_) {
  cards.notes.delete(proposal);
  say_().catch((problem) => {
    if (problem instanceof TakenBack || problem instanceof Stopped || cards.notes.has(proposal)) return;
    cards.notes.set(proposal, errorOf(problem));
    draw();
  });
  draw();
}

const does = {
  accept: (proposal, window) => command(proposal, () => client.accept(proposal, { window })),
  refuse: async (proposal) => {
    const said = await askReason();
    if (said) command(proposal, () => client.refuse(proposal, said));
  },
  counter: async (proposal) => {
    const said = await askTimes(proposal, account.zone, clock.now());
    if (said) command(proposal, () => client.counter(proposal, said));
  },
  takeBack: ({ proposal }) => {
    const waiting = client.pending.find((each) => each.proposal === proposal);
    if (waiting && client.takeBack(waiting.id)) tell(speech.words.taken_back);
  },
  dismiss: ({ proposal }) => {
    inbox.dismiss(proposal);
    draw();
    byId("proposals-title").focus();
  },
  setAvailable: (available) => {
    changing = available;
    client
      ?.status({ available }, { timeoutMs: 30_000 })
      .then(() => account.note({ available, paused: false }))
      .catch((problem) => tell(problem.message, true))
      .finally(() => {
        changing = null;
        draw();
      });
    draw();
  },
  setPush: async (on) => {
    const { address } = pushing;
    pushing = { ...pushing, busy: true, problem: "" };
    draw();
    pushing = await push.switched(on, settings, pushing, speech.words.push_failed);
    if (pushing.address !== address) client?.setPush(pushing.address);
    draw();
  },
  install: async () => {
    await installer.prompt();
    installer = null;
    draw();
  },
  leave: async () => {
    await push.unsubscribe().catch(() => {});
    account.forget();
    inbox = new Inbox();
    knock("");
  },
};

// -- the screen ---------------------------------------------------------------------------------------------------------

const areas = new Areas((id) => {
  areas.choose(id);
  const card = [...byId("cards").children].find((each) => each.dataset.id === id);
  card?.scrollIntoView({ block: "center" });
  card?.querySelector("h3").focus({ preventScroll: true });
});
const wishes = new Wishes({ client: () => client, account: () => account, draw });
const cards = new Proposals(byId("cards"), does, shown, (id) => areas.choose(id));

/** A proposal is before his eyes: the clock of his answer starts (R22). */
function shown(id) {
  if (inbox.seen.has(id) || !inbox.proposals.has(id) || !client) return;
  inbox.seen.add(id);
  client.seen(id);
}

function outdated(isOld) {
  newer = isOld;
  draw();
}

let due = 0;

/** Draws everything, once for all that changed in this turn. */
function draw() {
  due ||= setTimeout(() => {
    due = 0;
    drawNow();
  });
}

function drawNow() {
  if (!account) return; // the page has only just begun
  const now = clock.now();
  const live = link.state === "live";
  say(byId("who"), account.facts?.name ?? speech.words.app);
  drawLink(link, account.known);
  drawNotices({ link, account, changing, newer, connect, turnOn: () => does.setAvailable(true) });
  cards.draw({ inbox, account, pending: client?.pending ?? [], live, now });
  wishes.draw(byId("suggested"));
  drawCounters(byId("counters"), { inbox, account, now, draw });
  const none = inbox.proposals.size + inbox.gone.size === 0;
  byId("proposals-none").hidden = !none;
  say(byId("proposals-none"), account.facts?.available === false ? speech.words.none_off : speech.words.none_on);
  visits.drawVisits(byId("visits"), { inbox, account, dismiss: forgetBooking });
  byId("bookings-none").hidden = inbox.bookings.size + inbox.lost.size > 0;
  drawSwitches(byId("switches"), { account, settings, changing, push: pushing, installer, does, wishes });
  areas.draw(inbox, account.facts?.zone ?? null);
  drawCounts();
}

function forgetBooking({ booking_id: id }) {
  inbox.lost.delete(id);
  draw();
  byId("bookings-title").focus();
}

function drawCounts() {
  const counts = { proposals: inbox.proposals.size, bookings: inbox.bookings.size };
  for (const [name, count] of Object.entries(counts)) say(document.querySelector(`[data-tab=${name}] .count`), count ? String(count) : "");
  document.title = `${counts.proposals ? `(${counts.proposals}) ` : ""}${speech.words.app}`;
  (counts.proposals ? navigator.setAppBadge?.(counts.proposals) : navigator.clearAppBadge?.())?.catch(() => {});
}

/** What changes by time alone. */
function tick() {
  if (!client || document.hidden) return;
  clock.hear(client.offsetMs);
  const now = clock.now();
  if (link.state !== "live" && inbox.expire(now)) draw();
  cards.tick(inbox, now);
  drawLink(link, account.known);
}

// -- views, language, sign-in -------------------------------------------------------------------------------------------

function view() {
  const fragment = location.hash.slice(1);
  const here = TABS.includes(fragment) ? fragment : "proposals";
  const open = account.known;
  for (const name of TABS) byId(name).hidden = !open || name !== here;
  byId("door").hidden = open;
  byId("tabs").hidden = !open;
  for (const tab of document.querySelectorAll("[data-tab]")) {
    if (tab.dataset.tab === here) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

/** Nobody, or nobody who may come in: the door. */
function knock(problem) {
  disconnect();
  account.take(null);
  link = { state: "idle", retryAt: 0, stopped: null };
  inbox = new Inbox();
  byId("door-dev").hidden = !settings.dev;
  say(byId("door-problem"), problem);
  view();
  drawNow();
  byId("door-link").elements.link.focus();
}

/** Takes what a link or a form brings; whether it did. */
function enter(text) {
  const held = brought(text, settings.dev);
  if (!held) return false;
  account.take(held);
  inbox = new Inbox();
  history.replaceState(null, "", location.pathname); // a token does not stay in the address bar
  view();
  connect();
  return true;
}

function setLanguage(language) {
  speak(language);
  say(byId("language"), speech.words.other_language);
  byId("language").lang = speech.language === "fr" ? "en" : "fr";
  navigator.serviceWorker?.ready.then((registration) => registration.active?.postMessage({ language: speech.language })).catch(() => {});
}

byId("language").addEventListener("click", () => {
  localStorage.language = speech.language === "fr" ? "en" : "fr";
  setLanguage(localStorage.language);
  drawNow();
});
byId("said").addEventListener("click", () => tell(""));
byId("door-link").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const text = form.elements.link.value;
  form.elements.link.value = "";
  if (!enter(text)) say(byId("door-problem"), speech.words.bad_link);
});
byId("door-dev").addEventListener("submit", (event) => {
  event.preventDefault();
  const { market, provider } = event.target.elements;
  enter(`#${new URLSearchParams({ market: market.value.trim(), provider: provider.value.trim() })}`);
});
addEventListener("hashchange", () => {
  if (enter(location.hash)) return;
  view();
  tell("");
  const title = document.querySelector("section:not([hidden]) h2");
  title?.setAttribute("tabindex", "-1");
  title?.focus();
});
document.addEventListener("visibilitychange", () => {
  client?.status({ background: document.hidden }, { timeoutMs: 30_000 }).catch(() => {});
  if (document.hidden) return;
  tick();
  cards.look();
});
for (const change of ["online", "offline"]) addEventListener(change, draw);
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  installer = event;
  draw();
});

// -- the beginning ------------------------------------------------------------------------------------------------------

async function begin() {
  setLanguage(localStorage.language ?? preferred(navigator.languages));
  settings = await installation.read();
  clock = new ServerClock(settings.speed);
  account = new Account(settings);
  for (const id of ["proposals-title", "bookings-title"]) byId(id).tabIndex = -1;
  setInterval(tick, TICK_MS);
  installation.work(outdated).catch(() => {}); // a browser may forbid it: the page works without
  pushing.address = await push.address(settings).catch(() => null);
  if (enter(location.hash)) return;
  if (!account.known) return knock("");
  view();
  drawNow();
  connect();
}

begin();
