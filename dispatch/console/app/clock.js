// The server's clock, by which everything here counts; and the market's time zone, in which everything is said.

/** This device's time as the SDK reads it: steady, whatever somebody does to the clock on the wall. */
const steady = () => performance.timeOrigin + performance.now();

/** The server's time. Between two readings it is reckoned; `speed` is other than 1 only in a demo. */
export class ServerClock {
  constructor(speed = 1) {
    this.speed = speed;
    this.offset = 0;
    this.read = { local: steady(), server: steady() };
  }

  /** Takes a reading; `offsetMs`: the server's clock minus this device's, when it was last heard. The same again is no news. */
  hear(offsetMs) {
    if (offsetMs === this.offset) return;
    this.offset = offsetMs;
    const local = steady();
    this.read = { local, server: local + offsetMs };
  }

  now() {
    return this.read.server + (steady() - this.read.local) * this.speed;
  }
}

const PARTS = { hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };

/** A moment as a `datetime-local` field has it, in the zone: `2026-11-24T10:00`. */
export function toField(ms, zone) {
  const found = new Intl.DateTimeFormat("en-GB", { ...PARTS, timeZone: zone }).formatToParts(ms);
  const part = Object.fromEntries(found.map(({ type, value }) => [type, value]));
  return `${part.year.padStart(4, "0")}-${part.month}-${part.day}T${part.hour}:${part.minute}`;
}

/** The moment that such a field means in the zone; null: it is empty. Of an hour that the zone leaves out in spring, the one after. */
export function fromField(text, zone) {
  const wall = Date.parse(`${text}Z`);
  if (Number.isNaN(wall)) return null;
  const ahead = (ms) => Date.parse(`${toField(ms, zone)}Z`) - Math.floor(ms / 60_000) * 60_000;
  const first = wall - ahead(wall);
  const second = wall - ahead(first);
  return toField(first, zone) === text.slice(0, 16) ? first : second;
}
