// The live stream. The browser reconnects by itself; we notice when nothing was heard for too long.

import { ask } from "./api.js";
import { emit, state } from "./state.js";

export const LOST_AFTER_S = 10;
const RETRY_MS = 5000;
let source = null;

export function connect() {
  source?.close();
  source = new EventSource("/api/v1/stream");
  source.addEventListener("snapshot", receive);
  source.addEventListener("update", receive);
  source.addEventListener("beat", (event) => {
    heard();
    const fresh = JSON.parse(event.data);
    if (fresh.now) {
      state.fresh = fresh;
      state.skew = new Date(fresh.now).getTime() - Date.now();
    }
    emit("fresh");
  });
  source.addEventListener("error", onError);
}

function receive(event) {
  heard();
  const changed = JSON.parse(event.data);
  Object.assign(state.sections, changed);
  if ("names" in changed) emit("names");
  for (const name of Object.keys(changed)) if (name !== "names") emit(name);
}

function heard() {
  state.heardAt = performance.now();
}

export const silentFor = () => (performance.now() - state.heardAt) / 1000;

// After a refusal (session over, too many pages, server away) a browser gives up for good: ask why and start anew.
async function onError() {
  if (source.readyState !== EventSource.CLOSED) return;
  try {
    await ask("/api/v1/me");
  } catch {
    // signed out: `ask` has sent us to the door; anything else: try again below
  }
  setTimeout(connect, RETRY_MS);
}

// What lay in a sleeping laptop's buffer is not live.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && silentFor() > LOST_AFTER_S) connect();
});
