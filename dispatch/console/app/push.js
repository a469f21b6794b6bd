// Web Push: asking for it, and what the engine is told of it.

const kept = "dispatch.push";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));

/** Whether this browser can, and the server offers it. */
export const offered = (settings) => Boolean(settings.push_key) && "PushManager" in globalThis && "Notification" in globalThis && "serviceWorker" in navigator;

/** The address that the engine is told in `hello`: null unless its owner asked for it. */
export async function address(settings) {
  if (!offered(settings) || !localStorage.getItem(kept) || Notification.permission !== "granted") return null;
  const registration = await navigator.serviceWorker.ready;
  return told(await registration.pushManager.getSubscription());
}

const told = (subscription) => subscription && { kind: "webpush", token: JSON.stringify(subscription) };

/** Asks the browser, which asks its owner. Throws what the browser says; null: he said no. */
export async function subscribe(settings) {
  if ((await Notification.requestPermission()) !== "granted") return null;
  const registration = await navigator.serviceWorker.ready;
  const before = await registration.pushManager.getSubscription();
  const key = bytes(settings.push_key);
  if (before && !same(before.options.applicationServerKey, key)) await before.unsubscribe(); // the server has other keys now
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  localStorage.setItem(kept, "yes");
  return told(subscription);
}

/** Switches it; how it stands then: { address, busy, problem }. `explain`: says what went wrong. */
export async function switched(on, settings, { address: former }, explain) {
  try {
    return { address: on ? await subscribe(settings) : (await unsubscribe(), null), busy: false, problem: "" };
  } catch (problem) {
    return { address: former, busy: false, problem: explain(problem.message) };
  }
}

export async function unsubscribe() {
  localStorage.removeItem(kept);
  const registration = await navigator.serviceWorker?.getRegistration();
  await (await registration?.pushManager?.getSubscription())?.unsubscribe();
}

const same = (buffer, wanted) => buffer !== null && String(new Uint8Array(buffer)) === String(wanted);
