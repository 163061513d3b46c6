// Fire comes before everything: a banner on top, the tab's title, and a sound for those who asked for it.

import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { on, state } from "./state.js";
import { brief, clock, nameOf, since, span, t, unitName } from "./text.js";
import { KIND_ICON } from "./words.js";

const SHOWN = 4;
let audio = null;
let heard = new Set();

export function start() {
  on("fires", render);
  on("second", tick);
  on("sound", () => beep(660, 0.12, 0));
}

// A tab that holds no stream while it is hidden must not look as if nothing burned.
function title(fires) {
  if (state.resting) return `${t("fire.resting")} · ${t("app.name")}`;
  const burning = fires.filter((fire) => fire.kind === "fire").length, others = fires.length - burning;
  const told = [burning ? t("fire.tab", { n: burning }) : "", others ? t("alarm.tab", { n: others }) : ""];
  return [...told.filter(Boolean), t("app.name")].join(" · ");
}

function unique(fire) {
  return fire.case_id ?? `unit-${fire.unit_id}`;
}

export function render() {
  const fires = state.sections.fires ?? [];
  const bar = byId("fires");
  show(bar, fires.length > 0);
  const shown = fires.slice(0, SHOWN);
  patchList(bar, [...shown, ...(fires.length > SHOWN ? [{ more: fires.length - SHOWN, only: fires.every((fire) => fire.kind === "fire") }] : [])], (fire) => fire.more ? "more" : unique(fire), make, update);
  document.title = title(fires);
  document.documentElement.dataset.fire = fires.some((fire) => !fire.acknowledged_at) ? "now" : fires.length ? "known" : "none";
  const fresh = fires.filter((fire) => !fire.acknowledged_at && !heard.has(unique(fire)));
  heard = new Set(fires.map(unique));
  if (fresh.length && state.sound) for (let i = 0; i < 3; i += 1) beep(880, 0.25, i * 0.4);
  tick();
}

function make(fire) {
  if (fire.more) return h("p", { class: "fire-more" });
  return h("div", { class: "fire", dataset: { kind: fire.kind } },
    h("span", { class: "fire-mark" }, icon(KIND_ICON[fire.kind] ?? "fire"), h("b", { class: "fire-word" })),
    h("span", { class: "fire-what" }, h("strong", { class: "fire-name" }), h("span", { class: "fire-where" })),
    h("span", { class: "fire-when" }, h("span", { class: "fire-at num" }), h("span", { class: "fire-for num", "aria-hidden": "true" })),
    h("span", { class: "fire-ack" }),
    h("button", { type: "button", class: "fire-open", onclick: (event) => openDrawer(event.currentTarget.closest(".fire").fire) }));
}

function update(element, fire) {
  if (fire.more) {
    setText(element, t(fire.only ? "fire.more" : "alarm.more", { n: fire.more }));
    return;
  }
  element.fire = fire.case_id ? { kind: "case", id: fire.case_id } : { kind: "unit", id: fire.unit_id };
  element.dataset.since = fire.since;
  element.classList.toggle("acked", Boolean(fire.acknowledged_at));
  const part = (name) => element.querySelector(`.${name}`);
  setText(part("fire-word"), t(fire.kind === "fire" ? "fire.title" : `kind.${fire.kind}`));
  setText(part("fire-name"), unitName(fire));
  setText(part("fire-where"), [nameOf("bodies", fire.town), fire.address, fire.kind === "fire" ? "" : t(`look.${fire.kind}`)].filter(Boolean).join(" · "));
  setText(part("fire-at"), t("fire.since", { at: clock(fire.since) }));
  setText(part("fire-ack"), fire.acknowledged_at ? t("fire.acked", { who: fire.acknowledged_by, at: brief(fire.acknowledged_at) }) : "");
  setText(part("fire-open"), t("fire.open"));
}

function tick() {
  for (const element of byId("fires").querySelectorAll(".fire")) {
    setText(element.querySelector(".fire-for"), t(element.dataset.kind === "fire" ? "fire.for" : "alarm.for", { d: span(since(element.dataset.since)) }));
  }
}

function beep(frequency, seconds, delay) {
  audio ??= new AudioContext();
  const tone = audio.createOscillator(), volume = audio.createGain();
  const begin = audio.currentTime + delay;
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0.15, begin);
  volume.gain.exponentialRampToValueAtTime(0.0001, begin + seconds);
  tone.connect(volume).connect(audio.destination);
  tone.start(begin);
  tone.stop(begin + seconds);
}
