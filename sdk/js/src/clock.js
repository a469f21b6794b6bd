// The server's clock, as this device hears it. A message only ever arrives late, so of several readings the largest is nearest the truth: what
// waited in a sleeping phone does not set the clock back. This device's own time is read from a steady clock: somebody may set the one on the wall.

const READINGS = 8;

/** This device's clock, ms since 1970: what the one on the wall said when the page began, and what has passed since. */
export const deviceNow = () => Math.round(performance.timeOrigin + performance.now());

export class Clock {
  #readings = [];

  /** Server's clock minus this device's, ms. */
  get offsetMs() {
    return this.#readings.length ? Math.max(...this.#readings) : 0;
  }

  /** A message said what time it was when it was sent. */
  heard(serverNow, now) {
    this.#readings = [...this.#readings.slice(1 - READINGS), serverNow - now];
  }

  /** The same in answer to something said at `asked`: the server read its clock in between. What was known before is forgotten. */
  answered(serverNow, asked, now) {
    this.#readings = [Math.round(serverNow - (asked + now) / 2)];
  }
}
