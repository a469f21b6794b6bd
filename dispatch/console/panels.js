// The panels around the map. Each function writes one of them from the city.

import { used } from "./city.js";
import { list, make, say } from "./dom.js";
import { shortArea } from "./map.js";
import { length, MINUTE, moment, nameOf, number, pause, percent, speech } from "./words.js";

const CLASSES = ["last_minute", "same_day", "advance", "far"];
const AGES = [5 * MINUTE, 15 * MINUTE, 60 * MINUTE, Infinity];
const ROWS = 30;
const WAVES = 5; // of a booking, the last ones
const SEATS_SHOWN = 10; // of a wave
const TICKS = [0, 0.25, 1]; // of a search; the axis is a square root, so that early hours have room
const byId = (id) => document.getElementById(id);

// -- figures ----------------------------------------------------------------------------------------------------------

export function figures(city, now) {
  const { words } = speech;
  const g = (name) => city.gauge(name);
  const { accepts } = city.state;
  const waiting = city.bookings().filter((booking) => booking.state === "searching");
  const oldest = Math.min(...waiting.map((booking) => booking.opened));
  const all = g("bookings.searching");
  const age = waiting.length < all ? words.more(waiting.length, number(all)) : words.oldest(length(now - oldest));
  const accepted = g("count.accepted");
  const decided = accepted + g("count.unfilled");
  const rows = [
    ["waiting", all, words.waiting, waiting.length ? age : words.nobody_waits, "searching"],
    ["flight", g("proposals.live"), words.in_flight, words.stale(number(g("proposals.open") - g("proposals.live"))), ""],
    ["accepted", accepted, words.accepted_count, decided ? words.fill(percent(accepted / decided)) : "", "accepted"],
    ["median", accepts.count ? length(accepts.p50) : "–", words.median, accepts.count ? words.ninth(length(accepts.p90)) : words.none_yet, ""],
    ["waves", g("count.waves"), words.waves_count, accepted ? words.asked_each(number(Math.round((10 * g("count.proposals")) / accepted) / 10)) : "", ""],
    ["online", g("providers.online"), words.online, words.askable(number(g("providers.askable")), number(g("providers.known"))), "reach"],
  ];
  const create = () => make("div.figure", {}, make("b"), make("span"), make("small"));
  list(byId("figures"), rows, ([key]) => key, create, (element, [, value, label, note, tone]) => {
    element.dataset.tone = tone;
    const [big, name, small] = element.children;
    say(big, typeof value === "number" ? number(value) : value);
    say(name, label);
    say(small, note);
  });
}

// -- waves in flight --------------------------------------------------------------------------------------------------

const SEATS = ["s", "r", "v", "f", "x", "a"];

export function seatsLegend() {
  const entry = (letter) => [make(`i.seat.${letter}`), `${speech.words.seats[letter]} `];
  byId("seats-legend").replaceChildren(...SEATS.map((letter) => make("span", {}, entry(letter))));
}

export function waves(city, now, open) {
  const all = city.bookings();
  const urgent = (booking) => booking.state === "searching" && used(booking, now) > 0.8;
  all.sort((a, b) => urgent(b) - urgent(a) || b.opened - a.opened || b.bno - a.bno);
  const { words } = speech;
  say(byId("waves-note"), all.length > ROWS ? words.more(ROWS, number(all.length)) : "");
  const rows = all.length ? all.slice(0, ROWS) : [{ bno: "none" }];
  list(byId("waves"), rows, ({ bno }) => bno, (row) => createRow(row, open), (element, row) => updateRow(element, row, city, now));
}

function createRow({ bno }, open) {
  if (bno === "none") return make("li.empty");
  const button = make("button", { type: "button", onclick: () => open(bno) },
    make("span.line", {}, make("span.what"), make("span.seats")),
    make("span.line", {}, make("span.where"), make("span.when")),
    make("span.progress", {}, make("i")));
  return make("li.fresh", {}, button);
}

function updateRow(element, row, city, now) {
  if (row.bno === "none") return say(element, speech.words.nothing);
  const [[what, seats], [where, when], [progress]] = [...element.firstChild.children].map((line) => line.children);
  element.dataset.state = row.state;
  element.dataset.late = row.state === "searching" && used(row, now) > 0.8;
  const service = city.state.market.services[row.services[0]];
  say(what, nameOf(service, row.services[0]) + (row.services.length > 1 ? ` +${row.services.length - 1}` : ""));
  say(where, [`#${row.bno}`, shortArea(row.area), speech.words[`class_${row.class}`]].filter(Boolean).join(" · "));
  say(when, state(row, now));
  const picture = row.seats.join("|");
  if (seats.dataset.seats !== picture) {
    seats.dataset.seats = picture;
    const before = row.seats.length - WAVES;
    seats.replaceChildren(...(before > 0 ? [make("small", {}, `+${before}`)] : []), ...row.seats.slice(-WAVES).map(group));
    seats.setAttribute("aria-label", `${speech.words.wave(row.wave)}: ${seatWords(row.seats)}`);
    seats.setAttribute("role", "img");
  }
  progress.style.width = `${100 * Math.min(1, Math.max(0, used(row, row.ended ?? now)))}%`;
  return undefined;
}

