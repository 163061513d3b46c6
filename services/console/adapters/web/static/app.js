// Puts the page together: every part listens to what concerns it; one timer moves clocks and countdowns.

import { emit, on, state } from "./state.js";
import * as boards from "./boards.js";
import * as caseChoice from "./case_choice.js";
import * as caseList from "./case_list.js";
import * as caseTools from "./case_tools.js";
import * as cases from "./cases.js";
import * as chrome from "./chrome.js";
import * as drawer from "./drawer.js";
import * as fires from "./fires.js";
import * as fresh from "./fresh.js";
import * as inbox from "./inbox.js";
import * as keys from "./keys.js";
import * as rates from "./rates.js";
import * as session from "./session.js";
import * as sound from "./sound.js";
import * as stream from "./stream.js";
import * as tally from "./tally.js";
import * as units from "./units.js";

const parts = [chrome, sound, fresh, fires, rates, tally, cases, caseTools, caseChoice, inbox, units, boards, drawer, keys];

for (const part of parts) part.start();
caseList.start();
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
