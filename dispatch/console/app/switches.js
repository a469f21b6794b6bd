// The settings: what this provider can switch on and off, as far as the protocol lets him.

import { make, say } from "../dom.js";
import { offered } from "./push.js";
import { speech } from "./words.js";

/** A row: a name, a line about it, and what can be done. */
function row(id, name, text, ...acts) {
  return make("li", { id: `row-${id}` }, make("div", {}, make("h3", { id: `row-${id}-name`, textContent: name }), make("p.note", { id: `row-${id}-text`, textContent: text })), ...acts);
}

/** A switch that says what it is, and what it is set to, in words too. */
function toggle(id, on, busy, act) {
  const { words } = speech;
  const button = make("button.switch", { type: "button", role: "switch", "aria-checked": String(on), "aria-labelledby": `row-${id}-name`, "aria-describedby": `row-${id}-text`, onclick: () => act(!on) }, make("i", { "aria-hidden": "true" }), make("span", { "aria-hidden": "true", textContent: on ? words.on : words.off_short }));
  button.setAttribute("aria-busy", String(busy));
  return button;
}

/** Draws the settings. `it`: { account, settings, changing, push, installer, does, wishes } */
export function drawSwitches(parent, it) {
  const held = document.activeElement?.closest?.("#switches li")?.id;
  const { words } = speech;
  const { facts } = it.account;
  const available = it.changing ?? facts?.available ?? true;
  parent.replaceChildren(
    ...[
      row("available", words.available, words.available_text, toggle("available", available, it.changing !== null, it.does.setAvailable)),
      row("quiet", words.quiet, quietText(facts), make("button.plain", { type: "button", textContent: words.quiet_change, "aria-label": `${words.quiet_change}: ${words.quiet}`, onclick: () => it.wishes.quiet() })),
      offered(it.settings) ? pushRow(it) : null,
      row("wish", words.wish, words.wish_text, ...["service", "talk"].map((kind) => make("button.plain", { type: "button", textContent: words[`wish_${kind}`], onclick: () => it.wishes.wish(kind) }))),
      it.installer ? row("install", words.install, words.install_text, make("button.plain", { type: "button", textContent: words.install_do, onclick: it.does.install })) : null,
      row("leave", words.leave, words.leave_text, make("button.plain", { type: "button", textContent: words.leave, onclick: it.does.leave })),
    ].filter(Boolean),
  );
  if (held) parent.querySelector(`#${held} button`)?.focus();
}

function quietText(facts) {
  const { words } = speech;
  const hours = facts?.do_not_disturb;
  return hours ? words.quiet_hours(hours.from, hours.to) : words.quiet_none;
}

function pushRow({ push, does }) {
  const { words } = speech;
  const denied = Notification.permission === "denied";
  const line = row("push", words.push, denied ? words.push_denied : words.push_text, denied ? null : toggle("push", push.address !== null, push.busy, does.setPush));
  const problem = make("p.problem", { role: "alert" });
  say(problem, push.problem);
  line.firstElementChild.append(problem);
  return line;
}
