// The market as this page knows it: the last full state, with every delta merged into it.

/** Applies a JSON merge patch (RFC 7396) in place. */
export function merge(target, patch) {
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete target[name];
    else if (isObject(value) && isObject(target[name])) merge(target[name], value);
    else target[name] = value;
  }
  return target;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** State, clock, and what has just happened to bookings. */
export class City {
  constructor() {
    this.state = null;
    this.read = 0;
  }

  /** Takes an event of the stream; returns what happened to bookings: `[{ kind: "wave" | "accepted" | "unfilled" | "cancelled", bno, asked }]`. */
  take(name, data) {
    const fresh = name === "state";
    const before = fresh ? new Set(Object.keys(data.events)) : new Set(Object.keys(this.state.events));
    this.state = fresh ? data : merge(this.state, data);
    this.read = performance.now();
    return Object.entries(this.state.events)
      .filter(([place]) => !before.has(place))
      .map(([, event]) => ({ kind: MOMENTS[event.type], bno: event.b, asked: event.asked ?? 1 }))
      .filter((moment) => moment.kind);
  }

  /** Engine time now, in ms. */
  now() {
    return this.state.now + (performance.now() - this.read) * this.state.speed;
  }

  /** Bookings with their numbers, those that search first. */
  bookings() {
    return Object.entries(this.state.bookings).map(([bno, booking]) => ({ bno: Number(bno), ...booking }));
  }

  gauge(name) {
    return this.state.gauges[name] ?? 0;
  }
}

const MOMENTS = { WaveSent: "wave", Accepted: "accepted", Unfilled: "unfilled", Cancelled: "cancelled" };

/** How much of its search a booking has used, from 0 to 1 and beyond. */
export const used = (booking, now) => (now - booking.opened) / Math.max(1, booking.deadline - booking.opened);
