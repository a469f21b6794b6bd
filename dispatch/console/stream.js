// The ops stream: server-sent events over fetch, because EventSource cannot send the Authorization header.

const SILENT_MS = 40_000; // the server says something every 15 s
const PAUSE_MS = [500, 1_000, 2_000, 4_000];

/** What the server answered instead of a stream. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Events of a text stream, one after the other: `{ name, data }`. `touch` is called whenever anything arrives. */
export async function* events(body, touch) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    touch();
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const event = { name: "message", data: "" };
      for (const line of part.split("\n")) {
        if (line.startsWith("event: ")) event.name = line.slice(7);
        if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      if (event.data) yield event;
    }
  }
}

/** Listens until `signal` aborts; comes back after every interruption. `told(name, data)`: an event; `linked(true or false)`. */
export async function listen({ market, key, signal, told, linked }) {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      await once({ market, key, signal, linked, told: (name, data) => ((failures = 0), told(name, data)) });
    } catch (problem) {
      if (problem instanceof Refused && problem.status < 500 && problem.status !== 429) throw problem;
    }
    if (signal.aborted) return;
    linked(false);
    const pause = PAUSE_MS[Math.min(failures, PAUSE_MS.length - 1)];
    await new Promise((wake) => setTimeout(wake, pause * (0.5 + Math.random())));
  }
}

async function once({ market, key, signal, told, linked }) {
  const silent = new AbortController();
  let timer;
  const touch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), SILENT_MS);
  };
  touch();
  try {
    const answer = await fetch(`/v1/markets/${encodeURIComponent(market)}/ops/stream`, {
      headers: { authorization: `Bearer ${key}`, accept: "text/event-stream" },
      signal: AbortSignal.any([signal, silent.signal]),
      cache: "no-store",
    });
    if (!answer.ok) throw new Refused(answer.status, (await answer.json().catch(() => ({}))).detail ?? "");
    linked(true);
    for await (const { name, data } of events(answer.body, touch)) told(name, JSON.parse(data));
  } finally {
    clearTimeout(timer);
  }
}
