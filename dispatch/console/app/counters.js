// His counteroffers: those that are open, and those that have just ended, each with its times and how it stands.

import { list, make, say } from "../dom.js";
import { tell } from "./status.js";
import { left, services, span, speech } from "./words.js";

const OVER_KEPT = 5;
const OPEN = new Set(["held", "shown"]);

/** What became of those that are open no more; of one proposal only the last, and none beside an open one. */
export class Over {
  constructor() {
    this.all = new Map(); // proposal -> counter, the latest in front
  }

  /** One was told of. */
  hear(counter) {
    this.all.delete(counter.proposal);
    if (!OPEN.has(counter.state)) this.all = new Map([[counter.proposal, counter], ...this.all].slice(0, OVER_KEPT));
  }

  dismiss({ proposal }) {
    this.all.delete(proposal);
  }
}

/** The server says how one of his stands. */
export function heardOfTimes(counter, inbox) {
  inbox.over.hear(counter);
  if (counter.state === "accepted") inbox.because(counter.proposal, "won"); // no loss that the original leaves
  tell(speech.words.counter_state[counter.state] ?? "", counter.state === "accepted");
}

/** `it`: { inbox, account, now, draw } */
export function drawCounters(section, it) {
  const open = [...it.inbox.counters.values()];
  const ended = [...it.inbox.over.all.values()].filter(({ proposal }) => !it.inbox.counters.has(proposal));
  section.hidden = open.length + ended.length === 0;
  const keyOf = ({ counteroffer, proposal, state }) => `${counteroffer ?? proposal}/${state}/${speech.language}`;
  list(section.querySelector("ul"), [...open, ...ended], keyOf, (counter) => row(counter, it), (line, counter) => count(line, counter, it.now));
}

function forget(counter, { inbox, draw }) {
  inbox.over.dismiss(counter);
  draw();
  document.getElementById("proposals-title").focus();
}

function row(counter, it) {
  const { words } = speech;
  const { windows = [], services: asked = [], state } = counter;
  const what = asked.length ? services(asked, it.account.facts?.services) : words.counter;
  const over = !OPEN.has(state);
  return make(
    over ? "li.card.gone" : "li.card",
    { "data-counter": counter.counteroffer ?? counter.proposal, "data-state": state },
    make("h4", { textContent: what }),
    make("ul", {}, windows.map((window) => make("li.when", { textContent: span(window, it.account.zone) }))),
    make("p.state", { role: "status", textContent: words.counter_state[state] ?? state }),
    over ? make("button.quiet", { type: "button", textContent: words.dismiss, "aria-label": `${words.dismiss}: ${what}`, onclick: () => forget(counter, it) }) : make("p.note"),
  );
}

function count(line, { state, expires_at: end }, now) {
  if (OPEN.has(state) && end) say(line.querySelector(".note"), speech.words.counter_until(left(end - now)));
}
