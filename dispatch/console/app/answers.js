// What a provider says to a proposal: the three dialogs, and what came of it in words.

import { make, say } from "../dom.js";
import { fromField, toField } from "./clock.js";
import { hour, speech } from "./words.js";

const TIMES_MOST = 5;
const LATER_MS = 3_600_000; // how much after the asked time the first other one is offered

const byId = (id) => document.getElementById(id);

/** Opens a dialog; the answer is what `read` makes of it when it is submitted (it stays open while `read` answers null), else null. */
export function ask(dialog, read) {
  return new Promise((tell) => {
    const form = dialog.querySelector("form");
    let told = null;
    form.onsubmit = (event) => {
      told = read(form, event.submitter);
      if (told === null) event.preventDefault();
    };
    dialog.onclose = () => tell(told);
    for (const button of dialog.querySelectorAll("[data-close]")) button.onclick = () => dialog.close();
    dialog.showModal();
  });
}

/** Asks why. Null: he would rather not refuse; else `{ reason }`, whose null says nothing. */
export function askReason() {
  const dialog = byId("refusing");
  const reasons = Object.entries(speech.words.reasons);
  const choice = ([code, text]) => make("label.choice", {}, make("input", { type: "radio", name: "reason", value: code, checked: code === "" }), text);
  const fieldset = byId("refusing-reasons");
  fieldset.replaceChildren(fieldset.querySelector("legend"), ...reasons.map(choice));
  const other = byId("refusing-other");
  [other.hidden, other.querySelector("input").value] = [true, ""];
  fieldset.onchange = (event) => {
    other.hidden = event.target.value !== "other";
    if (!other.hidden) other.querySelector("input").focus();
  };
  return ask(dialog, (form) => {
    const code = form.elements.reason.value;
    return { reason: (code === "other" ? form.elements.text.value.trim() : code) || null };
  });
}

/** Asks what is wrong. Null: nothing after all; else `{ reason }`. */
export function askReport() {
  const { text } = byId("reporting").querySelector("form").elements;
  const problem = byId("reporting-problem");
  text.value = "";
  say(problem, "");
  return ask(byId("reporting"), () => {
    const reason = text.value.trim();
    if (reason) return { reason };
    say(problem, speech.words.report_missing);
    return null;
  });
}

/** Asks for other times, in the market's zone. Null: none; else `{ windows, note }`. */
export function askTimes(proposal, zone, now) {
  const [asked] = proposal.booking.windows;
  const length = asked.end - asked.start;
  const times = byId("countering-times");
  const problem = byId("countering-problem");
  const draw = () => renumber(times, zone, length);
  const add = (start) => {
    times.append(timeRow(start === null ? "" : toField(start, zone), toField(now, zone), draw));
    draw();
  };
  times.replaceChildren();
  say(problem, "");
  add(Math.max(asked.start, now) + LATER_MS);
  byId("countering-more").onclick = () => {
    add(null);
    times.lastElementChild.querySelector("input").focus();
  };
  const dialog = byId("countering");
  dialog.querySelector("textarea").value = "";
  return ask(dialog, (form) => {
    const starts = [...times.querySelectorAll("input")].map((input) => fromField(input.value, zone));
    say(problem, wrong(starts, now));
    if (problem.textContent) return null;
    return { windows: starts.map((start) => ({ start, end: start + length })), note: form.elements.note.value.trim() };
  });
}

function wrong(starts, now) {
  const { words } = speech;
  if (starts.includes(null)) return words.time_missing;
  if (starts.some((start) => start <= now)) return words.time_past;
  return new Set(starts).size < starts.length ? words.time_twice : "";
}

function timeRow(value, min, draw) {
  const input = make("input", { type: "datetime-local", required: true, value, min, oninput: draw });
  const remove = make("button.quiet", { type: "button", textContent: "✕" });
  const row = make("li", {}, make("label", {}, make("span"), input), make("output"), remove);
  remove.onclick = () => {
    row.remove();
    draw();
    byId("countering-more").focus();
  };
  return row;
}

function renumber(times, zone, length) {
  const rows = [...times.children];
  rows.forEach((row, index) => {
    const start = fromField(row.querySelector("input").value, zone);
    say(row.querySelector("span"), speech.words.time_number(index + 1));
    say(row.querySelector("output"), start === null ? "" : speech.words.until(hour(start + length, zone)));
    const remove = row.querySelector("button");
    remove.setAttribute("aria-label", speech.words.remove_time(index + 1));
    remove.disabled = rows.length === 1;
  });
  byId("countering-more").disabled = rows.length >= TIMES_MOST;
}

/** What came of a command: `said`, a passing word; `note`, one that stays on the proposal; `gone`, why it left. */
export function outcomeOf(type, outcome, what) {
  const { words } = speech;
  if (outcome === "won") return { said: words.won(what), gone: "won" };
  if (outcome === "done" && type === "refuse") return { said: words.refused, gone: "done" };
  if (outcome === "done" && type === "accept") return { said: words.tested, gone: "done" }; // of a test: it stands for no booking
  if (outcome === "done" || outcome === "pending") return {};
  if (outcome === "sent") return { said: words.sent };
  if (["version_conflict", "limit", "too_late"].includes(outcome)) return { note: words[outcome] };
  return { gone: outcome, said: reasonOf(outcome) };
}

/** Why a proposal is no longer available. */
export const reasonOf = (reason) => speech.words[`gone_${reason}`] ?? speech.words.gone_other(reason);

/** What the server's `error` means. */
export function errorOf({ code, message }) {
  const { words } = speech;
  if (code === "rate_limited") return words.limited;
  return code === "unavailable" ? words.unavailable : words.server_says(message);
}
