// The list of units: only the rows in view exist, pages are fetched as the reader scrolls, 20 000 units cost nothing.

import { ask } from "./api.js";
import { byId, h, icon, setText, show } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { choose, on, onlyTroubled, state } from "./state.js";
import { brief, nameOf, number, span, t, unitName, until } from "./text.js";
import { lineOf, shapeOf, stepName } from "./words.js";

const PAGE = 100;
const MAX_PAGES = 12;
const REFRESH_MS = 500;
const SEARCH_MS = 250;

const list = byId("units");
const canvas = h("div", { class: "canvas", role: "presentation" });
let pages = new Map(); // page number -> { rows, token }
let total = null;
let generation = 0;
let token = "";
let active = 0;
let refreshing = null;
const fetching = new Set();
const rows = new Map(); // index -> element in view

export function start() {
  list.append(canvas);
  list.addEventListener("scroll", () => requestAnimationFrame(paint), { passive: true });
  list.addEventListener("keydown", onKey);
  new ResizeObserver(() => paint()).observe(list);
  on("tally", onTally);
  on("cases", scheduleRefresh);
  on("view", reset);
  on("second", countdowns);
  document.addEventListener("visibilitychange", paintSeen);
  let typing = null;
  byId("search").value = state.view.q;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => choose({ q: event.target.value.trim() }), SEARCH_MS);
  });
  byId("units-troubled").addEventListener("click", () => choose({ all: false }));
  byId("units-all").addEventListener("click", () => choose({ all: true }));
  reset();
}

export function render() {
  filters();
  for (const element of rows.values()) element.remove();
  rows.clear();
  paint();
}

function onTally() {
  if (state.sections.tally.token === token) return;
  token = state.sections.tally.token;
  scheduleRefresh();
}

// Pages in view are read anew at most twice a second; the old rows stay until the new ones are here.
function scheduleRefresh() {
  refreshing ??= setTimeout(() => {
    refreshing = null;
    for (const page of pages.values()) page.stale = true;
    paintSeen();
  }, REFRESH_MS * (0.5 + Math.random() / 2));
}

// Nobody reads a list in a hidden tab: a dozen of them would ask for pages in front of the one that is worked in.
function paintSeen() {
  if (!document.hidden) paint();
}

function reset() {
  generation += 1;
  pages = new Map();
  total = null;
  active = 0;
  list.scrollTop = 0;
  fetching.clear();
  filters();
  paint();
}

function query(page) {
  const { view } = state;
  const asked = new URLSearchParams();
  for (const value of view.conn) asked.append("conn", value);
  for (const value of view.health) asked.append("health", value);
  for (const name of ["town", "department", "category", "q"]) if (view[name]) asked.set(name, view[name]);
  if (view.of) asked.set("scope", view.of);
  if (onlyTroubled()) asked.set("troubled", "true");
  asked.set("offset", String(page * PAGE));
  asked.set("limit", String(PAGE));
  return `/api/v1/units?${asked}`;
}

async function load(page) {
  if (fetching.has(page)) return;
  fetching.add(page);
  const mine = generation;
  try {
    const answer = await ask(query(page));
    if (mine !== generation) return;
    pages.delete(page);
    pages.set(page, { rows: answer.rows, stale: false });
    total = answer.total;
    while (pages.size > MAX_PAGES) pages.delete(pages.keys().next().value);
    note("");
  } catch {
    if (mine !== generation) return;
    note(t("units.failed"));
    setTimeout(() => paint(), 2000);
    return;
  } finally {
    if (mine === generation) fetching.delete(page);
  }
  paint();
}

const rowHeight = () => Number.parseFloat(getComputedStyle(list).getPropertyValue("--row")) || 60;

function paint() {
  const height = rowHeight();
  const count = total ?? 0;
  canvas.style.height = `${Math.max(1, count) * height}px`;
  list.style.setProperty("--rows", String(Math.max(3, count))); // a phone gives a short list no more room than it needs
  const first = Math.max(0, Math.floor(list.scrollTop / height) - 4);
  const last = Math.min(count, Math.ceil((list.scrollTop + list.clientHeight) / height) + 4);
  for (const page of needed(first, last)) if (!pages.get(page) || pages.get(page).stale) load(page);
  for (const [index, element] of rows) {
    if (index < first || index >= last) {
      element.remove();
      rows.delete(index);
    }
  }
  let previous = null;
  for (let index = first; index < last; index += 1) {
    let element = rows.get(index);
    if (!element) {
      element = make(index);
      rows.set(index, element);
    }
    element.style.transform = `translateY(${index * height}px)`;
    update(element, index);
    // The order in the document is the order on the screen, or a screen reader reads nonsense.
    if (previous ? previous.nextSibling !== element : canvas.firstChild !== element) canvas.insertBefore(element, previous ? previous.nextSibling : canvas.firstChild);
    previous = element;
  }
  setText(byId("units-count"), total === null ? "" : number(total));
  empty();
}

function needed(first, last) {
  if (total === null) return [0];
  const found = [];
  for (let page = Math.floor(first / PAGE); page * PAGE < Math.max(1, last); page += 1) found.push(page);
  return found;
}

const at = (index) => pages.get(Math.floor(index / PAGE))?.rows[index % PAGE];

