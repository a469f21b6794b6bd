// What a page learns of its phone: the network is back, the screen is on again. Timers may have slept meanwhile, and connections died.

/** Calls `wake` then. The answer is a function that ends it. Without a page nothing is watched. */
export function watchPage(wake) {
  const { document, addEventListener, removeEventListener } = globalThis;
  if (!document || !addEventListener) return () => {};
  const visible = () => document.visibilityState === "visible" && wake();
  addEventListener("online", wake);
  addEventListener("pageshow", wake);
  document.addEventListener("visibilitychange", visible);
  return () => {
    removeEventListener("online", wake);
    removeEventListener("pageshow", wake);
    document.removeEventListener("visibilitychange", visible);
  };
}
