// Calls to our own API. An error carries the server's code, for which the catalogue has a sentence; no answer is one too.

import { account } from "./state.js";
import { t } from "./text.js";

export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

// The sentence of an error, whatever it is.
export const worded = (error) => t(`error.${error instanceof Refused ? error.code : "internal"}`);

// The console itself gives up after 5 s: what takes longer waits for a connection that does not come.
const PATIENCE_MS = 15_000;

// The way to the sign-in, which leads back to where the reader is.
const door = (why) => `/login?${why}&next=${encodeURIComponent(location.pathname + location.search)}`;

export async function ask(path, options = {}) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), options.patience ?? PATIENCE_MS);
  let answer, body;
  try {
    answer = await fetch(path, {
      credentials: "same-origin",
      ...options,
      headers: { ...options.headers, "X-Session": account.session },
      signal: patience.signal,
    });
    body = await answer.json().catch((error) => {
      if (error.name === "AbortError") throw error;
      return {};
    });
  } catch (error) {
    if (error.name !== "AbortError") throw new Refused("network");
    throw new Refused(options.method === "POST" ? "no_answer_order" : "no_answer");
  } finally {
    clearTimeout(timer);
  }
  if (answer.status === 401) {
    location.assign(door("ended"));
    throw new Refused("not_signed_in");
  }
  const code = body.error?.code;
  if (code === "other_session") location.assign(door("other"));
  if (!answer.ok) throw new Refused(code ?? "internal");
  return body;
}

export const order = (path, body, patience = PATIENCE_MS) =>
  ask(path, {
    method: "POST",
    patience,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": account.csrf },
    body: JSON.stringify(body),
  });

// Returns a way to ask one path or several of which the newest question alone is answered. It says whether it was: what
// comes late shows nothing.
export function newestOf(take, fail) {
  let newest = 0;
  return async (...paths) => {
    const mine = (newest += 1);
    try {
      const answers = await Promise.all(paths.map((path) => ask(path)));
      if (mine === newest) take(...answers);
    } catch (error) {
      if (mine === newest) fail(error);
    }
    return mine === newest;
  };
}
