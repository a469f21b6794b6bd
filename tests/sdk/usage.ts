// The types of the JavaScript SDK as an app uses them: every member once. Never run; the compiler must accept it, and refuse what is marked.

import { DeviceClient, DispatchError, pauseMs, Refused, Stopped, TakenBack, Unavailable } from "../../sdk/js/index.js";
import type { Booking, CounterState, Item, PendingCommand, Proposal, Result, State, WebSocketLike } from "../../sdk/js/index.js";

declare const SomeWebSocket: WebSocketLike;

const client = new DeviceClient({
  url: "wss://engine.example/v1/device",
  token: async () => "token",
  device: "phone-1",
  encoding: "json",
  app: "app/1",
  background: false,
  push: { kind: "webpush", token: "x" },
  WebSocket: SomeWebSocket,
  storage: localStorage,
  watchPage: true,
  pause: (attempt, chance, reason) => pauseMs(attempt, chance, reason),
}).start();
new DeviceClient({ url: "ws://x", token: "t", device: "d", WebSocket }).start();
// @ts-expect-error: a device has a name
new DeviceClient({ url: "ws://x", token: "t" });
// @ts-expect-error: there are two encodings
new DeviceClient({ url: "ws://x", token: "t", device: "d", encoding: "xml" });

const off: () => void = client.on("proposal", (proposal) => show(proposal, client.msLeft(proposal.answer_by)));
client.once("stopped", (error) => [error.closeCode, error.code, error.retry]);
client.on("state", ({ state, former, retryInMs, closeCode, reason }) => [state, former, retryInMs, closeCode, reason]);
client.on("change", (open) => open.forEach((item) => draw(item)));
client.on("withdrawn", ({ proposal, reason }) => (reason === "taken" ? proposal : reason));
client.on("pending", (commands) => commands.map(({ id, type, proposal, sent }) => [id, type, proposal, sent]));
client.on("booking", ({ place }) => place?.lat_e6);
client.on("counter", ({ state, windows, expires_at }) => [state, windows?.map(({ start }) => start), expires_at]);
client.on("notice", ({ kind, text }) => [kind, text]);
client.on("test", ({ state, receipts }) => receipts.map(({ way, device, received_at, seen_at, outcome }) => [state, way, device, received_at, seen_at, outcome]));
client.on("result", ({ outcome, booking, decides_at }) => [outcome, booking?.place, decides_at]);
client.on("error", ({ code, message, after_ms }) => [code, message, after_ms]);
client.on("live", ({ seq }) => seq);
client.on("drain", ({ after_ms }) => after_ms);
// @ts-expect-error: nobody says that
client.on("horoscope", () => {});

export async function provider(proposal: Proposal): Promise<Result> {
  await client.live(5_000);
  const state: State = client.state;
  const stopped: Stopped | null = client.stopped;
  const known: [Proposal[], Booking[], CounterState[], readonly PendingCommand[]] = [client.proposals, client.bookings, client.counters, client.pending];
  const numbers: number[] = [client.offsetMs, client.serverNow()];
  client.seen(proposal.proposal);
  await client.refuse(proposal, { reason: "too far", id: "r" });
  await client.counter({ proposal: "1.1.7", version: 1 }, { windows: [{ start: 1, end: 2 }], note: "later" });
  await client.report(proposal, { reason: "no such street" });
  await client.cancel({ booking_id: "b-1" }, { reason: "fever", declares: "illness" });
  await client.late({ booking_id: "b-1" }, { minutes: 10 });
  await client.status({ available: true });
  await client.test({ id: "t", timeoutMs: 5_000 });
  const { suggestion } = await client.refuse(proposal, { reason: "too_far" });
  await client.settings({ doNotDisturb: { from: "21:00", to: "08:00" }, suggestion: suggestion ?? null });
  await client.settings({ doNotDisturb: null });
  await client.followUp({ kind: "service", text: "hair extensions" });
  // @ts-expect-error: nobody follows that up
  await client.followUp({ kind: "horoscope" });
  // @ts-expect-error: other windows are what it is about
  await client.counter(proposal, {});
  client.takeBack("r");
  client.sync();
  await client.refresh();
  client.setPush(null);
  client.wake();
  client.drop();
  off();
  try {
    return await client.accept(proposal, { window: 1, timeoutMs: 1_000 });
  } catch (error) {
    if (error instanceof TakenBack || error instanceof Unavailable || error instanceof Refused) return Promise.reject(error.code);
    throw error instanceof DispatchError ? error.message : [error, state, stopped, known, numbers, client.open.size];
  } finally {
    await client.close();
  }
}

declare function show(proposal: Proposal, ms: number): void;
declare function draw(item: Item): void;