const group = (letters) =>
  make("span", {}, [...letters.slice(0, SEATS_SHOWN)].map((letter) => make(`i.seat.${letter}`)), letters.length > SEATS_SHOWN ? "…" : null);

function seatWords(groups) {
  const letters = groups.join("");
  return Object.entries(speech.words.seats)
    .map(([letter, word]) => [letters.split(letter).length - 1, word])
    .filter(([count]) => count)
    .map(([count, word]) => `${count} ${word}`)
    .join(", ");
}

function state(row, now) {
  const { words } = speech;
  if (row.state === "accepted") return row.ended ? words.taken(length(row.ended - row.opened)) : words.state_accepted;
  if (row.state !== "searching") return words[`ended_${row.state}`] ?? row.state;
  const wave = row.wave ? words.wave(row.wave) : words.no_wave;
  if (row.next === undefined) return `${wave} · ${words.ends_in(length(row.deadline - now))}`;
  return `${wave} · ${row.next > now ? words.next_in(length(row.next - now)) : words.next_now}`;
}

// -- waiting, by class and age ----------------------------------------------------------------------------------------

export function lanes(city, now) {
  const { words } = speech;
  const table = byId("lanes");
  const waiting = city.bookings().filter((booking) => booking.state === "searching");
  if (table.dataset.language !== speech.language) writeHead(table);
  const pace = Object.fromEntries(city.state.market.classes.map((row) => [row.class, words.pace(row.size, pause(row.pause_s))]));
  list(table.tBodies[0], CLASSES, (name) => name, createLane, (row, name) => {
    const [head, track, ...ages] = row.children;
    const mine = waiting.filter((booking) => booking.class === name);
    say(head.children[0], words[`class_${name}`]);
    say(head.children[1], number(city.gauge(`searching.${name}`)));
    say(head.children[2], pace[name] ?? "");
    dots(track.firstChild, mine, now);
    const of = (index) => mine.filter((booking) => AGES.findIndex((age) => now - booking.opened < age) === index).length;
    ages.forEach((cell, index) => {
      const count = of(index);
      say(cell.firstChild, count ? number(count) : "");
      cell.style.setProperty("--heat", count ? String(0.1 + 0.35 * Math.min(1, count / 20)) : "0");
    });
  });
}

function writeHead(table) {
  table.dataset.language = speech.language;
  const { words } = speech;
  const cells = [words.class_head, ticks(), ...words.ages].map((content) => make("th", { scope: "col" }, content));
  table.replaceChildren(make("thead", {}, make("tr", {}, cells)), make("tbody"));
}

function ticks() {
  const marks = TICKS.map((share) => make("span", {}, percent(share)));
  marks.forEach((mark, index) => (mark.style.left = along(TICKS[index])));
  return make("span.ticks", { "aria-label": speech.words.lanes_note }, marks);
}

const along = (share) => `${(100 * Math.sqrt(Math.min(1, Math.max(0, share)))).toFixed(2)}%`;

function createLane() {
  return make("tr", {},
    make("th", { scope: "row" }, make("span"), make("b"), make("small")),
    make("td.track", {}, make("div", { "aria-hidden": "true" })),
    AGES.map(() => make("td.age", {}, make("span"))));
}

function dots(track, bookings, now) {
  list(track, bookings, ({ bno }) => bno, () => make("i"), (dot, booking) => {
    const share = used(booking, now);
    dot.style.left = along(share);
    dot.style.top = `${15 + ((booking.bno * 37) % 71)}%`;
    dot.classList.toggle("late", share > 0.8);
  });
}

// -- events -----------------------------------------------------------------------------------------------------------

const TONES = { WaveSent: "wave", Opened: "opened", Accepted: "accepted", Unfilled: "unfilled", Cancelled: "cancelled", Refused: "refused" };

export function events(city) {
  const zone = city.state.market.time_zone;
  const rows = Object.entries(city.state.events).sort(([a], [b]) => later(b, a)).slice(0, ROWS);
  const create = () => make("li.fresh", {}, make("time"), make("span"));
  list(byId("events"), rows, ([place]) => place, create, (element, [, event]) => {
    element.dataset.tone = TONES[event.type] ?? "";
    say(element.children[0], moment(event.at, zone));
    say(element.children[1], sentence(event));
  });
}

