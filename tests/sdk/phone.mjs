// A phone for the tests: the JavaScript SDK, told what to do line by line. phone.py is the same with the Python SDK.
//
//   in   {"n": 1, "do": "accept", "with": {...}}
//   out  {"n": 1, "said": ...} or {"n": 1, "failed": {"code", "message"}}, and {"heard": message} whenever something is heard

import { createInterface } from "node:readline";
import { DeviceClient } from "../../sdk/js/index.js";

const HEARD = ["proposal", "withdrawn", "booking", "counter", "notice", "result", "error", "live", "drain"];
const { tokens, pause_ms: pauseMs, ...options } = JSON.parse(process.argv[2]);
const token = tokens.length > 1 ? async () => (tokens.length > 1 ? tokens.shift() : tokens[0]) : tokens[0];
const client = new DeviceClient({ ...options, token, pause: () => pauseMs ?? 0 });

const DEEDS = {
  live: () => client.live(),
  accept: ({ proposal, version, ...rest }) => client.accept({ proposal, version }, named(rest)),
  refuse: ({ proposal, version, ...rest }) => client.refuse({ proposal, version }, named(rest)),
  counter: ({ proposal, version, ...rest }) => client.counter({ proposal, version }, named(rest)),
  report: ({ proposal, ...rest }) => client.report({ proposal }, named(rest)),
  status: (change) => client.status(change),
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

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const named = ({ timeout_ms: timeoutMs, ...rest }) => (timeoutMs === undefined ? rest : { ...rest, timeoutMs });

for (const name of HEARD) client.on(name, (heard) => say({ heard }));
client.start();
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { n, do: deed, with: what } = JSON.parse(line);
  try {
    say({ n, said: (await DEEDS[deed](what)) ?? null });
  } catch (error) {
    say({ n, failed: { code: error.code ?? error.name, message: error.message } });
  }
});
lines.on("close", () => client.close());
