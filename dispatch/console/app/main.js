// Puts the provider's page together, and begins it.
//
//     state.js       what is known; `draw` says that something of it has changed
//     connection.js  hears the engine and changes the state        acts.js  what he does: says it to the engine
//     screen.js      draws the state                               door.js  who comes in, views, language

import { Account } from "./account.js";
import { acts } from "./acts.js";
import { ServerClock } from "./clock.js";
import { connect, heeds } from "./connection.js";
import * as door from "./door.js";
import * as installation from "./installation.js";
import * as push from "./push.js";
import { Screen } from "./screen.js";
import { draw, drawnBy, it } from "./state.js";
import { tell } from "./status.js";
import { preferred, speech } from "./words.js";

const TICK_MS = 250;
const byId = (id) => document.getElementById(id);

const shut = (why) => door.knock(why, () => screen.draw());
const does = acts(() => shut(""));
const screen = new Screen(does);
drawnBy(() => screen.draw());
heeds({ shut, suggested: (suggestion) => screen.wishes.suggest(suggestion) });

byId("language").addEventListener("click", () => {
  localStorage.language = speech.language === "fr" ? "en" : "fr";
  door.setLanguage(localStorage.language);
  screen.draw();
});
byId("said").addEventListener("click", () => tell(""));
byId("trial-send").addEventListener("click", does.test);
door.attend();
addEventListener("hashchange", () => {
  if (door.enter(location.hash)) return;
  door.view();
  tell("");
  const title = document.querySelector("section:not([hidden]) h2");
  title?.setAttribute("tabindex", "-1");
  title?.focus();
});
document.addEventListener("visibilitychange", () => {
  it.client?.status({ background: document.hidden }, { timeoutMs: 30_000 }).catch(() => {});
  if (!document.hidden) screen.look();
});
for (const change of ["online", "offline"]) addEventListener(change, draw);
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  it.installer = event;
  draw();
});
navigator.serviceWorker?.addEventListener("message", ({ data }) => data?.notified && draw(it.trial.notified(data.notified)));

function outdated(isOld) {
  it.newer = isOld;
  draw();
}

async function begin() {
  door.setLanguage(localStorage.language ?? preferred(navigator.languages));
  it.settings = await installation.read();
  it.clock = new ServerClock(it.settings.speed);
  it.account = new Account(it.settings);
  for (const id of ["proposals-title", "bookings-title"]) byId(id).tabIndex = -1;
  setInterval(() => screen.tick(), TICK_MS);
  installation.work(outdated).catch(() => {}); // a browser may forbid it: the page works without
  it.pushing.address = await push.address(it.settings).catch(() => null);
  if (door.enter(location.hash)) return;
  if (!it.account.known) return shut("");
  door.view();
  screen.draw();
  connect();
}

begin();
