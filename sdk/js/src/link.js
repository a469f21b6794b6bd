// One connection: opened, spoken on, and given up when it takes too long or falls silent. It ends once, whichever side or clock ends it.

const OPENING_MS = 10_000;

export class Link {
  #socket;
  #timer;
  #open = false;
  #ended = false;
  #told;

  /** `told`: { opened(link), frame(link, data), ended(link, code, reason) }. Throws what the constructor of the socket throws. */
  constructor({ WebSocket, url, subprotocol, told }) {
    this.#told = told;
    this.#socket = new WebSocket(url, [subprotocol]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("open", () => this.#opened());
    this.#socket.addEventListener("message", ({ data }) => this.#ended || told.frame(this, data));
    this.#socket.addEventListener("close", ({ code, reason }) => this.#end(code, reason));
    this.#socket.addEventListener("error", () => this.#open || this.#end(1006, "not opened")); // Node 20 has no close after it; later one follows
    this.expect(OPENING_MS);
  }

  /** Something must be heard within so long, else the connection is dead. */
  expect(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.drop("nothing heard"), ms);
  }

  /** Say it if there is someone to hear it: the end of the connection is told, and what carries an id is repeated on the next. */
  send(frame) {
    if (frame === null || this.#ended) return;
    try {
      this.#socket.send(frame);
    } catch {
      this.drop("nothing can be said");
    }
  }

  /** Give the connection up, without waiting for a goodbye that may never come. */
  drop(reason = "dropped") {
    this.#close(undefined);
    this.#end(1006, reason);
  }

  /** Leave. */
  leave() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#close(1000, "left");
  }

  #opened() {
    this.#open = true;
    if (!this.#ended) this.#told.opened(this);
  }

  #close(...how) {
    try {
      this.#socket.close(...how.filter((part) => part !== undefined));
    } catch {
      // it never opened
    }
  }

  #end(code, reason) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#told.ended(this, code, reason);
  }
}
