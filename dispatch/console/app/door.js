// The door: who comes in and who is shut out, which view is open, and in which language.

import { say } from "../dom.js";
import { brought } from "./account.js";
import { connect, disconnect } from "./connection.js";
import { anew, it } from "./state.js";
import { speak, speech } from "./words.js";

const TABS = ["proposals", "bookings", "settings"];
const byId = (id) => document.getElementById(id);

/** Shows the view that the address names, to who is in. */
export function view() {
  const fragment = location.hash.slice(1);
  const here = TABS.includes(fragment) ? fragment : "proposals";
  const open = it.account.known;
  for (const name of TABS) byId(name).hidden = !open || name !== here;
  byId("door").hidden = open;
  byId("tabs").hidden = !open;
  for (const tab of document.querySelectorAll("[data-tab]")) {
    if (tab.dataset.tab === here) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

/** The page is somebody's from now on, or nobody's (null). */
function become(held) {
  disconnect();
  it.account.take(held); // which forgets what was kept of another, before it is read anew
  anew();
}

/** Nobody, or nobody who may come in. */
export function knock(problem, drawNow) {
  become(null);
  byId("door-dev").hidden = !it.settings.dev;
  say(byId("door-problem"), problem);
  view();
  drawNow();
  byId("door-link").elements.link.focus();
}

/** Takes what a link or a form brings; whether it did. */
export function enter(text) {
  const held = brought(text, it.settings.dev);
  if (!held) return false;
  become(held);
  history.replaceState(null, "", location.pathname); // a token does not stay in the address bar
  view();
  connect();
  return true;
}

export function setLanguage(language) {
  speak(language);
  say(byId("language"), speech.words.other_language);
  byId("language").lang = speech.language === "fr" ? "en" : "fr";
  navigator.serviceWorker?.ready.then((registration) => registration.active?.postMessage({ language: speech.language })).catch(() => {});
}

/** The two forms. */
export function attend() {
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
}
