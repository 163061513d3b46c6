// The worker that all tabs of one sign-in share: it holds the one stream of this browser, however many tabs look at it.
// A browser opens six connections to a host over HTTP/1.1; a stream for each tab would leave none for the rest.

import { Source } from "./source.js";

const FORGOTTEN_MS = 60_000; // a tab that took nothing for so long is closed, crashed or frozen; it asks when it lives
const SWEEP_MS = 10_000;

const [session] = self.name.split(" "); // the rest numbers the workers that such tabs have tried
const tabs = new Map(); // port -> what it is owed: names of sections, a beat; and whether it has taken the last message
let picture = {};
let beat = null;
let at = 0;

const source = new Source(session, {
  sections(changed, came) {
    Object.assign(picture, changed);
    at = came;
    for (const [port, tab] of tabs) {
      for (const name of Object.keys(changed)) tab.owed.add(name);
      give(port, tab);
    }
  },
  beat(fresh, came) {
    beat = fresh;
    at = came;
    for (const [port, tab] of tabs) {
      tab.beat = true;
      give(port, tab);
    }
  },
  gone() {
    for (const port of tabs.keys()) port.postMessage({ gone: true });
    rest();
  },
});

// No queue: a tab that is behind finds the latest state, and a frozen one costs one message.
function give(port, tab) {
  if (!tab.free || (!tab.owed.size && !tab.beat)) return;
  const sections = {};
  for (const name of tab.owed) sections[name] = picture[name];
  port.postMessage({ sections, beat: tab.beat ? beat : null, at });
  tab.owed.clear();
  tab.beat = false;
  tab.free = false;
  tab.since = Date.now();
}

function receive(port, word) {
  const tab = tabs.get(port);
  if (word === "bye") {
    leave(port);
  } else if (word === "taken" && tab) {
    tab.free = true;
    give(port, tab);
  } else if (word === "there?") {
    port.postMessage({ here: true });
    if (!tab) enter(port);
    source.look();
  }
}

function enter(port) {
  const tab = { owed: new Set(Object.keys(picture)), beat: beat !== null, free: true, since: Date.now() };
  tabs.set(port, tab);
  if (!source.isOpen) source.open();
  give(port, tab);
}

function leave(port) {
  tabs.delete(port);
  if (!tabs.size) rest();
}

// Nobody looks: the stream goes back, and what it said is not kept to be taken for news.
function rest() {
  source.close();
  tabs.clear();
  picture = {};
  beat = null;
}

setInterval(() => {
  for (const [port, tab] of tabs) if (!tab.free && Date.now() - tab.since > FORGOTTEN_MS) leave(port);
}, SWEEP_MS);

self.addEventListener("connect", (event) => {
  const [port] = event.ports;
  port.onmessage = (message) => receive(port, message.data);
});
