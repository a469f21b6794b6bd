// Which areas and visits the two maps show.

import { AreaMap } from "./map.js";
import { areaOf } from "./proposals.js";
import { placeOf } from "./visits.js";
import { speech } from "./words.js";

const byId = (id) => document.getElementById(id);
const names = (places) => [...new Set(places.map(({ name }) => name).filter(Boolean))].join(", ");

export class Areas {
  /** `chosen(id)`: a proposal's area was pointed at. */
  constructor(chosen) {
    this.asked = new AreaMap(byId("ground"), chosen);
    this.held = new AreaMap(byId("visits-ground"));
    this.shown = "";
  }

  /** Marks the area of a proposal. */
  choose(id) {
    this.asked.choose(id);
  }

  draw(inbox, zone) {
    const asked = [...inbox.proposals.values()].map(({ proposal: id, booking }) => ({ id, h3: booking.area?.h3, name: areaOf(booking) }));
    const held = [...inbox.bookings.values()].filter(placeOf);
    const pins = held.map((booking) => ({ ...placeOf(booking), name: areaOf(booking) }));
    byId("ground").setAttribute("aria-label", speech.words.map(names(asked)));
    byId("visits-ground").setAttribute("aria-label", speech.words.visits_map(names(pins)));
    const shown = JSON.stringify([asked, pins, zone]);
    if (shown === this.shown) return;
    this.shown = shown;
    const around = held.map(({ booking_id: id, area }) => ({ id, h3: area?.h3, name: "" }));
    const known = ({ h3 }) => h3;
    this.asked.show({ areas: asked.filter(known), zone }, this.asked.chosen);
    this.held.show({ areas: around.filter(known), pins, zone });
  }
}