const later = (a, b) => {
  const [[a1, a2], [b1, b2]] = [a.split("-").map(Number), b.split("-").map(Number)];
  return a1 - b1 || a2 - b2;
};

/** An event in words. */
export function sentence(event) {
  const { words } = speech;
  return words.event[event.type]({
    ...event,
    no: `#${event.b}`,
    p: words.professional(event.p),
    klass: (words[`class_${event.urgency}`] ?? "").toLowerCase(),
    took: event.took === undefined ? "" : length(event.took),
    by: words.by[event.by] ?? event.by,
  });
}

// -- charts -----------------------------------------------------------------------------------------------------------

const BINS = [20, 60]; // fewest and most

export function flow(city, now) {
  const { width_ms: width, bins } = city.state.flow;
  const last = Math.floor(now / width);
  const span = Math.min(BINS[1], Math.max(BINS[0], last - Math.min(last, ...Object.keys(bins).map(Number)) + 1));
  const columns = Array.from({ length: span }, (_, index) => [last - span + 1 + index, bins[last - span + 1 + index] ?? [0, 0, 0, 0]]);
  const most = Math.max(4, ...columns.map(([, [opened, accepted, unfilled]]) => Math.max(opened, accepted + unfilled)));
  const create = () => make("div", {}, make("i.opened"), make("i.accepted"), make("i.unfilled"));
  list(byId("flow"), columns, ([index]) => index, create, (element, [, counts]) => {
    [...element.children].forEach((bar, index) => {
      bar.style.height = `${(50 * counts[index]) / most}%`;
    });
    element.lastChild.style.top = `${50 + (50 * counts[1]) / most}%`;
  });
  const sum = (index) => columns.reduce((total, [, counts]) => total + counts[index], 0);
  const { words } = speech;
  const parts = [["opened", sum(0)], ["accepted", sum(1)], ["unfilled", sum(2)]];
  list(byId("flow-legend"), parts, ([name]) => name, ([name]) => make("span", {}, make(`i.swatch.${name}`), make("span")), (element, [name, count]) =>
    say(element.lastChild, `${words[`flow_${name}`]} ${number(count)}`));
  byId("flow").setAttribute("aria-label", parts.map(([name, count]) => `${words[`flow_${name}`]}: ${count}`).join(", "));
  say(byId("flow-from"), words.from_now(length(span * width)));
}

export function times(city) {
  const { accepts } = city.state;
  const { words } = speech;
  const minutes = accepts.ends_ms.map((end) => end / MINUTE);
  const labels = [...minutes.map((end, index) => (index ? `${minutes[index - 1]}–${end}` : `< ${end}`)), `> ${minutes.at(-1)}`];
  const most = Math.max(1, ...accepts.bars);
  const create = () => make("div", {}, make("b"), make("i"), make("span"));
  list(byId("times"), accepts.bars.map((count, index) => [index, count]), ([index]) => index, create, (element, [index, count]) => {
    say(element.children[0], count ? number(count) : "");
    element.children[1].style.height = `${(70 * count) / most}%`;
    say(element.children[2], labels[index]);
  });
  byId("times").setAttribute("aria-label", labels.map((label, index) => `${label} min: ${accepts.bars[index]}`).join(", "));
  say(byId("times-note"), accepts.count ? `min · ${words.of_last(number(accepts.count))}` : words.none_yet);
}

export function proposals(city) {
  const { words } = speech;
  const g = (name) => city.gauge(`proposals.${name}`);
  const parts = [
    ["live", words.live_state, g("live")],
    ["stale", words.stale_state, g("open") - g("live")],
    ["accepted", words.accepted_count, g("accepted")],
    ["refused", words.refused, g("refused")],
    ["withdrawn", words.withdrawn, g("withdrawn")],
    ["expired", words.expired, g("expired")],
  ];
  const all = parts.reduce((sum, [, , count]) => sum + count, 0);
  list(byId("proposals"), parts, ([key]) => key, ([key]) => make(`i.${key}`), (element, [, , count]) => {
    element.style.flexGrow = String(count);
  });
  list(byId("proposals-list"), parts, ([key]) => key, ([key]) => make("div", {}, make("dt", {}, make(`i.swatch.${key}`), make("span")), make("dd")), (element, [, label, count]) => {
    say(element.firstChild.lastChild, label);
    say(element.lastChild, number(count));
  });
  const answered = g("accepted") + g("refused");
  say(byId("proposals-note"), all ? words.answered(percent(answered / all)) : "");
}
