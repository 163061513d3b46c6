// What was refused: counts, the newest first, one of them with its bytes, and the order to decide anew.

import { Refused, ask, newestOf, order, worded } from "./api.js";
import { byId, h, icon, patchList, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import { detailOf } from "./refusal_details.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { number, stamp, t } from "./text.js";

const PAGE = 50;
const MAX = 200; // rows in one answer
const AT_ONCE = 100;
const CALM_MS = 15000;
const WAITING_MS = 1500;
const STATES = ["", "open", "replayed"];

const query = new URLSearchParams(location.search);
const view = { reason: query.get("reason") ?? "", gateway: query.get("gateway") ?? null, state: query.get("state") ?? "", limit: PAGE };
const chosen = new Set();
let page = { total: 0, rows: [], reasons: [], gateways: [] };
let timer = null;
let opener = null;
let shown = null;

const reasonName = (reason) => t(`refusal.${reason}`);
const gatewayName = (name) => (name === "" ? t("refusals.nobody") : name === "*" ? t("refusals.others") : name);
const stateOf = (row) => (row.waiting ? "waiting" : row.state);

function asked() {
  const wanted = new URLSearchParams();
  if (view.reason) wanted.set("reason", view.reason);
  if (view.gateway !== null) wanted.set("gateway", view.gateway);
  if (view.state) wanted.set("state", view.state);
  return wanted;
}

const fetched = newestOf(
  (answer) => {
    page = answer;
    draw();
  },
  (error) => say(worded(error), true),
);

async function load() {
  clearTimeout(timer);
  const wanted = asked();
  wanted.set("limit", String(view.limit));
  const last = await fetched(`/api/v1/refusals?${wanted}`);
  if (last) timer = setTimeout(load, page.rows.some((row) => row.waiting) ? WAITING_MS : CALM_MS);
}

function filterBy(change) {
  Object.assign(view, change, { limit: PAGE });
  chosen.clear();
  const text = asked().toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
  load();
}

function draw() {
  meters(byId("reasons"), page.reasons, (one) => reasonName(one.name), (one) => view.reason === one.name, (one) => filterBy({ reason: view.reason === one.name ? "" : one.name }));
  meters(byId("gateways"), page.gateways, (one) => gatewayName(one.name), (one) => view.gateway === one.name, (one) => {
    if (one.name !== "*") filterBy({ gateway: view.gateway === one.name ? null : one.name });
  });
  byId("states").replaceChildren(...STATES.map((name) =>
    h("button", { type: "button", "aria-pressed": String(view.state === name), onclick: () => filterBy({ state: name }) }, name ? t(`refusals.state.${name}`) : t("refusals.state.any"))));
  setText(byId("total"), number(page.total));
  filters();
  for (const id of chosen) if (!page.rows.some((row) => row.refusal_id === id && mayReplay(row))) chosen.delete(id);
  patchList(byId("rows"), page.rows, (row) => row.refusal_id, make, update);
  show(byId("empty"), page.rows.length === 0);
  show(byId("more"), page.rows.length < Math.min(page.total, MAX));
  tools();
}

function meters(list, counts, name, isOn, choose) {
  const most = Math.max(1, ...counts.map((one) => one.refused));
  if (!counts.length) list.replaceChildren(h("li", { class: "quiet" }, t("refusals.well")));
  else list.replaceChildren(...counts.map((one) =>
    h("li", {}, h("button", { type: "button", class: "meter", "aria-pressed": String(isOn(one)), onclick: () => choose(one) },
      h("b", {}, name(one)), h("progress", { max: most, value: one.refused, "aria-hidden": "true" }), h("span", { class: "num" }, number(one.refused))))));
}

function filters() {
  const chips = [];
  const chip = (text, drop) => chips.push(h("button", { type: "button", class: "filter", "aria-label": t("units.remove", { name: text }), onclick: drop }, text, icon("cross")));
  if (view.reason) chip(reasonName(view.reason), () => filterBy({ reason: "" }));
  if (view.gateway !== null) chip(gatewayName(view.gateway), () => filterBy({ gateway: null }));
  show(byId("filters"), chips.length > 0);
  byId("filters").replaceChildren(...chips);
}

const mayReplay = (row) => row.state === "open" && !row.waiting;

function make(row) {
  const id = row.refusal_id;
  return h("li", { class: "refusal" },
    h("input", { type: "checkbox", onchange: (event) => { choose(id, event.target.checked); } }),
    h("time", { class: "num" }), h("span", { class: "from" }),
    h("p", { class: "why" }, h("button", { type: "button", class: "link", onclick: () => open(id) }, h("b", {})), h("small", {})),
    h("span", {}));
}

function update(element, row) {
  const [box, time, from, why, badge] = element.children;
  box.disabled = !mayReplay(row);
  box.checked = chosen.has(row.refusal_id);
  box.setAttribute("aria-label", t("refusals.choose", { name: `${reasonName(row.reason)} ${stamp(row.received_at)}` }));
  setText(time, stamp(row.received_at));
  setText(from, row.gateway_id || t("refusals.nobody"));
  from.title = row.topic;
  setText(why.querySelector("b"), reasonName(row.reason));
  setText(why.querySelector("small"), row.decided_at && row.state === "open" ? t("refusals.still", { why: reasonName(row.decided_reason), at: stamp(row.decided_at) }) : detailOf(row.detail));
  badge.className = `badge ${stateOf(row)}`;
  setText(badge, row.state === "replayed" ? t("refusals.became", { n: row.signals }) : t(`refusals.state.${stateOf(row)}`));
}

function choose(id, wanted) {
  if (wanted) chosen.add(id);
  else chosen.delete(id);
  tools();
}

function tools() {
  const open = page.rows.filter(mayReplay).slice(0, AT_ONCE);
  byId("all").disabled = open.length === 0;
  byId("all").checked = open.length > 0 && open.every((row) => chosen.has(row.refusal_id));
  byId("replay").disabled = chosen.size === 0;
  setText(byId("replay"), chosen.size ? t("refusals.replay.n", { n: chosen.size }) : t("refusals.replay"));
  byId("export").disabled = page.rows.length === 0;
}

// --- one of them, with its bytes

async function open(id) {
  opener = document.activeElement;
  try {
    shown = await ask(`/api/v1/refusals/${id}`);
  } catch (error) {
    say(worded(error), true);
    return;
  }
  sheet();
  if (!byId("drawer").open) byId("drawer").show();
  byId("drawer").querySelector("[data-role=close]").focus();
}

function sheet() {
  const row = shown.row;
  const bytes = bytesOf(shown.raw);
  const facts = [
    [t("refusals.received"), stamp(row.received_at)], [t("refusals.gateway"), row.gateway_id || t("refusals.nobody")],
    [t("refusals.topic"), row.topic], [t("refusals.peer"), row.peer], [t("refusals.detail"), detailOf(row.detail)],
    [t("refusals.size"), String(row.raw_bytes)], [t("refusals.instance"), row.instance], ["ID", row.refusal_id],
    [t("refusals.place"), `firenet.refusals.v1 ${shown.partition}/${shown.offset}`],
    [t("refusals.decided"), row.decided_at ? `${stamp(row.decided_at)} ${row.decided_by}: ${row.decided_reason ? `${reasonName(row.decided_reason)} ${detailOf(row.decided_detail)}` : t("refusals.became", { n: row.signals })}` : ""],
  ];
  byId("drawer").replaceChildren(
    h("header", { class: "drawer-head" }, h("h2", { id: "drawer-title" }, reasonName(row.reason)),
      h("button", { type: "button", class: "tool", "aria-label": t("detail.close"), title: t("detail.close"), dataset: { role: "close" }, onclick: () => byId("drawer").close() }, icon("cross"))),
    h("div", { class: "drawer-body", tabindex: "-1" },
      h("p", {}, h("span", { class: `badge ${stateOf(row)}` }, t(`refusals.state.${stateOf(row)}`))),
      h("dl", { class: "facts" }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      h("section", {}, h("h3", {}, t("refusals.bytes")),
        h("pre", { class: "hex", tabindex: "0", "aria-label": t("refusals.bytes") }, dump(bytes)),
        bytes.length < row.raw_bytes ? h("p", { class: "quiet" }, t("refusals.cut", { n: bytes.length, all: row.raw_bytes })) : null)));
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function dump(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const part = [...bytes.subarray(start, start + 16)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0"));
    const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${start.toString(16).padStart(4, "0")}  ${hex.slice(0, 8).join(" ").padEnd(23)}  ${hex.slice(8).join(" ").padEnd(23)}  ${text}`);
  }
  return lines.join("\n");
}

// --- orders

function askFirst() {
  setText(byId("sure-what"), t("refusals.sure.n", { n: chosen.size }));
  byId("sure").show();
  byId("sure-yes").focus();
}

async function replay(event) {
  event.preventDefault();
  byId("sure").close();
  byId("replay").disabled = true;
  try {
    const { ordered } = await order("/api/v1/refusals/replay", { refusals: [...chosen] });
    chosen.clear();
    say(t("refusals.ordered", { n: ordered }));
  } catch (error) {
    const code = error instanceof Refused ? error.code : "internal";
    say(code === "conflict" ? t("refusals.conflict") : t(`error.${code}`), true);
  }
  await load();
}

async function save() {
  const rows = page.rows.filter((row) => !chosen.size || chosen.has(row.refusal_id)).slice(0, AT_ONCE);
  const lines = [];
  try {
    for (const row of rows) lines.push(JSON.stringify(await ask(`/api/v1/refusals/${row.refusal_id}`)));
  } catch (error) {
    say(worded(error), true);
    return;
  }
  const link = h("a", { href: URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "application/x-ndjson" })), download: "refusals.jsonl" });
  link.click();
  URL.revokeObjectURL(link.href);
  say(t("refusals.exported", { n: lines.length }));
}

preferences.start();
on("language", () => {
  preferences.render();
  draw();
  if (shown && byId("drawer").open) sheet();
});
byId("all").addEventListener("change", (event) => {
  chosen.clear();
  if (event.target.checked) for (const row of page.rows.filter(mayReplay).slice(0, AT_ONCE)) chosen.add(row.refusal_id);
  draw();
});
byId("replay").addEventListener("click", askFirst);
byId("export").addEventListener("click", save);
byId("more").addEventListener("click", () => {
  view.limit = Math.min(MAX, view.limit + PAGE);
  load();
});
byId("sure").querySelector("form").addEventListener("submit", replay);
byId("sure-no").addEventListener("click", () => byId("sure").close());
byId("sure").addEventListener("close", () => byId("replay").focus());
byId("drawer").addEventListener("close", () => {
  shown = null;
  if (opener?.isConnected) opener.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (byId("sure").open) byId("sure").close();
  else if (byId("drawer").open) byId("drawer").close();
});
document.documentElement.dataset.lang = state.lang;
preferences.render();
draw();
load();
session.start();
if (query.get("refusal")) open(query.get("refusal"));
