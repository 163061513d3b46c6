// Units by state; each count is a filter of the list.

import { byId, h, icon, patchList, setText } from "./dom.js";
import { choose, on, state } from "./state.js";
import { number, t } from "./text.js";

const CONNECTION = ["online", "late", "offline", "unknown", "never_connected", "commissioning", "exempt"];
const HEALTH = ["normal", "fire", "fault", "isolated", "partly_isolated", "unknown"];

export function start() {
  on("tally", render);
  on("view", render);
}

export function render() {
  const tally = state.sections.tally;
  chips("connection", "conn", CONNECTION, tally?.connection);
  chips("health", "health", HEALTH, tally?.health);
  setText(byId("unrouted"), tally?.unrouted ? `· ${t("tally.unrouted", { n: number(tally.unrouted) })}` : "");
}

function chips(aspect, filter, names, counts) {
  patchList(byId(`chips-${aspect}`), names, (name) => name,
    (name) => h("button", { type: "button", class: `chip s-${name}`, onclick: () => toggle(filter, name) }, icon(name), h("span", { class: "word" }), h("b", { class: "num" })),
    (chip, name) => {
      const count = counts?.[name] ?? 0;
      setText(chip.querySelector(".word"), t(`${aspect}.${name}`));
      setText(chip.querySelector("b"), counts ? number(count) : "–");
      chip.classList.toggle("zero", count === 0);
      chip.setAttribute("aria-pressed", String(state.view[filter].includes(name)));
      chip.setAttribute("aria-label", t("tally.filter", { name: t(`${aspect}.${name}`), n: count }));
    });
}

function toggle(filter, name) {
  const chosen = state.view[filter];
  choose({ [filter]: chosen.includes(name) ? chosen.filter((other) => other !== name) : [...chosen, name] });
}
