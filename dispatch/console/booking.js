// One booking, opened with one click: who was asked, what each answered, and its timeline.

import { make } from "./dom.js";
import { moment, nameOf, speech } from "./words.js";

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const DAY = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const SILENT = new Set(["seq", "at", "type", "asked", "provider_id", "windows", "due", "ready", "answer_by", "services", "kind", "late"]);

/** Shows a booking in the dialog; `read(path)` fetches JSON below the market. */
export async function show(dialog, { bno, booking, market, read }) {
  const face = dialog.querySelector("#booking-face");
  const write = (...parts) => face.replaceChildren(make("h2", { id: "booking-title" }, `${speech.words.detail} #${bno}`), ...parts);
  write(make("p", {}, speech.words.detail_reading));
  if (!dialog.open) dialog.showModal();
  try {
    const path = `bookings/${encodeURIComponent(booking.id)}`;
    const [whole, { events }] = await Promise.all([read(path), read(`${path}/timeline`)]);
    write(facts(whole, booking, market), asked(whole, market), timeline(events, market));
  } catch {
    write(make("p.problem", {}, speech.words.detail_lost));
  }
}

const at = (text, market, options) => (text ? moment(Date.parse(text), market.time_zone, options) : "");

function facts(whole, booking, market) {
  const { words } = speech;
  const price = new Intl.NumberFormat(speech.language, { style: "currency", currency: whole.currency }).format(whole.price_cents / 100);
  const rows = [
    [words.answer, `${words[`state_${whole.state}`] ?? whole.state} · ${words[`class_${whole.urgency}`]}`],
    [words.starts, at(whole.windows[0].start, market, DAY)],
    [words.place, [booking.area, booking.place?.map((part) => part.toFixed(3)).join(", ")].filter(Boolean).join(" · ")],
    [words.price, price],
  ];
  const services = whole.services.map((code) => nameOf(market.services[code], code)).join(", ");
  return make("div", {}, make("p.services", {}, services), make("dl.facts", {}, rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))));
}

function asked(whole, market) {
  const { words } = speech;
  if (!whole.proposals.length) return "";
  const heads = [words.wave_head, words.who, words.answer, words.sent, words.seen, words.replied];
  const row = (p) => [p.wave, p.provider_id, p.state + (p.reason ? ` (${p.reason})` : ""), at(p.sent_at, market, CLOCK), at(p.seen_at, market, CLOCK), at(p.answered_at, market, CLOCK)];
  const cells = (values, tag) => make("tr", {}, values.map((value) => make(tag, {}, String(value ?? ""))));
  return make("div.scroll", { tabIndex: 0, role: "region", "aria-label": words.asked },
    make("table", {}, make("caption", {}, words.asked), make("thead", {}, cells(heads, "th")), make("tbody", {}, whole.proposals.map((p) => cells(row(p), "td")))));
}

const plain = (value, market) => (/^\d{4}-\d\d-\d\dT/.test(value) ? at(value, market, DAY) : String(value).replaceAll("_", " "));

function timeline(events, market) {
  const about = (event) =>
    [event.asked?.join(", ") ?? event.provider_id, ...Object.entries(event).filter(([name]) => !SILENT.has(name)).map(([name, value]) => `${name} ${plain(value, market)}`)]
      .filter((part) => part !== undefined && part !== null)
      .join(" · ");
  const row = (event) => make("li", {}, make("time", {}, at(event.at, market, CLOCK)), make("b", {}, event.type), make("span", {}, about(event)));
  return make("div", {}, make("h3", {}, speech.words.timeline), make("ol.timeline", {}, events.map(row)));
}
