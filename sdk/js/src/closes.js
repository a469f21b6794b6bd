// How a link ends, and what follows: 45xx stop, everything else connects again (PROTOCOL.md section 2).

import { Stopped } from "./errors.js";

export const CLOSES = {
  LEFT: 1000,
  RESTART: 1012,
  OVERLOADED: 1013, // the reason says `after_ms=...`
  INTERNAL: 4000,
  NO_HELLO: 4006,
  TOO_MANY_COMMANDS: 4008,
  SLOW_READER: 4009,
  STATE_LOST: 4010,
  NO_PONG: 4011,
  TOKEN_EXPIRED: 4012,
  DRAINED: 4013,
  BAD_TOKEN: 4500,
  MALFORMED: 4501,
  VERSION: 4502,
  REPLACED: 4503,
  TOO_MANY_DEVICES: 4504,
  BLOCKED: 4505,
};

const STOPS = {
  [CLOSES.BAD_TOKEN]: "the token is bad, or not for this device",
  [CLOSES.MALFORMED]: "the server could not read what this device sent",
  [CLOSES.VERSION]: "the server does not speak this version of the protocol",
  [CLOSES.REPLACED]: "a newer socket of this device took over",
  [CLOSES.TOO_MANY_DEVICES]: "the provider has too many devices connected",
  [CLOSES.BLOCKED]: "the account is blocked",
};

/** Whether a close code ends it all, and why; null: connect again. */
export function verdict(code, reason = "") {
  return code >= 4500 && code < 4600 ? new Stopped(code, STOPS[code] ?? "refused for good", reason) : null;
}

/**
 * Pause before attempt 0, 1, ... in ms, with full jitter: `chance` is uniform in [0, 1). A server that is overloaded names its own pause in
 * the close reason (`after_ms`); it comes on top.
 */
export function pauseMs(attempt, chance, reason = "") {
  const asked = /after_ms\D{0,3}(\d{1,6})/.exec(reason);
  return chance * Math.min(30_000, 500 * 2 ** Math.min(attempt, 10)) + (asked ? Number(asked[1]) : 0);
}
