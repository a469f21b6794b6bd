/**
 * A provider's device, in a browser, a web view or Node: one object that stays connected, whatever happens in between.
 *
 *     const client = new DeviceClient({ url, token: fetchToken, device: "phone-1" });
 *     client.on("proposal", (proposal) => show(proposal, client.msLeft(proposal.answer_by)));
 *     client.on("change", () => draw(client.proposals, client.bookings));
 *     client.start();
 *     const result = await client.accept(proposal); // "won", "lost", ...: losing is a result, not an error
 *
 * Messages have the names and fields of the protocol itself (PROTOCOL.md, section 2; `/asyncapi.json` of an engine): times are integers in
 * ms since 1970 on the server's clock, money is cents. A word that a later server adds to `reason`, `kind`, `state` or `outcome` passes
 * through: treat the unions below as the words known today.
 */

// -- messages ------------------------------------------------------------------------------------------------------------

/** A word of today's list, or one that a later server adds. */
export type Word<Known extends string> = Known | (string & {});

export interface Window {
  start: number;
  end: number;
}

/** Roughly where: commune or arrondissement, and the H3 cell of resolution 7 in hex. Never coordinates. */
export interface Area {
  name: string | null;
  h3: string | null;
}

/** What a provider may know of a booking before he has won it. */
export interface Outline {
  booking_id: string;
  services: string[];
  windows: Window[];
  area: Area | null;
  distance_m: number | null;
  price_cents: number;
  currency: string;
  known_client: boolean;
  note: string;
}

/**
 * A booking shown to one provider. `answer_by`: end of its live time; `expires_at`: end of the search, until then it can still be won. Of kind
 * `test` it stands for no booking: to take or refuse it is `done`, and nothing else.
 */
export interface Proposal {
  type: "proposal";
  seq: number;
  proposal: string;
  version: number;
  /** When this message was made. */
  at?: number;
  expires_at: number;
  answer_by: number;
  wave: number;
  kind: Word<"ordinary" | "bonus" | "direct" | "test">;
  reasons: string[];
  booking: Outline;
}

/** No longer available. */
export interface Withdrawn {
  type: "withdrawn";
  seq: number;
  proposal: string;
  version: number;
  reason: Word<"taken" | "cancelled" | "expired" | "changed" | "overlap" | "answered_elsewhere" | "ops">;
}

/** A booking as its holder sees it: exactly where, and who. `window` is the index of the agreed one in `windows`. */
export interface Visit {
  booking_id: string;
  version: number;
  state: Word<"searching" | "accepted" | "unfilled" | "cancelled" | "taken_over" | "completed" | "no_show">;
  place: { lat_e6: number; lng_e6: number; address: string | null } | null;
  client: { client_id: string | null; name: string | null } | null;
  services: string[];
  windows: Window[];
  window: number | null;
  area: Area | null;
  price_cents: number;
  currency: string;
  note: string;
}

/** A booking he holds: won, changed, cancelled, taken over. */
export interface Booking extends Visit {
  type: "booking";
  seq: number;
}

/** How a counteroffer of his stands: `held` until the others have answered, `shown` to the client, or over. */
export interface CounterState {
  type: "counter";
  seq: number;
  proposal: string;
  state: Word<"held" | "shown" | "accepted" | "declined" | "expired" | "withdrawn">;
  counteroffer?: string;
  booking_id?: string | null;
  services?: string[];
  windows?: Window[];
  expires_at?: number;
}

/** Something to tell the provider. */
export interface Notice {
  type: "notice";
  seq: number;
  kind: string;
  text: string;
  booking_id?: string;
}

/** What came back of a test by one way: `socket` of a device, or `push`, where `outcome` is the push service's. null: not yet. */
export interface TrialReceipt {
  way: Word<"socket" | "push">;
  device: string | null;
  received_at: number | null;
  seen_at: number | null;
  outcome: string | null;
}

/** How a test of the notifications stands: one receipt for each device that was there, and for the push service. */
export interface TrialState {
  type: "test";
  seq: number;
  proposal: string;
  state: Word<"open" | "accepted" | "refused" | "expired">;
  sent_at: number;
  answered_at: number | null;
  receipts: TrialReceipt[];
}

/** A daily range of the market's local clock, "HH:MM"; it may pass midnight. */
export interface QuietHours {
  from: string;
  to: string;
}

/** A change of his settings that follows from why he refused `proposal`; hand it to `settings` as it is to confirm it. */
export interface Suggestion {
  proposal: string;
  kind: Word<"zone" | "hours" | "catalogue">;
  /** The zone's radius from then on. */
  radius_m?: number;
  /** Areas to leave. */
  areas?: string[];
  /** His hours from then on. */
  hours?: string;
  /** Services to drop. */
  services?: string[];
}