function make(index) {
  return h("div", { class: "unit", role: "listitem" },
    h("button", { type: "button", class: "unit-row", tabindex: "-1", onclick: (event) => open(event.currentTarget.parentElement), onfocus: () => { active = index; } },
      h("span", { class: "unit-icon" }),
      h("span", { class: "unit-who" }, h("span", { class: "unit-name" }), h("span", { class: "unit-where quiet" })),
      h("span", { class: "unit-states" }, h("span", { class: "unit-conn" }), h("span", { class: "unit-health" }), h("span", { class: "unit-line quiet" })),
      h("span", { class: "unit-since num quiet" }),
      h("span", { class: "unit-case" })));
}

const open = (element) => element.unit && openDrawer({ kind: "unit", id: element.unit.unit_id });

function update(element, index) {
  const row = at(index);
  const button = element.firstElementChild;
  element.setAttribute("aria-posinset", String(index + 1));
  element.setAttribute("aria-setsize", String(total));
  button.tabIndex = index === active ? 0 : -1;
  if (!row || element.unit === row) return;
  element.unit = row;
  const part = (name) => element.querySelector(`.${name}`);
  const shape = shapeOf(row);
  if (element.dataset.shape !== shape) {
    element.dataset.shape = shape;
    part("unit-icon").replaceChildren(icon(shape));
  }
  setText(part("unit-name"), unitName(row));
  part("unit-name").title = unitName(row);
  setText(part("unit-where"), `${row.unit_id} · ${nameOf("bodies", row.town)}`);
  setText(part("unit-conn"), t(row.partly_connected ? "connection.partly" : `connection.${row.connection}`));
  const ill = !["normal", "unknown"].includes(row.health);
  setText(part("unit-health"), ill ? t(`health.${row.health}`) : "");
  part("unit-health").className = `unit-health ${ill ? `s-${row.health}` : ""}`;
  part("unit-conn").className = `unit-conn s-${row.partly_connected ? "partly" : row.connection}`;
  setText(part("unit-line"), lineOf(row, "unit.unstable"));
  const since = row.connection === "online" && ill ? row.health_since : row.connection_since;
  setText(part("unit-since"), since ? brief(since) : "");
  countdown(element);
}

function countdown(element) {
  const mark = element.unit?.case;
  const place = element.querySelector(".unit-case");
  if (!mark) return setText(place, "");
  const left = mark.next_step_at ? until(mark.next_step_at) : null;
  const next = mark.next_step && left !== null && left >= 0 ? `→ ${span(left)}` : "";
  place.title = stepName({ plan: [] }, next ? mark.next_step : mark.step);
  setText(place, next || place.title);
}

function countdowns() {
  for (const element of rows.values()) countdown(element);
}

function onKey(event) {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
  const target = event.key === "Home" ? 0 : event.key === "End" ? (total ?? 1) - 1 : step === undefined ? null : active + step;
  if (target === null || !total) return;
  event.preventDefault();
  active = Math.max(0, Math.min(total - 1, target));
  const height = rowHeight(), top = active * height;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight;
  paint();
  rows.get(active)?.firstElementChild.focus({ preventScroll: true });
}

function note(text) {
  show(byId("units-note"), Boolean(text));
  setText(byId("units-note"), text);
}

function empty() {
  let card = list.querySelector(".empty");
  if (total !== 0) {
    card?.remove();
    return;
  }
  if (!card) {
    card = h("div", { class: "empty", role: "listitem" }, h("p", { class: "empty-title" }), h("p", { class: "quiet" }));
    list.append(card);
  }
  const { tally } = state.sections;
  const nobody = Boolean(tally) && Object.values(tally.connection).every((count) => count === 0);
  const well = !nobody && onlyTroubled() && !filterNames().length;
  if (card.dataset.well !== String(well)) {
    card.dataset.well = String(well);
    card.querySelector("svg")?.remove();
    card.prepend(icon(well ? "normal" : "search"));
  }
  setText(card.querySelector(".empty-title"), t(well ? "units.none.well" : nobody ? "boards.none" : "units.none"));
  setText(card.querySelector(".quiet"), well ? t("units.none.well.why") : "");
}

function filterNames() {
  const { view } = state;
  return [
    ...view.conn.map((value) => ["conn", value, t(`connection.${value}`)]),
    ...view.health.map((value) => ["health", value, t(`health.${value}`)]),
    ...[["town", "bodies"], ["department", "bodies"], ["category", "categories"]]
      .filter(([name]) => view[name]).map(([name, kind]) => [name, view[name], nameOf(kind, view[name])]),
    ...(view.of ? [["of", view.of, t("units.of", { name: view.of })]] : []),
    ...(view.q ? [["q", view.q, `“${view.q}”`]] : []),
  ];
}

function drop(name, value) {
  if (name === "q") byId("search").value = "";
  const now = state.view[name];
  choose({ [name]: Array.isArray(now) ? now.filter((other) => other !== value) : name === "q" ? "" : null });
}

function filters() {
  const chosen = filterNames();
  byId("units-troubled").setAttribute("aria-pressed", String(onlyTroubled()));
  byId("units-all").setAttribute("aria-pressed", String(!onlyTroubled()));
  show(byId("filters"), chosen.length > 0);
  const chips = chosen.map(([name, value, text]) =>
    h("button", { type: "button", class: "filter", "aria-label": t("units.remove", { name: text }), onclick: () => drop(name, value) }, text, icon("cross")));
  const clear = h("button", { type: "button", class: "link", onclick: () => {
    byId("search").value = "";
    choose({ conn: [], health: [], town: null, department: null, category: null, q: "", of: null, all: false });
  } }, t("units.clear"));
  byId("filters").replaceChildren(...chips, clear);
}
