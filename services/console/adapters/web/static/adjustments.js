// Adjustments: what waits for a second person, what is let off now, a form to ask, and a button for each decision.

import { newestOf, order, worded } from "./api.js";
import { byId, h, patchList, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { listed, number, stamp, t } from "./text.js";

const PAGE = 50;
const MAX = 200; // rows in one answer
const CALM_MS = 15000;
const STATES = ["requested", "approved", "rejected", "withdrawn", "ended", ""];
const ASKS = byId("ask") !== null; // not for who administers accounts
const WITH_NOTE = ["reject", "withdraw", "end"];

const query = new URLSearchParams(location.search);
const view = { state: query.get("state") ?? "requested", unit: query.get("unit") ?? "", limit: PAGE };
let page = { total: 0, waiting: 0, rows: [] };
let board = [];
let timer = null;
let decided = null;

const minute = (instant) => stamp(instant).slice(0, 16);
const unitOf = (row) => [row.unit_name, row.unit_id].filter(Boolean).join(" ");
const partOf = (row) => [
  row.system && `${t("adjustments.system")} ${row.system}`, row.address && `${t("adjustments.address")} ${row.address}`,
  row.trouble && t(row.trouble === "fault" ? "health.fault" : "health.isolated"),
].filter(Boolean);

const complain = (error) => say(worded(error), true);

const fetched = newestOf((answer, inForce) => {
  page = answer;
  board = inForce.rows;
  draw();
}, complain);

async function load() {
  clearTimeout(timer);
  const wanted = new URLSearchParams({ limit: String(view.limit) });
  if (view.state) wanted.set("state", view.state);
  if (view.unit) wanted.set("unit", view.unit);
  if (await fetched(`/api/v1/adjustments?${wanted}`, "/api/v1/adjustments/in-force")) timer = setTimeout(load, CALM_MS);
}

function draw() {
  byId("states").replaceChildren(...STATES.map((name) =>
    h("button", { type: "button", "aria-pressed": String(view.state === name), onclick: () => filterBy(name) }, name ? t(`adjustments.state.${name}`) : t("adjustments.state.any"))));
  setText(byId("waiting"), page.waiting ? number(page.waiting) : "");
  patchList(byId("rows"), page.rows, (row) => row.adjustment_id, make, update);
  show(byId("empty"), page.rows.length === 0);
  show(byId("more"), page.rows.length < Math.min(page.total, MAX));
  setText(byId("in-force"), board.length ? number(board.length) : "");
  patchList(byId("board"), board, (row) => row.adjustment_id ?? `row-${row.unit_id}`, makeOnBoard, updateOnBoard);
  show(byId("board-empty"), board.length === 0);
  form();
}

function filterBy(name) {
  Object.assign(view, { state: name, limit: PAGE });
  history.replaceState(null, "", name === "requested" ? location.pathname : `?state=${name}`);
  load();
}

const make = () => h("li", { class: "adjustment" }, h("div", {}, h("p", { class: "what" }, h("b", {}), " ", h("span", {})), h("p", {}), h("small", {}), h("small", {})), h("div", { class: "acts" }));

function update(element, row) {
  const [text, acts] = element.children;
  const [what, when, why, who] = text.children;
  setText(what.querySelector("b"), `${t(`adjustment.${row.what}`)} · ${unitOf(row)}`);
  const badge = what.querySelector("span");
  badge.className = `badge ${row.state}`;
  setText(badge, t(`adjustments.state.${row.state}`));
  const counted = row.counted_as ? [t("adjustments.as", { what: t(`counted.${row.counted_as}`) })] : [];
  setText(when, listed([`${minute(row.starts_at)} – ${minute(row.ends_at)}`, ...counted, ...partOf(row)]));
  setText(why, listed([row.reason, row.evidence, row.note].filter(Boolean)));
  setText(who, t("adjustments.who", { id: row.adjustment_id, by: row.requested_by, at: minute(row.requested_at), approved: row.approvals.length ? listed(row.approvals) : "—", n: row.approvals_needed }));
  // only when they differ: a button that is replaced under a finger loses its click
  const names = row.may.map((name) => t(`adjustments.${name}`));
  if ([...acts.children].map((one) => one.textContent).join() !== names.join())
    acts.replaceChildren(...row.may.map((name, at) => h("button", { type: "button", class: name === "approve" ? "primary" : "ack", dataset: { decision: name }, onclick: () => askFirst(name, row) }, names[at])));
}

const makeOnBoard = () => h("li", { class: "adjustment" }, h("div", {}, h("p", { class: "what" }, h("b", {})), h("p", {}), h("small", {})));

function updateOnBoard(element, row) {
  const [what, when, why] = element.firstElementChild.children;
  setText(what.querySelector("b"), `${t(`adjustment.${row.what}`)} · ${unitOf(row)}`);
  setText(when, listed([`${minute(row.since)} – ${minute(row.until)}`, ...partOf(row)]));
  setText(why, listed([row.reason, row.adjustment_id ?? t("adjustments.listed")].filter(Boolean)));
}

// --- asking

function form() {
  if (!ASKS) return;
  const correction = byId("ask").elements.what.value === "correction";
  for (const label of byId("ask").querySelectorAll("[data-for]")) show(label, (label.dataset.for === "correction") === correction);
  byId("ask").elements.evidence.required = correction;
}

async function send(event) {
  event.preventDefault();
  const given = Object.fromEntries([...new FormData(byId("ask"))].filter(([, value]) => value.trim() !== ""));
  const unasked = given.what === "correction" ? ["system", "address", "trouble"] : ["counted_as"];
  for (const name of unasked) delete given[name];
  // the form's times are those of Shanghai, wherever the reader is
  for (const name of ["starts_at", "ends_at"]) given[name] = `${given[name].slice(0, 16)}:00+08:00`;
  try {
    const { adjustment_id: id } = await order("/api/v1/adjustments", given);
    byId("ask").reset();
    say(t("adjustments.sent", { id }));
    view.state = "requested";
  } catch (error) {
    complain(error);
  }
  await load();
}

// --- deciding

function askFirst(name, row) {
  decided = { name, row };
  setText(byId("sure-title"), t(`adjustments.${name}`));
  setText(byId("sure-what"), `${row.adjustment_id} · ${t(`adjustment.${row.what}`)} · ${unitOf(row)} · ${minute(row.starts_at)} – ${minute(row.ends_at)}`);
  setText(byId("sure-yes"), t(`adjustments.${name}`));
  show(byId("note-label"), WITH_NOTE.includes(name));
  byId("note").required = name === "reject";
  byId("note").value = "";
  byId("sure").show();
  (WITH_NOTE.includes(name) ? byId("note") : byId("sure-yes")).focus();
}

async function decide(event) {
  event.preventDefault();
  byId("sure").close();
  const { name, row } = decided;
  try {
    const { state: now } = await order(`/api/v1/adjustments/${row.adjustment_id}/${name}`, { note: byId("note").value });
    say(t("adjustments.done", { id: row.adjustment_id, state: t(`adjustments.state.${now}`) }));
  } catch (error) {
    complain(error);
  }
  await load();
}

// A link may bring what is asked for; it is sent by whoever reads the form, and never by itself.
function prefill() {
  const { what, unit_id: unit, evidence } = byId("ask").elements;
  if ([...what.options].some((one) => one.value === query.get("what"))) what.value = query.get("what");
  if (query.has("unit")) unit.value = query.get("unit").slice(0, unit.maxLength);
  if (query.has("evidence")) evidence.value = query.get("evidence").slice(0, evidence.maxLength);
}

preferences.start();
on("language", () => {
  preferences.render();
  draw();
});
if (ASKS) {
  byId("ask").addEventListener("submit", send);
  byId("ask").elements.what.addEventListener("change", form);
  prefill();
}
byId("more").addEventListener("click", () => {
  view.limit = Math.min(MAX, view.limit + PAGE);
  load();
});
byId("sure").querySelector("form").addEventListener("submit", decide);
byId("sure-no").addEventListener("click", () => byId("sure").close());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("sure").open) byId("sure").close();
});
document.documentElement.dataset.lang = state.lang;
preferences.render();
draw();
load();
session.start();
