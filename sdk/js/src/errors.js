// What the engine or this client says went wrong.

/** `code` is stable; `retry`: the same again may succeed. */
export class DispatchError extends Error {
  constructor(message, code = "internal", retry = false) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.retry = retry;
  }
}

/** Final: the same again would end the same way. */
export class Refused extends DispatchError {}

/** Not now: ask again with the same id. */
export class Unavailable extends DispatchError {
  constructor(message, code = "unavailable") {
    super(message, code, true);
  }
}

/** A command that was taken back before it was sent. */
export class TakenBack extends DispatchError {
  constructor(id) {
    super(`the command ${id} was taken back before it was sent`, "taken_back");
  }
}

/** The server told this device to stop. */
export class Stopped extends Refused {
  constructor(closeCode, meaning, reason) {
    super(`${closeCode}: ${meaning}${reason ? ` (${reason})` : ""}`, "stopped");
    this.closeCode = closeCode;
  }
}

/** The exception that says what an `error` message says. */
export function refusal(error) {
  return error.retry ? new Unavailable(error.message, error.code) : new Refused(error.message, error.code);
}
