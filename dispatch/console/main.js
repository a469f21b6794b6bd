// Puts the page together: finds a key, listens to the stream, and draws what it says.

import { show } from "./booking.js";
import { City } from "./city.js";
import { make, say } from "./dom.js";
import { Ground } from "./map.js";
import * as panels from "./panels.js";
import { listen, Refused } from "./stream.js";
import { moment, number, speak, speech } from "./words.js";

const DEV_KEY = "dev-key"; // what an engine in development lets in, from this machine alone
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const LOOK_AGAIN_MS = 2_000;
const byId = (id) => document.getElementById(id);

const city = new City();
const ground = new Ground(byId("ground"), byId("spot"), open);
let chosen = { market: new URLSearchParams(location.search).get("market") || "paris", key: firstKey() };
let listening = new AbortController();

function firstKey() {
  return sessionStorage.chosenKey ?? (LOOPBACK.has(location.hostname) ? DEV_KEY : null);
}

// -- the stream -------------------------------------------------------------------------------------------------------

async function watch() {
  listening.abort();
  listening = new AbortController();
  const { signal } = listening;
  say(byId("market"), chosen.market);
  city.state = null;
  ground.forget();
  delete byId("page").dataset.ready;
  if (!chosen.key) return knock("");
  while (!signal.aborted) {
    try {
      await listen({ ...chosen, signal, told: take, linked: showLink });
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      if (problem.status !== 404) return knock(sessionStorage.chosenKey ? speech.words.bad_key : "");
      showLink(false);
      notice(speech.words.no_market(chosen.market));
      await new Promise((wake) => setTimeout(wake, LOOK_AGAIN_MS));
    }
  }
  return undefined;
}

let due = { moments: [], cells: false, frame: 0 };

function take(name, data) {
  due.moments.push(...city.take(name, data));
  due.cells ||= "cells" in data;
  due.frame ||= requestAnimationFrame(draw);
  if (document.hidden) draw();
}

function draw() {
  cancelAnimationFrame(due.frame);
  const { moments, cells } = due;
  due = { moments: [], cells: false, frame: 0 };
  if (!city.state) return; // another market was chosen meanwhile
  ground.show(city, cells);
  moments.forEach((happened) => ground.happen(happened));
  panels.events(city);
  panels.times(city);
  panels.proposals(city);
  showLink(true);
  byId("page").dataset.ready = "true";
  drawTime();
}

/** What changes by time alone. */
function drawTime() {
  if (!city.state) return;
  const now = city.now();
  panels.figures(city, now);
  panels.waves(city, now, open);
  panels.lanes(city, now);
  panels.flow(city, now);
  const { market, speed, cells } = city.state;
  say(byId("clock"), moment(now, market.time_zone, { weekday: "short", hour: "2-digit", minute: "2-digit", second: speed < 30 ? "2-digit" : undefined }));
  byId("speed").hidden = speed === 1;
  say(byId("speed"), `×${number(speed)}`);
  document.title = `${number(city.gauge("bookings.searching"))} · ${market.id} · Dispatch`;
  byId("ground").setAttribute("aria-label", speech.words.map_label(city.gauge("bookings.searching"), Object.keys(cells.counts).length));
}

function showLink(up) {
  const answering = city.state?.answering ?? true;
  byId("link").dataset.up = up && answering;
  say(byId("link"), up && answering ? speech.words.live : speech.words.lost);
  notice(answering ? "" : speech.words.down);
}

function notice(text) {
  byId("notice").hidden = !text;
  say(byId("notice"), text);
}

// -- who watches ------------------------------------------------------------------------------------------------------

function knock(problem) {
  const form = byId("door-form");
  form.market.value = chosen.market;
  byId("door-problem").textContent = problem;
  if (!byId("door").open) byId("door").showModal();
  (chosen.key && !problem ? form.market : form.key).focus();
}

byId("door-form").addEventListener("submit", () => {
  const form = byId("door-form");
  chosen = { market: form.market.value.trim(), key: form.key.value.trim() || chosen.key };
  history.replaceState(null, "", `?market=${encodeURIComponent(chosen.market)}`);
  if (form.key.value.trim()) sessionStorage.chosenKey = form.key.value.trim();
  form.key.value = "";
  watch();
});
byId("door-leave").addEventListener("click", () => byId("door").close());
byId("market").addEventListener("click", () => knock(""));

async function read(path) {
  const answer = await fetch(`/v1/markets/${encodeURIComponent(chosen.market)}/${path}`, { headers: { authorization: `Bearer ${chosen.key}` } });
  if (!answer.ok) throw new Refused(answer.status, "");
  return answer.json();
}

function open(bno) {
  const booking = city.state?.bookings[bno];
  if (booking?.id) show(byId("booking"), { bno, booking, market: city.state.market, read });
}

// -- language and theme -----------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (localStorage.theme ?? (dark.matches ? "dark" : "light")) === "dark";

function dress() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  say(byId("theme"), isDark() ? speech.words.theme_light : speech.words.theme_dark);
  ground.repaint();
}

function setLanguage(language) {
  speak(language);
  say(byId("language"), speech.language === "fr" ? "English" : "Français");
  byId("language").lang = speech.language === "fr" ? "en" : "fr";
  panels.seatsLegend();
  mapLegend();
  dress();
  if (city.state) draw();
}

function mapLegend() {
  const { words } = speech;
  const dots = ["searching", "accepted", "unfilled"].map((name) => make("span", {}, make(`i.dot.${name}`), words[`state_${name}`]));
  byId("map-legend").replaceChildren(...dots, make("span", {}, make("i.ramp"), words.reach));
}

byId("theme").addEventListener("click", () => {
  localStorage.theme = isDark() ? "light" : "dark";
  dress();
});
byId("language").addEventListener("click", () => {
  localStorage.language = speech.language === "fr" ? "en" : "fr";
  setLanguage(localStorage.language);
});
dark.addEventListener("change", dress);

setLanguage(localStorage.language ?? navigator.language.slice(0, 2));
setInterval(drawTime, 250);
watch();
