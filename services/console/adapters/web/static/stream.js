// How the page gets the live stream: from the worker that all tabs of this sign-in share, so that the browser holds one
// connection for all of them. Without such a worker it holds its own, and gives it back while nobody looks.

import { ask } from "./api.js";
import { Source } from "./source.js";
import { account, emit, on, state } from "./state.js";

export const LOST_AFTER_S = 10;
const QUIET_S = 3; // beats come every second: after that the worker is asked whether it lives
const UNANSWERED = 8; // seconds in which this page ran and the worker did not answer
const WORKERS = 2; // that are tried before the page helps itself
const HIDDEN_MS = 2000;
const RETRY_MS = 5000;

let way = null;
let tried = 0;

export function connect() {
  way?.close();
  way = (tried < WORKERS && shared()) || alone();
}

export function start() {
  on("second", () => way?.tick());
  document.addEventListener("visibilitychange", () => way?.turned());
  addEventListener("pagehide", () => {
    way?.close();
    way = null;
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) connect();
  });
  connect();
}

export const silentFor = () => (performance.now() - state.heardAt) / 1000;

function shared() {
  let worker;
  try {
    worker = new SharedWorker(new URL("shared.js", import.meta.url), { type: "module", name: `${account.session} ${tried}` });
  } catch {
    return null; // this browser has none, or does not let us
  }
  const { port } = worker;
  let unanswered = 0;
  const askFor = () => port.postMessage("there?");
  const self = {
    // Only seconds in which this page ran count: one that was frozen has not listened.
    tick() {
      if (silentFor() < QUIET_S) return;
      unanswered += 1;
      if (unanswered > UNANSWERED) next(self);
      else askFor();
    },
    turned() {
      unanswered = 0;
      askFor();
    },
    close() {
      port.postMessage("bye");
      port.close();
    },
  };
  worker.addEventListener("error", () => next(self));
  port.onmessage = ({ data }) => {
    if (way !== self) return;
    unanswered = 0;
    if (data.gone) return ended();
    if (data.here) return;
    port.postMessage("taken");
    take(data.sections, data.at);
    if (data.beat) beat(data.beat, data.at);
  };
  askFor();
  return self;
}

// A worker that cannot start, hangs or died with the tab it lived beside: one of another name is not that one.
function next(from) {
  if (way !== from) return;
  tried += 1;
  connect();
}

function alone() {
  const source = new Source(account.session, { sections: take, beat, gone: ended });
  let leaving = null;
  const self = {
    tick() {},
    turned() {
      clearTimeout(leaving);
      if (document.hidden) {
        leaving = setTimeout(() => {
          source.close();
          rests(true);
        }, HIDDEN_MS);
        return;
      }
      rests(false);
      if (source.isOpen) source.look();
      else source.open();
    },
    close() {
      clearTimeout(leaving);
      source.close();
    },
  };
  if (document.hidden) self.turned();
  else source.open();
  return self;
}

// The title says that no fire will be heard from a tab that has given its stream back.
function rests(resting) {
  if (state.resting === resting) return;
  state.resting = resting;
  emit("fires");
}

function take(changed, at) {
  heard(at);
  Object.assign(state.sections, changed);
  if ("names" in changed) emit("names");
  for (const name of Object.keys(changed)) if (name !== "names") emit(name);
}

function beat(fresh, at) {
  heard(at);
  if (fresh.now) {
    state.fresh = fresh;
    state.skew = new Date(fresh.now).getTime() - at;
  }
  emit("fresh");
}

// By when it came to this browser: what waited for a frozen page is old.
function heard(at) {
  state.heardAt = Math.max(state.heardAt, performance.now() - Math.max(0, Date.now() - at));
}

// The sign-in is over or another one: `ask` leads to the door. If it is neither any more, go on.
async function ended() {
  await ask("/api/v1/me").catch(() => {});
  setTimeout(connect, RETRY_MS);
}