/** The answer to a command. A won accept carries the full `booking`. */
export interface Result {
  type: "result";
  id: string;
  outcome: Word<
    | "won" | "lost" | "pending" | "expired" | "cancelled" | "already_yours" | "overlap" | "version_conflict" | "not_asked"
    | "done" | "sent" | "limit" | "too_late"
  >;
  proposal: string | null;
  booking: Visit | null;
  /** With `pending` only: when the one later result is due. */
  decides_at?: number;
  /** With what follows `pending` only: its place in the stream. */
  seq?: number;
  /** With `done` of a refusal whose reason has one. */
  suggestion?: Suggestion;
}

/** A command that could not be judged, or (`id` null) a message nobody understood. */
export interface ErrorMessage {
  type: "error";
  id: string | null;
  code: Word<"bad_request" | "unauthorized" | "forbidden" | "not_found" | "rate_limited" | "unavailable" | "internal">;
  message: string;
  retry: boolean;
  after_ms: number | null;
}

/** Everything up to `seq` has been told: the device knows what is open. */
export interface Live {
  type: "live";
  seq: number;
}

/** What is open: proposals by proposal id, held bookings by booking id, counteroffers by `counter:<proposal id>`. */
export type Item = Proposal | Booking | CounterState;

// -- the client ----------------------------------------------------------------------------------------------------------

/**
 * - `idle`: `start()` was not called yet
 * - `connecting`: on the way to the server, or being told what was missed
 * - `live`: connected, and knows everything
 * - `waiting`: no connection; another attempt follows by itself
 * - `stopped`: the server said that trying again would end the same way (`client.stopped` says why)
 * - `closed`: `close()` was called
 */
export type State = "idle" | "connecting" | "live" | "waiting" | "stopped" | "closed";

/** With each change of state. `retryInMs`: with `waiting`. `closeCode`, `reason`: how the last connection ended, when it did. */
export interface StateChange {
  state: State;
  former: State;
  retryInMs: number | null;
  closeCode: number | null;
  reason: string;
}

/** A command without a final answer. `sent`: it was said on some connection, so it may have been heard. */
export interface PendingCommand {
  id: string;
  type: "accept" | "refuse" | "counter" | "report" | "cancel" | "late" | "status" | "test" | "settings" | "follow_up";
  proposal: string | null;
  sent: boolean;
}

export interface Events {
  /** The state of the connection has changed. */
  state: StateChange;
  /** What is open has changed: draw `proposals`, `bookings`, `counters` anew. Once per frame from the server, however much it changed. */
  change: ReadonlyMap<string, Item>;
  proposal: Proposal;
  withdrawn: Withdrawn;
  booking: Booking;
  counter: CounterState;
  notice: Notice;
  test: TrialState;
  /** Every answer, also to commands that nobody waits for (sent before the page was loaded again, `pending` before the final one). */
  result: Result;
  error: ErrorMessage;
  live: Live;
  /** The queue of commands without a final answer has changed. */
  pending: readonly PendingCommand[];
  /** The server goes away; a new connection is opened first, nothing need be done. */
  drain: { type: "drain"; after_ms: number; deadline_ms: number };
  /** The server said stop. */
  stopped: Stopped;
}

/** What is needed of a `WebSocket` class: the browser's own, Node 22's, that of the package `ws`. */
export type WebSocketLike = new (url: string, protocols: string[]) => {
  binaryType: string;
  readonly protocol: string;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: any) => void): void;
};

/** Where commands without an answer outlive the page: `localStorage` fits. */
export interface AnswerStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface DeviceClientOptions {
  /** `wss://.../v1/device`. Never with a token in it. */
  url: string;
  /** A device token, or how to get a fresh one: asked for every connection, and when the server wants a newer one (`auth_needed`). */
  token: string | (() => string | Promise<string>);
  /** The name of this device, the same for as long as the app is installed. */
  device: string;
  /** `msgpack` (default; smaller) or `json` (readable in the browser's tools). */
  encoding?: "msgpack" | "json";
  /** Name and version of the app. */
  app?: string;
  /** Whether the app is off the screen: then proposals also come by push. */
  background?: boolean;
  /** Where the device is reached without a connection. */
  push?: { kind: string; token: string } | null;
  /** For Node 20, which has none of its own. Default: the global `WebSocket`. */
  WebSocket?: WebSocketLike;
  /** Keeps commands without an answer over a reload of the page. Default: none. */
  storage?: AnswerStorage | null;
  /** Watch `online` and `visibilitychange`, and find out at once whether the connection still lives. Default: true in a browser. */
  watchPage?: boolean;
  /** Pause before attempt 0, 1, ... in ms. Default: full jitter, random(0, min(30 s, 0.5 s * 2^n)). */
  pause?: (attempt: number, chance: number, reason: string) => number;
}

export interface CommandOptions {
  /** Made by the client unless given. The same id again gets the same answer, also after reconnects, reloads and on another device. */
  id?: string;
  /** After so long without an answer the promise rejects with `Unavailable`, and the command is not said again. Default: never. */
  timeoutMs?: number;
}

/** A proposal, or as much of it as a command needs. */
export type ProposalRef = Pick<Proposal, "proposal" | "version">;

export class DeviceClient {
  constructor(options: DeviceClientOptions);

