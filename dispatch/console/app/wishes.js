// What he changes himself, and what he asks for: suggestions that follow from a refusal, do-not-disturb hours, a service, a talk.

import { list, make, say } from "../dom.js";
import { ask } from "./answers.js";
import { tell } from "./status.js";
import { distance, services, speech } from "./words.js";

const PATIENCE = { timeoutMs: 30_000 };
const byId = (id) => document.getElementById(id);

export class Wishes {
  /** `it`: { client(), account(), draw() } */
  constructor(it) {
    this.it = it;
    this.suggestions = new Map(); // proposal -> suggestion that waits for his word
    this.busy = new Set();
  }

  /** A refusal brought one. */
  suggest(suggestion) {
    this.suggestions.set(suggestion.proposal, suggestion);
    this.it.draw();
  }

  draw(section) {
    const waiting = [...this.suggestions.values()];
    section.hidden = waiting.length === 0;
    const keyOf = ({ proposal }) => `${proposal}/${speech.language}`;
    list(section.querySelector("ul"), waiting, keyOf, (one) => this.#card(one), (card, { proposal }) => {
      for (const button of card.querySelectorAll("button")) button.disabled = this.busy.has(proposal);
    });
  }

  #card(suggestion) {
    const { words } = speech;
    return make(
      "li.card",
      { "data-suggestion": suggestion.kind },
      make("p", { textContent: this.#said(suggestion) }),
      suggestion.hours ? make("p.when", { textContent: suggestion.hours }) : null,
      make(
        "div.actions",
        {},
        make("button.primary", { type: "button", textContent: words.suggest_yes, onclick: () => this.#confirm(suggestion) }),
        make("button.plain", { type: "button", textContent: words.suggest_no, onclick: () => this.#drop(suggestion) }),
      ),
    );
  }

  #said({ kind, radius_m: radius, areas, services: dropped }) {
    const { words } = speech;
    const { facts } = this.it.account();
    if (kind === "hours") return words.suggest_hours;
    if (kind === "catalogue") return words.suggest_catalogue(services(dropped ?? [], facts?.services));
    if (radius === undefined) return words.suggest_areas((areas ?? []).join(", "));
    return words.suggest_zone(distance((facts?.zone?.radius_km ?? 0) * 1_000), distance(radius));
  }

  #drop({ proposal }) {
    this.suggestions.delete(proposal);
    this.it.draw();
    byId("proposals-title").focus();
  }

  async #confirm(suggestion) {
    this.busy.add(suggestion.proposal);
    this.it.draw();
    const outcome = await this.#say(() => this.it.client().settings({ suggestion }, PATIENCE));
    this.busy.delete(suggestion.proposal);
    if (outcome) {
      tell(outcome === "done" ? speech.words.suggest_done : speech.words.suggest_expired, outcome !== "done");
      await this.#learn();
      this.#drop(suggestion);
    } else this.it.draw();
  }

  /** Asks for his hours, and has them kept. */
  async quiet() {
    const now = this.it.account().facts?.do_not_disturb ?? null;
    const dialog = byId("quieting");
    const { from, to } = dialog.querySelector("form").elements;
    [from.value, to.value] = [now?.from ?? "22:00", now?.to ?? "08:00"];
    say(byId("quieting-problem"), "");
    const chosen = await ask(dialog, (form, pressed) => {
      if (pressed?.value === "none") return { hours: null };
      if (from.value && to.value && from.value !== to.value) return { hours: { from: from.value, to: to.value } };
      say(byId("quieting-problem"), speech.words.quiet_wrong);
      return null;
    });
    if (!chosen) return;
    const outcome = await this.#say(() => this.it.client().settings({ doNotDisturb: chosen.hours }, PATIENCE));
    if (outcome === "done") {
      this.it.account().note({ do_not_disturb: chosen.hours });
      tell(speech.words.quiet_saved);
    }
    this.it.draw();
  }

  /** Asks what he wishes (`service` or `talk`), and sends it. */
  async wish(kind) {
    const { words } = speech;
    const dialog = byId("wishing");
    say(byId("wishing-title"), words[`wish_${kind}_title`]);
    say(byId("wishing-about"), words[`wish_${kind}_about`]);
    const { text } = dialog.querySelector("form").elements;
    text.value = "";
    say(byId("wishing-problem"), "");
    const said = await ask(dialog, () => {
      const wanted = text.value.trim();
      if (wanted || kind === "talk") return { kind, text: wanted };
      say(byId("wishing-problem"), words.wish_missing);
      return null;
    });
    const outcome = said && (await this.#say(() => this.it.client().followUp(said, PATIENCE)));
    if (outcome) tell(outcome === "sent" ? words.wish_sent : words.wish_limit, outcome !== "sent");
  }

  /** The outcome of a command; null: it went wrong, and he was told. */
  async #say(command) {
    try {
      return (await command()).outcome;
    } catch (problem) {
      tell(problem.message, true);
      return null;
    }
  }

  async #learn() {
    await this.it.account().learn().catch(() => {}); // the network may be gone again
  }
}
