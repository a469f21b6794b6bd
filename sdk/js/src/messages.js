// What the server says, field by field: checked, and with defaults for what a message leaves out. `tests/sdk` compares it with the engine's own.

const integer = (value) => (Number.isSafeInteger(value) ? value : wrong(value, "an integer"));
const text = (value) => (typeof value === "string" ? value : wrong(value, "a text"));
const flag = (value) => (typeof value === "boolean" ? value : wrong(value, "a boolean"));
const raw = (value) => value;
const orNull = (kind) => (value) => (value === null ? null : kind(value));
const list = (kind) => (value) => (Array.isArray(value) ? value.map(kind) : wrong(value, "a list"));
const map = (fields) => (value) => (isMap(value) ? known(fields, value) : wrong(value, "a map"));
const or = (kind, absent) => ({ kind, absent }); // what may be left out, and then is `absent()`

const nothing = () => null;
const none = () => [];
const zero = () => 0;
const no = () => false;
const empty = () => "";
const euro = () => "EUR";

const WINDOW = { start: integer, end: integer };
const AREA = { name: or(orNull(text), nothing), h3: or(orNull(text), nothing) };
const OUTLINE = {
  booking_id: text,
  services: list(text),
  windows: list(map(WINDOW)),
  area: or(orNull(map(AREA)), nothing),
  distance_m: or(orNull(integer), nothing),
  price_cents: or(integer, zero),
  currency: or(text, euro),
  known_client: or(flag, no),
  note: or(text, empty),
};
const ADDRESS = { lat_e6: integer, lng_e6: integer, address: or(orNull(text), nothing) };
const CLIENT = { client_id: or(orNull(text), nothing), name: or(orNull(text), nothing) };
const VISIT = {
  booking_id: text,
  version: integer,
  state: text,
  place: or(orNull(map(ADDRESS)), nothing),
  client: or(orNull(map(CLIENT)), nothing),
  services: or(list(text), none),
  windows: or(list(map(WINDOW)), none),
  window: or(orNull(integer), nothing),
  area: or(orNull(map(AREA)), nothing),
  price_cents: or(integer, zero),
  currency: or(text, euro),
  note: or(text, empty),
};

const missing = () => undefined;
const SUGGESTION = {
  proposal: text,
  kind: text,
  radius_m: or(integer, missing),
  areas: or(list(text), missing),
  hours: or(text, missing),
  services: or(list(text), missing),
};

const RECEIPT = {
  way: text,
  device: or(orNull(text), nothing),
  received_at: or(orNull(integer), nothing),
  seen_at: or(orNull(integer), nothing),
  outcome: or(orNull(text), nothing),
};

/** Every message to a device: its fields. */
export const MESSAGES = {
  welcome: {
    session: text,
    epoch: text,
    seq: integer,
    resumed: flag,
    reason: or(orNull(text), nothing),
    now: integer,
    heartbeat: map({ every_ms: integer, dead_ms: integer }),
    items: or(list(raw), none),
  },
  live: { seq: integer },
  proposal: {
    seq: or(integer, zero),
    proposal: text,
    version: integer,
    at: or(integer, missing),
    expires_at: integer,
    answer_by: integer,
    wave: or(integer, () => 1),
    kind: or(text, () => "ordinary"),
    reasons: or(list(text), none),
    booking: map(OUTLINE),
  },
  withdrawn: { seq: or(integer, zero), proposal: text, version: or(integer, zero), reason: text },
  counter: {
    seq: or(integer, zero),
    proposal: text,
    state: text,
    counteroffer: or(text, missing),
    booking_id: or(orNull(text), missing),
    services: or(list(text), missing),
    windows: or(list(map(WINDOW)), missing),
    expires_at: or(integer, missing),
  },
  booking: { seq: or(integer, zero), ...VISIT },
  result: {
    id: text,
    outcome: text,
    proposal: or(orNull(text), nothing),
    booking: or(orNull(map(VISIT)), nothing),
    decides_at: or(integer, missing),
    suggestion: or(map(SUGGESTION), missing),
    seq: or(integer, missing),
  },
  ping: { seq: or(integer, zero), now: or(integer, zero) },
  pong: { seq: or(integer, zero), now: or(integer, zero) },
  snapshot: { id: orNull(text), epoch: text, seq: integer, items: or(list(raw), none), more: or(flag, no) },
  refreshed: { id: text, expires_at: integer },
  auth_needed: { by: integer },
  drain: { after_ms: integer, deadline_ms: integer },
  notice: { seq: or(integer, zero), kind: text, text: or(text, empty), booking_id: or(text, () => undefined) },
  test: {
    seq: or(integer, zero),
    proposal: text,
    state: text,
    sent_at: integer,
    answered_at: or(orNull(integer), nothing),
    receipts: or(list(map(RECEIPT)), none),
  },
  error: {
    id: orNull(text),
    code: text,
    message: text,
    retry: or(flag, no),
    after_ms: or(orNull(integer), nothing),
  },
};

const ITEMS = new Set(["proposal", "booking", "counter"]);

/** A message with all its fields and no others. Throws TypeError: a type nobody knows, or a field of the wrong kind. */
export function readMessage(value) {
  if (!isMap(value) || !Object.hasOwn(MESSAGES, value.type)) throw new TypeError("not a message that this client knows");
  return { type: value.type, ...known(MESSAGES[value.type], value) };
}

/** An item of a `welcome` or `snapshot`, or null where a newer server lists what nobody here knows. */
export function readItem(value) {
  try {
    const item = readMessage(value);
    return ITEMS.has(item.type) ? item : null;
  } catch {
    return null;
  }
}

function known(fields, value) {
  const found = {};
  for (const [name, field] of Object.entries(fields)) {
    const optional = typeof field !== "function";
    const absent = !Object.hasOwn(value, name);
    if (absent && !optional) throw new TypeError(`\`${name}\` is missing`);
    const one = absent ? field.absent() : (optional ? field.kind : field)(value[name]);
    if (one !== undefined) found[name] = one;
  }
  return found;
}

function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(value, wanted) {
  throw new TypeError(`${JSON.stringify(value)} is not ${wanted}`);
}
