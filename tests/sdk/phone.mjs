// A phone for the tests: the JavaScript SDK, told what to do line by line. phone.py is the same with the Python SDK.
//
//   in   {"n": 1, "do": "accept", "with": {...}}
//   out  {"n": 1, "said": ...} or {"n": 1, "failed": {"code", "message"}}, and {"heard": message} whenever something is heard

import { createInterface } from "node:readline";
import { DeviceClient } from "../../sdk/js/index.js";

const HEARD = ["proposal", "withdrawn", "booking", "counter", "notice", "result", "error", "live", "drain"];
const { tokens, pause_ms: pauseMs, kept, page, ...options } = JSON.parse(process.argv[2]);
const storage = kept && {
  getItem: (key) => kept[key] ?? null,
  setItem: (key, value) => void (kept[key] = value),
  removeItem: (key) => void delete kept[key],
};
if (page) {
  const events = new EventTarget();
  const listening = { addEventListener: events.addEventListener.bind(events), removeEventListener: events.removeEventListener.bind(events) };
  Object.assign(globalThis, listening, { page: events, document: Object.assign(new EventTarget(), { visibilityState: "hidden" }) });
}
const token = tokens.length > 1 ? async () => (tokens.length > 1 ? tokens.shift() : tokens[0]) : tokens[0];
const client = new DeviceClient({ ...options, token, storage, pause: () => pauseMs ?? 0 });

const DEEDS = {
  live: () => client.live(),
  accept: ({ proposal, version, ...rest }) => client.accept({ proposal, version }, named(rest)),
  refuse: ({ proposal, version, ...rest }) => client.refuse({ proposal, version }, named(rest)),
  counter: ({ proposal, version, ...rest }) => client.counter({ proposal, version }, named(rest)),
  report: ({ proposal, ...rest }) => client.report({ proposal }, named(rest)),
  cancel: ({ booking_id, ...rest }) => client.cancel({ booking_id }, named(rest)),
  late: ({ booking_id, ...rest }) => client.late({ booking_id }, named(rest)),
  status: (change) => client.status(change),
  settings: ({ do_not_disturb: doNotDisturb, suggestion }) => client.settings({ doNotDisturb, suggestion }),
  follow_up: (wish) => client.followUp(wish),
  seen: ({ proposals }) => client.seen(...proposals),
  sync: () => client.sync(),
  set_push: ({ push }) => client.setPush(push),
  drop: () => client.drop(),
  look: () => ({
    live: client.state === "live",
    open: [...client.open.keys()].sort(),
    pending: client.pending.map(({ id }) => id),
    offset_ms: client.offsetMs,
    stopped: client.stopped?.closeCode ?? null,
  }),
  close: () => client.close(),
};

// What only a page needs.
const DEEDS_OF_A_PAGE = {
  kept: () => kept,
  take_back: ({ id }) => client.takeBack(id),
  wake: () => client.wake(),
  lists: () => ({ proposals: client.proposals.map(({ proposal }) => proposal), bookings: client.bookings.map((booking) => booking.booking_id) }),
  ms_left: ({ moment }) => client.msLeft(moment),
  online: () => void globalThis.page.dispatchEvent(new Event("online")),
  shown: () => {
    globalThis.document.visibilityState = "visible";
    globalThis.document.dispatchEvent(new Event("visibilitychange"));
  },
};

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const named = ({ timeout_ms: timeoutMs, ...rest }) => (timeoutMs === undefined ? rest : { ...rest, timeoutMs });

client.on("live", () => { throw new Error("a listener of the app is broken"); });
process.on("uncaughtException", (error) => say({ heard: { type: "uncaught", message: error.message } }));
for (const name of HEARD) client.on(name, (heard) => say({ heard }));
client.start();
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { n, do: deed, with: what } = JSON.parse(line);
  try {
    say({ n, said: (await (DEEDS[deed] ?? DEEDS_OF_A_PAGE[deed])(what)) ?? null });
  } catch (error) {
    say({ n, failed: { code: error.code ?? error.name, message: error.message } });
  }
});
lines.on("close", () => client.close());
