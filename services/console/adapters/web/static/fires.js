// Fire comes before everything: a banner on top that says what burns where, and the tab's title. Below what burns, a
// calm row for each fire that ended before anybody took it.

import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { callLink } from "./phones.js";
import { account, choose, on, state } from "./state.js";
import { addressOf, brief, clock, componentName, listed, nameOf, since, span, t, unitName } from "./text.js";
import { foundBy, KIND_ICON } from "./words.js";

const SHOWN = 3;
const NAMED = 3;
const CALLS = 2; // the control room, and who answers for the unit
let whole = false;

export function start() {
  on("fires", render);
  on("second", tick);
}

// A tab that holds no stream while it is hidden must not look as if nothing burned.
function title(fires) {
  if (state.resting) return `${t("fire.resting")} · ${t("app.name")}`;
  const now = fires.filter((fire) => !fire.ended_at);
  const burning = now.filter((fire) => fire.kind === "fire").length, others = now.length - burning;
  const told = [burning ? t("fire.tab", { n: burning }) : "", others ? t("alarm.tab", { n: others }) : ""];
  return [...told.filter(Boolean), t("app.name")].join(" · ");
}

// An ended one is another row: its signs are made anew.
function unique(fire) {
  return `${fire.case_id ?? `unit-${fire.unit_id}`}${fire.ended_at ? "-ended" : ""}`;
}

// How those that are folded are called: by what burns or may burn first.
function moreOf(folded) {
  if (folded.every((fire) => fire.ended_at)) return "fire.more.ended";
  return folded.every((fire) => fire.kind === "fire" && !fire.ended_at) ? "fire.more" : "alarm.more";
}

export function render() {
  const fires = state.sections.fires ?? [];
  const bar = byId("fires");
  show(bar, fires.length > 0);
  // The work below stays in sight: the first few, and all of them, within the same height, when asked for.
  const more = fires.length > SHOWN ? [{ more: fires.length - SHOWN, text: moreOf(fires.slice(SHOWN)) }] : [];
  const shown = whole ? fires : fires.slice(0, SHOWN);
  bar.classList.toggle("many", fires.length > 1);
  bar.classList.toggle("whole", whole && more.length > 0);
  const burning = fires.filter((fire) => !fire.ended_at);
  bar.classList.toggle("calm", burning.length === 0);
  bar.classList.toggle("told", Boolean(account.department)); // it is told of a fire; the centre works it
  const all = whole && more.length ? [{ all: true }] : [];
  patchList(bar, [...more, ...shown, ...all], (fire) => fire.more ? "more" : fire.all ? "all" : unique(fire), make, update);
  document.title = title(fires);
  document.documentElement.dataset.fire = account.department ? "none" : burning.some((fire) => !fire.acknowledged_at) ? "now" : burning.length ? "known" : "none";
  tick();
}

// However many there are: the list of cases has them all, page by page.
function listAll() {
  whole = false;
  choose({ cases: "open", kind: "fire", step: null, cq: "", town: null, department: null, after: null });
  render();
  byId("cases-title").scrollIntoView({ block: "nearest" });
}

function make(fire) {
  if (fire.all) return h("button", { type: "button", class: "fire-all", onclick: listAll });
  if (fire.more) return h("button", { type: "button", class: "fire-more", onclick: () => { whole = !whole; render(); } });
  return h("div", { class: fire.ended_at ? "fire ended" : "fire", dataset: { kind: fire.kind } },
    h("span", { class: "fire-mark" }, icon(fire.ended_at ? "clock" : KIND_ICON[fire.kind] ?? "fire"), h("b", { class: "fire-word" })),
    h("span", { class: "fire-what" }, h("strong", { class: "fire-name" }), h("span", { class: "fire-parts" }), h("span", { class: "fire-where" })),
    h("span", { class: "fire-when" }, h("span", { class: "fire-at num" }), h("span", { class: "fire-for num", "aria-hidden": "true" })),
    h("span", { class: "fire-side" }, h("span", { class: "fire-ack" }), h("span", { class: "fire-verified" }), h("span", { class: "fire-calls" })),
    h("button", { type: "button", class: "fire-open", onclick: (event) => openDrawer(event.currentTarget.closest(".fire").fire) }));
}

function update(element, fire) {
  if (fire.all) {
    setText(element, t("fire.all"));
    return;
  }
  if (fire.more) {
    setText(element, whole ? t("fire.fewer") : t(fire.text, { n: fire.more }));
    element.setAttribute("aria-expanded", String(whole));
    return;
  }
  element.fire = fire.case_id ? { kind: "case", id: fire.case_id } : { kind: "unit", id: fire.unit_id };
  element.dataset.since = fire.since;
  element.classList.toggle("acked", Boolean(fire.acknowledged_at));
  const part = (name) => element.querySelector(`.${name}`);
  setText(part("fire-word"), fire.ended_at ? t("fire.ended") : t(fire.kind !== "fire" ? `kind.${fire.kind}` : account.department ? "fire.told" : "fire.title"));
  setText(part("fire-name"), unitName(fire));
  setText(part("fire-where"), [nameOf("bodies", fire.town), addressOf(fire), fire.kind === "fire" ? "" : t(`look.${fire.kind}`)].filter(Boolean).join(" · "));
  setText(part("fire-parts"), componentsOf(fire));
  setText(part("fire-at"), fire.ended_at ? t("fire.from_to", { from: brief(fire.since), to: brief(fire.ended_at) }) : t("fire.since", { at: clock(fire.since) }));
  setText(part("fire-ack"), fire.acknowledged_at ? t("fire.acked", { who: nameOf("people", fire.acknowledged_by), at: brief(fire.acknowledged_at) }) : "");
  setText(part("fire-verified"), fire.verified ? foundBy(fire.verified) : "");
  patchList(part("fire-calls"), fire.ended_at ? [] : fire.telephones.slice(0, CALLS), (phone) => `${phone.role} ${phone.name} ${phone.number} ${state.lang}`, (phone) => callLink(phone), () => {});
  setText(part("fire-open"), t("fire.open"));
}

// What burns, by the words of the controller; then what has ended but was told.
function componentsOf(fire) {
  const burning = fire.components.filter((one) => one.burning), told = burning.length ? burning : fire.components;
  const names = told.slice(0, NAMED).map(componentName);
  return listed(names) + (told.length > NAMED ? t("fire.parts.more", { n: told.length }) : "");
}

function tick() {
  for (const element of byId("fires").querySelectorAll(".fire:not(.ended)")) {
    setText(element.querySelector(".fire-for"), t(element.dataset.kind === "fire" ? "fire.for" : "alarm.for", { d: span(since(element.dataset.since)) }));
  }
}