  readonly state: State;
  /** Why the server said stop, or null. */
  readonly stopped: Stopped | null;
  /** What is open now, as the server said it last. */
  readonly open: ReadonlyMap<string, Item>;
  /** Open proposals, the one to be answered first in front. */
  readonly proposals: Proposal[];
  /** Bookings he holds, the earliest in front. */
  readonly bookings: Booking[];
  /** Counteroffers that are held or shown. */
  readonly counters: CounterState[];
  /** Commands without a final answer: what an app shows as "will be sent". */
  readonly pending: readonly PendingCommand[];
  /** Server's clock minus this device's steady one (`performance`), ms. */
  readonly offsetMs: number;

  /** Stay connected from now on. */
  start(): this;
  /** Resolves when the device is connected and knows everything. Rejects with `Stopped`, or `Unavailable` after `timeoutMs`. */
  live(timeoutMs?: number): Promise<void>;
  /** Leave for good. What is queued and was never sent stays in `storage`. */
  close(): Promise<void>;

  /** Listen; the answer is a function that ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  /** The same, for one time. */
  once<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;

  /** The server's clock, ms since 1970, as far as it is known. */
  serverNow(): number;
  /** How long until a moment of the server, ms; 0 when it has passed. For countdowns. */
  msLeft(moment: number): number;

  /**
   * Take a proposal. Without a connection the command is queued, and said as soon as there is one. Resolves with the final result; a
   * `pending` one comes as event. Rejects with `Refused` (say it differently), `Stopped`, `Unavailable` (`timeoutMs`, `close()`).
   */
  accept(proposal: ProposalRef, options?: CommandOptions & { window?: number }): Promise<Result>;
  /** Decline a proposal; costs nothing. */
  refuse(proposal: ProposalRef, options?: CommandOptions & { reason?: string | null }): Promise<Result>;
  /** Propose 1 to 5 other windows. */
  counter(proposal: ProposalRef, options: CommandOptions & { windows: Window[]; note?: string }): Promise<Result>;
  /** Report a proposal or its client. */
  report(proposal: Pick<Proposal, "proposal">, options: CommandOptions & { reason: string }): Promise<Result>;
  /** Give a visit back (R35); `declares` what hinders him, if it is one of these. */
  cancel(booking: Pick<Booking, "booking_id">, options?: CommandOptions & { reason?: string | null; declares?: "illness" | "force_majeure" | null }): Promise<Result>;
  /** He comes so many minutes late to a visit (R37). */
  late(booking: Pick<Booking, "booking_id">, options: CommandOptions & { minutes: number }): Promise<Result>;
  /** The provider wants work or not; the app is on the screen or not. What is left out stays as it is. */
  status(change: { available?: boolean; background?: boolean }, options?: CommandOptions): Promise<Result>;
  /** Test the notifications: a test proposal is `sent`, and `test` events tell what came back by which way. */
  test(options?: CommandOptions): Promise<Result>;
  /** Set his do-not-disturb hours (null: none), or confirm a suggestion; `expired`: it does not follow from anything any more. */
  settings(change: { doNotDisturb?: QuietHours | null; suggestion?: Suggestion | null }, options?: CommandOptions): Promise<Result>;
  /** Suggest a service, or ask for a talk about the score. */
  followUp(wish: { kind: "service" | "talk"; text?: string }, options?: CommandOptions): Promise<Result>;
  /** Take a queued command back, if it was never sent; whether that came in time. Its promise rejects with `TakenBack`. */
  takeBack(id: string): boolean;

  /** These proposals are on the screen now: the clock of the answer starts. Say it once per proposal. */
  seen(...proposals: string[]): void;

  /** Where the device is reached without a connection from now on; null: nowhere. Said on a new connection, which takes over from the old one. */
  setPush(push: { kind: string; token: string } | null): void;
  /** Ask for everything that is open, and replace what is known. */
  sync(): void;
  /** Fetch a token and hand it to the server, before the old one runs out. By itself after `auth_needed`. */
  refresh(): Promise<void>;
  /** Look at once whether the connection lives, or connect at once: the network is back, the app is on the screen. */
  wake(): void;
  /** Break the connection, as a tunnel would; the client reconnects by itself. For tests. */
  drop(): void;
}

// -- errors --------------------------------------------------------------------------------------------------------------

/** What the engine or this client says went wrong. `retry`: the same again may succeed. */
export class DispatchError extends Error {
  readonly code: string;
  readonly retry: boolean;
}
/** Final: the same again would end the same way. */
export class Refused extends DispatchError {}
/** Not now: no answer in time, no connection, the client was closed. Ask again with the same id. */
export class Unavailable extends DispatchError {}
/** The command was taken back before it was sent. */
export class TakenBack extends DispatchError {}
/** The server told this device to stop: bad token (4500), another socket of this device (4503), blocked (4505)... */
export class Stopped extends Refused {
  readonly closeCode: number;
}

// -- parts of it, for other shells and for tests ---------------------------------------------------------------------------

/** Full jitter: random(0, min(30 s, 0.5 s * 2^attempt)) in ms, plus what an overloaded server asks for in the close reason. */
export function pauseMs(attempt: number, chance: number, reason?: string): number;
