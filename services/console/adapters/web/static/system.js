// How FireNet itself is. What nobody could look at stands as unknown, and never as well.

import { ask, worded } from "./api.js";
import { byId, h, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { drawDay, loadDay } from "./system_day.js";
import { has, number, stamp, t } from "./text.js";

const EVERY_MS = 10000;
const ORDER = ["bad", "attention", "unknown", "well"];
const STAGES = ["sent", "received", "alarm", "rules", "case", "notice", "receipt"];
const GIB = 2 ** 30;
let seen = null;

async function load() {
  try {
    seen = await ask("/api/v1/health");
    say("");
  } catch (error) {
    seen = null; // what was seen before says nothing of now
    say(worded(error), true);
  }
  draw();
  setTimeout(load, EVERY_MS);
}

const badge = (state) => h("span", { class: `badge ${state}` }, t(`system.state.${state}`));
const pressing = (rows) => [...rows].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state));

function draw() {
  const whole = byId("whole");
  whole.dataset.state = seen ? seen.state : "unknown";
  setText(whole, seen ? `${t(`system.whole.${seen.state}`)} · ${t("system.seen", { at: stamp(seen.at) })}` : t("system.whole.unknown"));
  byId("items").replaceChildren(...(seen ? pressing(seen.items).map(item) : []));
  byId("services").replaceChildren(...(seen ? pressing(seen.services).map(service) : []));
  show(byId("none"), !seen || seen.services.length === 0);
  show(byId("synthetic"), Boolean(seen?.synthetic));
  if (seen?.synthetic) byId("stages").replaceChildren(...STAGES.map(stage));
}

function words(values) {
  const filled = { ...values };
  for (const name of ["n", "blind", "of", "days"]) if (name in filled) filled[name] = number(filled[name]);
  if ("at" in filled) filled.at = stamp(filled.at);
  if ("bytes" in filled) filled.size = `${(filled.bytes / GIB).toFixed(1)} GiB`;
  return filled;
}

function item(row) {
  const todo = isUnseen(row) ? "unseen" : isUncounted(row) ? "gaps_uncounted" : row.name;
  return line(row.state, t(`system.name.${row.name}`), [said(row)], todo, row.runbook);
}

const isUnseen = (row) => row.state === "unknown" && Object.keys(row.values).length === 0;
const isUncounted = (row) => row.name === "gaps" && "counting" in row.values;

function said(row) {
  const values = words(row.values);
  if (isUnseen(row)) return t("system.unseen");
  if (isUncounted(row)) return t("system.item.gaps_uncounted");
  if (row.name === "database" && row.state === "bad") return t("system.item.database_bad");
  if (row.name === "synthetic" && row.state === "bad") return t("system.item.synthetic_bad", values);
  if (row.name === "lag" && "blind" in values) return t("system.item.lag_blind", values);
  if (row.name === "certificates" && "at" in values) return t("system.item.certificates_end", values);
  return t(`system.item.${row.name}`, values);
}

function line(state, name, what, todo, runbook) {
  return h("li", { class: "system-row", dataset: { state } }, badge(state), h("b", {}, name),
    h("div", { class: "what" }, ...what,
      state === "well" ? null : h("span", { class: "do" }, `${t("system.do")}${t(`system.do.${todo}`)} `, h("code", {}, `deploy/RUNBOOK.md#${runbook}`))));
}

function service(row) {
  const instances = row.instances.map((one) =>
    h("span", {}, badge(one.state), ` ${one.address} `, one.state === "bad" && one.troubles.length === 0 ? t("system.mute") : one.troubles.join("; ")));
  const what = h("div", { class: "instances" }, h("span", {}, t("system.instances", { n: number(row.instances.length) })), ...instances);
  const key = `parts.name.${row.name.replaceAll("-", "_")}`;
  const name = has(key) ? t(key) : row.name;
  return line(row.state, name, [what], "service", row.runbook);
}

function stage(name) {
  const at = seen.synthetic.stages[name];
  const after = at ? t("system.after", { s: ((new Date(at) - new Date(seen.synthetic.started_at)) / 1000).toFixed(1) }) : t("system.not_passed");
  return h("li", { dataset: { passed: String(Boolean(at)) } }, h("b", {}, t(`system.stage.${name}`)), h("span", { class: "num" }, after));
}

on("language", () => {
  preferences.render();
  draw();
  drawDay();
});
preferences.start();
document.documentElement.dataset.lang = state.lang;
preferences.render();
draw();
load();
loadDay();
session.start();
