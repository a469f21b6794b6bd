// Keeps the page, so that it opens without a network; and tells of proposals when the page is closed.

importScripts("shell.js"); // self.SHELL: the files and their version, which changes with any byte of them

const KEPT = `shell-${self.SHELL.version}`;
const CELLS = "cells";
const CELLS_MOST = 300;
const NOTES = "notes"; // the language, for when there is no page to ask
const WORDS = {
  en: { proposal: ["New proposal", "Open to see it and answer."], withdrawn: ["No longer available", ""], test: ["Your notifications work", ""], other: ["News from your marketplace", ""] },
  fr: { proposal: ["Nouvelle proposition", "Ouvrez pour la voir et répondre."], withdrawn: ["Plus disponible", ""], test: ["Vos notifications fonctionnent", ""], other: ["Des nouvelles de votre plateforme", ""] },
};

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (event.request.mode === "navigate") event.respondWith(kept("/app/", event.request));
  else if (self.SHELL.files.includes(url.pathname)) event.respondWith(kept(url.pathname, event.request));
  else if (url.pathname.startsWith("/app/cells/")) event.respondWith(cell(event.request));
});
self.addEventListener("message", (event) => event.data?.language && event.waitUntil(note("language", event.data.language)));
self.addEventListener("push", (event) => event.waitUntil(pushed(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open());
});

async function install() {
  const cache = await caches.open(KEPT);
  await cache.addAll(self.SHELL.files.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting(); // an open page has all its modules: the next one loaded is the new one
}

async function activate() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("shell-") && name !== KEPT).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function kept(file, request) {
  return (await caches.match(file, { cacheName: KEPT })) ?? fetch(request).catch(() => Response.error());
}

/** Outlines of cells never change. */
async function cell(request) {
  const cache = await caches.open(CELLS);
  const known = await cache.match(request);
  if (known) return known;
  const answer = await fetch(request).catch(() => Response.error());
  if (answer.ok) await cache.put(request, answer.clone());
  const all = await cache.keys();
  if (all.length > CELLS_MOST) await cache.delete(all[0]);
  return answer;
}

// -- push ---------------------------------------------------------------------------------------------------------------

async function note(name, value) {
  const cache = await caches.open(NOTES);
  await cache.put(`/app/notes/${name}`, new Response(value));
}

async function words() {
  const known = await caches.match("/app/notes/language", { cacheName: NOTES });
  return WORDS[known ? await known.text() : navigator.language.slice(0, 2)] ?? WORDS.en;
}

/** A push says no more than which proposal, of which kind, until when. A later one of the same proposal replaces the earlier one. */
async function pushed(data) {
  let told = {};
  try {
    told = data?.json() ?? {};
  } catch {
    // not ours, yet something must be shown
  }
  const texts = await words();
  const [title, body] = texts[told.kind] ?? texts.other;
  const silent = told.kind === "withdrawn";
  const options = { body, tag: told.id ?? "dispatch", icon: "/app/icon-192.png", badge: "/app/badge.png", data: told, silent, renotify: !silent };
  await self.registration.showNotification(title, options);
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) page.postMessage({ notified: told });
}

async function open() {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => new URL(url).pathname.startsWith("/app/"));
  return page ? page.focus() : self.clients.openWindow("/app/#proposals");
}
