// The bookings this provider holds: when, where exactly, for whom; and those he held until just now.

import { list, make, say } from "../dom.js";
import { money, services, span, speech } from "./words.js";

const DEGREE = 1e6;

/** The agreed window of a booking. */
export const windowOf = (booking) => booking.windows[booking.window ?? 0];

export const placeOf = ({ place }) => (place ? { lat: place.lat_e6 / DEGREE, lng: place.lng_e6 / DEGREE } : null);

export function drawVisits(parent, { inbox, account, dismiss }) {
  const drawnWith = ({ services: codes }) => `${speech.language}/${account.zone}/${services(codes, account.facts?.services)}`; // names may be learned late
  const keyOf = ({ booking, state }) => `${booking.booking_id}/${booking.version}/${state}/${drawnWith(booking)}`;
  const held = [...inbox.bookings.values()].map((booking) => ({ booking, state: "held" }));
  const lost = [...inbox.lost.values()].map((booking) => ({ booking, state: booking.state }));
  list(parent, [...held, ...lost], keyOf, ({ booking, state }) => (state === "held" ? visit(booking, account) : over(booking, account, dismiss)), () => {});
}

function visit(booking, account) {
  const { words } = speech;
  const [where, at] = [placeOf(booking), windowOf(booking)];
  const who = booking.client?.name ?? booking.client?.client_id;
  const address = booking.place?.address ?? (where ? `${where.lat.toFixed(5)}, ${where.lng.toFixed(5)}` : booking.area?.name);
  return make(
    "li.card.visit",
    { "data-booking": booking.booking_id },
    make("div.line", {}, make("h3", { textContent: services(booking.services, account.facts?.services) }), make("b.price", { textContent: booking.price_cents ? money(booking.price_cents, booking.currency) : "" })),
    make("p.when", { textContent: at ? span(at, account.zone) : "" }),
    make("dl", {}, fact(words.address, address), fact(words.client, who), booking.note ? fact(words.note.replace(/ \(.*/, ""), booking.note) : null),
    where ? make("a.plain", { href: `geo:${where.lat},${where.lng}?q=${where.lat},${where.lng}`, textContent: words.directions }) : null,
  );
}

const fact = (name, value) => (value ? make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })) : null);

/** What became of a booking that he held. */
export function lostText(booking, account) {
  const { words } = speech;
  const what = services(booking.services, account.facts?.services);
  return booking.state === "cancelled" ? words.booking_cancelled(what) : words.booking_left(what);
}

function over(booking, account, dismiss) {
  const { words } = speech;
  const at = windowOf(booking);
  const card = make("li.card.gone", {}, make("h3"), make("p.what", { textContent: at ? span(at, account.zone) : "" }), make("button.quiet", { type: "button", textContent: words.dismiss, onclick: () => dismiss(booking) }));
  say(card.querySelector("h3"), lostText(booking, account));
  return card;
}
