// The two encodings: one schema, msgpack in binary frames or JSON in text frames.

import { readMessage } from "./messages.js";
import * as msgpack from "./msgpack.js";

export const INBOUND_LIMIT = 4 * 1024; // bytes of one frame to the server
const sizes = new TextEncoder();

/** `encode(message)` makes a frame, `decode(data)` a message; what is no message that this client knows is null: the server may be newer. */
export const CODECS = {
  msgpack: {
    name: "msgpack",
    subprotocol: "dispatch.v1.msgpack",
    encode: msgpack.encode,
    size: (frame) => frame.length,
    decode: (data) => (typeof data === "string" ? null : known(() => msgpack.decode(new Uint8Array(data)))),
  },
  json: {
    name: "json",
    subprotocol: "dispatch.v1.json",
    encode: JSON.stringify,
    size: (frame) => sizes.encode(frame).length,
    decode: (data) => (typeof data === "string" ? known(() => JSON.parse(data)) : null),
  },
};

function known(read) {
  try {
    return readMessage(read());
  } catch {
    return null;
  }
}
