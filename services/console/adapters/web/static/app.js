// Puts the page together: every part listens to what concerns it; one timer moves clocks and countdowns.

import { emit, on, state } from "./state.js";
import * as boards from "./boards.js";
import * as cases from "./cases.js";
import * as chrome from "./chrome.js";
import * as drawer from "./drawer.js";
import * as fires from "./fires.js";
import * as fresh from "./fresh.js";
import * as rates from "./rates.js";
import * as session from "./session.js";
import * as sound from "./sound.js";
import * as stream from "./stream.js";
import * as tally from "./tally.js";
import * as units from "./units.js";

const parts = [chrome, sound, fresh, fires, rates, tally, cases, units, boards, drawer];

for (const part of parts) part.start();
on("language", renderAll);
on("names", renderAll);

function renderAll() {
  for (const part of parts) part.render();
}

setInterval(() => emit("second"), 1000);
renderAll();
stream.start();
session.start();
if (state.view.open) drawer.open(state.view.open);
