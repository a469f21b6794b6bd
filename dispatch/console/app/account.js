// Who this device belongs to: the token that a link brought, and what the engine tells its owner.

const KEPT = "dispatch.account"; // { token } or, in development, { market, provider }
const DEVICE = "dispatch.device";
const FACTS = "dispatch.facts"; // what was known last, for the time without a network
const DEV_KEY = "dev-key"; // what an engine in development lets in, from its own machine alone
const DEV_TTL_S = 3_600;

/** What a token says of itself. It is not verified here: that is the server's affair. Null: it is no token. */
export function claimsOf(token) {
  try {
    const [, payload] = token.split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims.sub === "string" ? claims : null;
  } catch {
    return null;
  }
}

/** What a link or a pasted text brings: `#token=...`, in development `#market=...&provider=...`, or a bare token. Null: nothing. */
export function brought(text, dev) {
  const fragment = new URLSearchParams(text.slice(text.indexOf("#") + 1));
  const token = fragment.get("token") ?? text.trim();
  if (claimsOf(token)) return { token };
  const [market, provider] = [fragment.get("market"), fragment.get("provider")];
  return dev && market && provider ? { market, provider } : null;
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

const write = (name, value) => (value === null ? localStorage.removeItem(name) : localStorage.setItem(name, JSON.stringify(value)));

/** No token can be had. `detail`: why. */
export class NoToken extends Error {}

export class Account {
  /** `settings`: what /app/settings said; what was known last serves without a network. */
  constructor(settings) {
    this.settings = settings;
    this.held = read(KEPT);
    this.facts = read(FACTS);
    this.shut = false; // nobody is let in until a token comes, from wherever
  }

  /** Takes what a link brought; another person's facts are forgotten. */
  take(held) {
    if (JSON.stringify(held) !== JSON.stringify(this.held)) this.forget();
    [this.held, this.shut] = [held, held === null];
    write(KEPT, held);
  }

  forget() {
    for (const name of Object.keys(localStorage)) if (/^dispatch[.:]/.test(name) && name !== DEVICE) localStorage.removeItem(name);
    [this.held, this.facts] = [null, null];
  }

  get known() {
    return this.held !== null || (Boolean(this.settings.token_url) && !this.shut);
  }

  /** The name of this device: the token's, if it names one, else one that is kept. */
  get device() {
    const named = this.held?.token && claimsOf(this.held.token)?.device;
    if (named) return named;
    const kept = read(DEVICE) ?? `web-${Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("")}`;
    write(DEVICE, kept);
    return kept;
  }

  get ranOut() {
    return Boolean(this.held?.token) && (claimsOf(this.held.token)?.exp ?? 0) * 1_000 < Date.now();
  }

  /** A token that is good now. Throws NoToken when there is none to be had, TypeError when the network is away. */
  async token() {
    if (this.held?.provider) return this.#developers();
    if (this.settings.token_url && (!this.held || this.#endsSoon())) await this.#renew();
    if (!this.held?.token) throw new NoToken("");
    return this.held.token;
  }

  #endsSoon() {
    return claimsOf(this.held.token).exp * 1_000 < Date.now() + 60_000;
  }

  async #developers() {
    const { market, provider } = this.held;
    const answer = await fetch(`/v1/markets/${encodeURIComponent(market)}/device-tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${DEV_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ provider_id: provider, device_id: this.device, ttl_s: DEV_TTL_S }),
    });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body.token;
    if (answer.status < 500) throw new NoToken(body.detail ?? String(answer.status));
    throw new TypeError(body.detail);
  }

  async #renew() {
    const answer = await fetch(this.settings.token_url, { method: "POST", credentials: "include", headers: { accept: "application/json" } });
    if (answer.status >= 500) throw new TypeError(String(answer.status));
    const { token } = await answer.json().catch(() => ({}));
    if (!answer.ok || !claimsOf(token ?? "")) throw new NoToken(String(answer.status));
    this.held = { token };
    write(KEPT, this.held);
  }

  /** Reads what the engine knows of its owner; without a network the last known stays. */
  async learn() {
    const answer = await fetch("/app/me", { headers: { authorization: `Bearer ${await this.token()}` }, cache: "no-store" });
    if (!answer.ok) return;
    this.facts = await answer.json();
    write(FACTS, this.facts);
  }

  /** Remembers a fact that this page has just changed. */
  note(change) {
    this.facts = { ...this.facts, ...change };
    write(FACTS, this.facts);
  }

  get zone() {
    return this.facts?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}
