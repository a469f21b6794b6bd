// What this installation is like: where its gateway is, where tokens come from, whether it sends notifications.

const KEPT = "installation"; // it belongs to the page, not to who is signed in
const AGAIN_MS = 2_000;

/** As the engine says now, else as it said last; if it never did, once it does. */
export async function read() {
  const last = JSON.parse(localStorage.getItem(KEPT));
  while (true) {
    try {
      return await told();
    } catch {
      if (last) return last;
      await new Promise((wake) => setTimeout(wake, AGAIN_MS));
    }
  }
}

async function told() {
  const answer = await fetch("/app/settings", { cache: "no-store" });
  if (!answer.ok) throw new TypeError(String(answer.status));
  const settings = await answer.json();
  localStorage.setItem(KEPT, JSON.stringify(settings));
  return settings;
}

export function deviceUrl({ device_url: named, device_port: port }) {
  return named ?? `${location.protocol === "https:" ? "wss" : "ws"}://${location.hostname}:${port}/v1/device`;
}

/** Has the browser keep the page, where it can; `told`: whether this page is older than the one that it keeps from now on. */
export async function work(told) {
  if (!("serviceWorker" in navigator)) return;
  const controlled = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener("controllerchange", () => told(controlled));
  await navigator.serviceWorker.register("sw.js");
}
