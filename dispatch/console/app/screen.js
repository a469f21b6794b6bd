// The screen: everything that is drawn from what the page knows, and what changes there by time alone.

import { say } from "../dom.js";
import { Areas } from "./areas.js";
import { connect } from "./connection.js";
import { drawCounters } from "./counters.js";
import { Proposals } from "./proposals.js";
import { draw, it } from "./state.js";
import { drawLink, drawNotices } from "./status.js";
import { drawSwitches } from "./switches.js";
import { drawTrial } from "./trial.js";
import * as visits from "./visits.js";
import { Wishes } from "./wishes.js";
import { speech } from "./words.js";

const byId = (id) => document.getElementById(id);

export class Screen {
  /** `does`: what he can do. */
  constructor(does) {
    this.does = does;
    this.areas = new Areas((id) => this.#pointed(id));
    this.wishes = new Wishes({ client: () => it.client, account: () => it.account, draw });
    this.cards = new Proposals(byId("cards"), it.notes, does, shown, (id) => this.areas.choose(id));
  }

  draw() {
    if (!it.account) return; // the page has only just begun
    const { account, inbox, link, client, settings, changing, installer, newer } = it;
    const now = it.clock.now();
    say(byId("who"), account.facts?.name ?? speech.words.app);
    drawLink(link, account.known);
    drawNotices({ link, account, changing, newer, connect, turnOn: () => this.does.setAvailable(true) });
    this.cards.draw({ inbox, account, pending: client?.pending ?? [], live: link.state === "live", now });
    this.wishes.draw(byId("suggested"));
    drawCounters(byId("counters"), { inbox, account, now, draw });
    byId("proposals-none").hidden = inbox.proposals.size + inbox.gone.size > 0;
    say(byId("proposals-none"), account.facts?.available === false ? speech.words.none_off : speech.words.none_on);
    visits.drawVisits(byId("visits"), { inbox, account, dismiss: forgetBooking });
    byId("bookings-none").hidden = inbox.bookings.size + inbox.lost.size > 0;
    drawSwitches(byId("switches"), { account, settings, changing, push: it.pushing, installer, does: this.does, wishes: this.wishes });
    drawTrial(it);
    this.areas.draw(inbox, account.facts?.zone ?? null);
    drawCounts(inbox);
  }

  /** What changes by time alone. */
  tick() {
    if (!it.client || document.hidden) return;
    it.clock.hear(it.client.offsetMs);
    const now = it.clock.now();
    if (it.link.state !== "live" && it.inbox.expire(now)) draw();
    this.cards.tick(it.inbox, now);
    drawLink(it.link, it.account.known);
  }

  /** The page is before his eyes again. */
  look() {
    this.tick();
    this.cards.look();
  }

  /** An area on the map was chosen. */
  #pointed(id) {
    this.areas.choose(id);
    const card = [...byId("cards").children].find((each) => each.dataset.id === id);
    card?.scrollIntoView({ block: "center" });
    card?.querySelector("h3").focus({ preventScroll: true });
  }
}

/** A proposal is before his eyes: the clock of his answer starts (R22). */
function shown(id) {
  if (it.inbox.seen.has(id) || !it.inbox.proposals.has(id) || !it.client) return;
  it.inbox.seen.add(id);
  it.client.seen(id);
}

function forgetBooking({ booking_id: id }) {
  it.inbox.lost.delete(id);
  draw();
  byId("bookings-title").focus();
}

function drawCounts(inbox) {
  const counts = { proposals: inbox.proposals.size, bookings: inbox.bookings.size };
  for (const [name, count] of Object.entries(counts)) say(document.querySelector(`[data-tab=${name}] .count`), count ? String(count) : "");
  document.title = `${counts.proposals ? `(${counts.proposals}) ` : ""}${speech.words.app}`;
  (counts.proposals ? navigator.setAppBadge?.(counts.proposals) : navigator.clearAppBadge?.())?.catch(() => {});
}
