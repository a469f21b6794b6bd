// How things stand: the connection, what wants attention, and passing words.

import { list, make, say } from "../dom.js";
import { speech } from "./words.js";

const SAID_MS = 6_000;
const byId = (id) => document.getElementById(id);
let timer;

/** A passing word: on the screen for a while, and to a screen reader. `alarm`: it interrupts; `visible` false: the screen shows it anyway. */
export function tell(text, alarm = false, visible = true) {
  say(byId("said"), text);
  byId("said").classList.toggle("hidden", !visible);
  if (alarm) say(byId("alarm"), text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    say(byId("said"), "");
    say(byId("alarm"), "");
  }, SAID_MS);
}

/** The state of the connection; nothing at the door. */
export function drawLink({ state, retryAt }, known) {
  const { words } = speech;
  const seconds = Math.ceil((retryAt - Date.now()) / 1_000);
  const texts = { live: words.live, connecting: words.connecting, stopped: words.stopped, waiting: navigator.onLine ? words.waiting(0) : words.offline };
  byId("link").dataset.state = known ? state : "";
  byId("link").title = known && state === "waiting" && seconds > 0 ? words.waiting(seconds) : "";
  say(byId("link"), known ? (texts[state] ?? "") : "");
}

/** What wants attention: `it`: { link, account, changing, newer, connect, turnOn }. */
export function drawNotices({ link: { state, stopped }, account: { known, facts }, changing, newer, connect, turnOn }) {
  const { words } = speech;
  const settled = known && changing === null;
  const notes = [
    known && state === "stopped" ? ["stopped", words[`stopped_${stopped?.closeCode}`] ?? words.stopped_other(stopped?.message ?? ""), words.again, connect] : null,
    known && state === "waiting" ? ["away", words.away] : null,
    settled && facts?.available === false ? ["off", words.off, words.switch_on, turnOn] : null,
    settled && facts?.paused ? ["paused", words.paused, words.switch_on, turnOn] : null,
    newer ? ["newer", words.newer, words.reload, () => location.reload()] : null,
  ].filter(Boolean);
  list(byId("notices"), notes, ([kind]) => `${kind}/${speech.language}`, notice, (line, [, text]) => say(line.firstElementChild, text));
}

function notice([kind, , act, onclick]) {
  return make(`p.notice.${kind}`, { role: "status" }, make("span"), act ? make("button.plain", { type: "button", textContent: act, onclick }) : null);
}
