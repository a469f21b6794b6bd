// The proposals on the screen: one card each, those that are gone below them, and the map of their areas.

import { list, make, say } from "../dom.js";
import { reasonOf } from "./answers.js";
import { distance, left, money, services, span, speech } from "./words.js";

export const nameOf = (proposal, account) => services(proposal.booking.services, account.facts?.services);
export const areaOf = ({ area }) => area?.name?.replace(/ Arrondissement$/i, "") ?? "";
export const placeOf = ({ booking }) => areaOf(booking) || speech.words.somewhere;

/** The answer to a proposal that is still to be said or heard. A report is none. */
export const answerTo = ({ proposal }, pending) => pending.find((command) => command.proposal === proposal && command.type !== "report");

export class Proposals {
  /** `notes`: what stays written on the card of a proposal; `does`: { accept, refuse, counter, report, takeBack, dismiss }, each with the
   * proposal; `seen(id)`: it is on the screen; `pointed(id)`. */
  constructor(parent, notes, does, seen, pointed) {
    this.parent = parent;
    this.notes = notes;
    this.does = does;
    this.pointed = pointed;
    this.inView = new Set();
    this.seen = seen;
    this.watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.inView[isIntersecting ? "add" : "delete"](target.dataset.id);
      this.look();
    }, { threshold: 0.4 });
  }

  draw({ inbox, account, pending, live, now }) {
    const held = document.activeElement?.closest?.("[data-id]")?.dataset.id;
    const drawnWith = (proposal) => `${speech.language}/${account.zone}/${nameOf(proposal, account)}`; // names may be learned after it came
    const open = [...inbox.proposals.values()].map((proposal) => ({ proposal, key: `${proposal.proposal}/${proposal.version}/${drawnWith(proposal)}` }));
    const gone = [...inbox.gone.values()].map((left_) => ({ ...left_, key: `${left_.proposal.proposal}/gone/${drawnWith(left_.proposal)}` }));
    const items = [...open, ...gone];
    list(this.parent, items, ({ key }) => key, (item) => (item.reason ? this.#gone(item.proposal, account) : this.#card(item.proposal, account)), (card, { proposal, reason }) => {
      if (reason) return say(card.querySelector(".why"), reasonOf(reason));
      const waiting = answerTo(proposal, pending);
      this.#update(card, proposal, { waiting, live, deciding: inbox.deciding.has(proposal.proposal), counter: inbox.counters.get(proposal.proposal) });
      return this.#count(card, proposal, now);
    });
    if (held && !document.activeElement?.closest?.("[data-id]")) this.#refocus(held);
  }

  /** Tells which cards are before somebody's eyes. */
  look() {
    if (!document.hidden) this.inView.forEach(this.seen);
  }

  /** Counts down; nothing else. */
  tick(inbox, now) {
    for (const card of this.parent.querySelectorAll("[data-id]:not(.gone)")) this.#count(card, inbox.proposals.get(card.dataset.id), now);
  }

  /** What was in the hand of somebody on a keyboard has left: he goes on where it stood. */
  #refocus(id) {
    const there = [...this.parent.children].find((card) => card.dataset.id === id)?.querySelector("h3");
    (there ?? document.getElementById("proposals-title")).focus();
  }

  #card(proposal, account) {
    const { words } = speech;
    const { booking, proposal: id } = proposal;
    const title = `p-${id.replaceAll(".", "-")}`;
    const [what, where] = [nameOf(proposal, account), placeOf(proposal)];
    const button = (does, kind, text) => make(`button.${kind}`, { type: "button", "aria-label": `${text}: ${what}, ${where}`, textContent: text, onclick: () => this.does[does](proposal, this.#window(id)) });
    const card = make(
      "li.card",
      { "data-id": id, "aria-labelledby": title, onpointerdown: () => this.pointed(id), onfocusin: () => this.pointed(id) },
      make("div.line", {}, make("h3", { id: title, tabIndex: -1, textContent: what }), make("b.price", { textContent: booking.price_cents ? money(booking.price_cents, booking.currency) : "" })),
      this.#badges(proposal),
      make("p.where", {}, where, booking.distance_m == null ? null : make("span.far", { textContent: booking.distance_m ? words.distance(distance(booking.distance_m)) : words.near(distance(100)) })),
      this.#windows(proposal, account.zone),
      booking.note ? make("p.client-note", { textContent: booking.note }) : null,
      make("div.left", {}, make("p", { role: "timer" }), make("div.bar", { "aria-hidden": "true" }, make("i"))),
      make("p.state", { role: "status" }),
      make("p.problem", { role: "alert" }),
      make("div.actions", {}, button("accept", "primary", words.accept), button("refuse", "plain", words.refuse), proposal.kind === "test" ? null : button("counter", "plain", words.counter)),
      proposal.kind === "test" ? null : this.#reporting(proposal, `${what}, ${where}`),
      make("button.quiet.undo", { type: "button", hidden: true, textContent: words.take_back, onclick: () => this.does.takeBack(proposal) }),
    );
    this.watch.observe(card);
    return card;
  }

  #reporting(proposal, what) {
    const { words } = speech;
    return make("button.quiet.report", { type: "button", textContent: words.report, "aria-label": `${words.report}: ${what}`, onclick: () => this.does.report(proposal) });
  }

  #badges({ kind, reasons, booking }) {
    const { words } = speech;
    const badges = [
      kind === "bonus" ? make("span.badge.bonus", { textContent: [words.bonus, ...reasons].join(" · ") }) : null,
      kind === "direct" ? make("span.badge", { textContent: [words.direct, ...reasons].join(" · ") }) : null,
      kind === "test" ? make("span.badge", { textContent: words.test }) : null,
      booking.known_client ? make("span.badge", { textContent: words.known_client }) : null,
    ].filter(Boolean);
    return badges.length ? make("p.badges", {}, badges) : null;
  }

  #windows({ proposal, booking }, zone) {
    if (booking.windows.length === 1) return make("p.when", { textContent: span(booking.windows[0], zone) });
    const choice = (window, index) => make("label.choice", {}, make("input", { type: "radio", name: `window-${proposal}`, value: String(index), checked: index === 0 }), span(window, zone));
    return make("fieldset.choices", {}, make("legend", { textContent: speech.words.choose }), ...booking.windows.map(choice));
  }

  #window(id) {
    return Number(this.parent.querySelector(`input[name="window-${CSS.escape(id)}"]:checked`)?.value ?? 0);
  }

  #update(card, { proposal }, { waiting, live, deciding, counter }) {
    const { words } = speech;
    const sent = deciding ? words.deciding : live || waiting?.sent ? words.sending : words.queued;
    say(card.querySelector(".state"), waiting ? sent : (words.counter_state[counter?.state] ?? ""));
    say(card.querySelector(".problem"), this.notes.get(proposal) ?? "");
    const actions = card.querySelector(".actions");
    if (waiting && actions.contains(document.activeElement)) card.querySelector("h3").focus({ preventScroll: true }); // a hidden button holds no focus
    actions.hidden = Boolean(waiting);
    card.querySelector(".undo").hidden = !waiting || waiting.sent || live;
  }

  #count(card, proposal, now) {
    if (!proposal) return;
    const { words } = speech;
    const stale = proposal.answer_by <= now;
    const until = stale ? proposal.expires_at : proposal.answer_by;
    card.dataset.stale = String(stale);
    card.dataset.urgent = String(!stale && until - now < 60_000);
    say(card.querySelector("[role=timer]"), until <= now ? words.ended : (stale ? words.still_open : words.answer_in)(left(until - now)));
    card.began ??= now;
    const whole = Math.max(1, until - Math.min(card.began, now));
    card.querySelector(".bar i").style.width = stale ? "0" : `${Math.min(100, (100 * (until - now)) / whole)}%`;
  }

  #gone(proposal, account) {
    const { words } = speech;
    const what = `${nameOf(proposal, account)}, ${placeOf(proposal)}`;
    return make(
      "li.card.gone",
      { "data-id": proposal.proposal },
      make("h3", { tabIndex: -1, textContent: words.gone }),
      make("p.why"),
      make("p.what", { textContent: what }),
      proposal.kind === "test" ? null : this.#reporting(proposal, what),
      make("button.quiet.dismiss", { type: "button", textContent: words.dismiss, "aria-label": `${words.dismiss}: ${what}`, onclick: () => this.does.dismiss(proposal) }),
    );
  }
}
