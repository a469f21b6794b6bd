// What this installation is like: where its gateway is, where tokens come from, whether it sends notifications.

import * as push from "./push.js";

const KEPT = "dispatch.settings";

/** As the engine says now, else as it said last. */
export async function read() {
  try {
    const answer = await fetch("/app/settings", { cache: "no-store" });
    if (!answer.ok) throw new TypeError(String(answer.status));
    const told = { ...(await answer.json()), push_key: await push.key() };
    localStorage.setItem(KEPT, JSON.stringify(told));
    return told;
  } catch {
    return JSON.parse(localStorage.getItem(KEPT)) ?? { device_url: null, device_port: 8081, speed: 1 };
  }
}

export function deviceUrl({ device_url: named, device_port: port }) {
  return named ?? `${location.protocol === "https:" ? "wss" : "ws"}://${location.hostname}:${port}/v1/device`;
}
