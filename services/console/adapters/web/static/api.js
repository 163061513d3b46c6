// Calls to our own API. An error carries the server's code, for which the catalogue has a sentence.

import { account } from "./state.js";

export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("network");
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    location.assign("/login?ended");
    throw new Refused("not_signed_in");
  }
  if (!answer.ok) throw new Refused(body.error?.code ?? "internal");
  return body;
}

export const order = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": account.csrf },
    body: JSON.stringify(body),
  });
