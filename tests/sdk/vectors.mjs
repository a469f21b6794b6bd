// The JavaScript SDK without a socket, for the tests: a list of jobs on stdin, the list of their outcomes on stdout.

import { readFileSync } from "node:fs";
import { CODECS } from "../../sdk/js/src/codec.js";
import { pauseMs, verdict } from "../../sdk/js/src/closes.js";
import { Conversation } from "../../sdk/js/src/conversation.js";
import { MESSAGES } from "../../sdk/js/src/messages.js";
import * as msgpack from "../../sdk/js/src/msgpack.js";
import { Queue } from "../../sdk/js/src/queue.js";

const NOW = 1_000;
const plain = { msgpack: (frame) => msgpack.decode(frame), json: JSON.parse };
const fromHex = { msgpack: (hex) => Uint8Array.from(Buffer.from(hex, "hex")), json: (hex) => Buffer.from(hex, "hex").toString() };

const JOBS = {
  fields: () => Object.fromEntries(Object.entries(MESSAGES).map(([type, fields]) => [type, Object.keys(fields)])),
  read: ({ encoding, frame }) => CODECS[encoding].decode(fromHex[encoding](frame)),
  write: ({ encoding, message }) => Buffer.from(CODECS[encoding].encode(message)).toString("hex"),
  pause: ({ attempt, chance, reason }) => pauseMs(attempt, chance, reason),
  verdict: ({ code }) => verdict(code, "why")?.message ?? null,
  story: ({ encoding, steps }) => {
    const codec = CODECS[encoding];
    const talk = new Conversation({ codec, device: "d-1", app: "story", queue: new Queue() });
    return steps.map((step) => {
      const { frames, messages } = play(talk, step);
      return { says: frames.filter(Boolean).map(plain[encoding]), tells: messages, open: [...talk.open.keys()].sort() };
    });
  },
};

function play(talk, step) {
  if ("hear" in step) return talk.receive(onTheWire(talk, step.hear), NOW);
  if ("overhear" in step) return talk.overheard(onTheWire(talk, step.overhear), NOW);
  if ("connect" in step) return { frames: [talk.hello(step.connect, NOW)], messages: [] };
  if ("command" in step) return { frames: [talk.command(step.command)], messages: [] };
  if ("seen" in step) return { frames: [talk.seen(step.seen)], messages: [] };
  talk.lost(step.lost);
  return { frames: [], messages: [] };
}

function onTheWire(talk, message) {
  const frame = talk.codec.encode(message);
  return typeof frame === "string" ? frame : frame.buffer;
}

const outcomes = JSON.parse(readFileSync(0, "utf8")).map((job) => JOBS[job.do](job));
process.stdout.write(JSON.stringify(outcomes));
