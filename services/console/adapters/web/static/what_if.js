// What a pack would have said of a closed period: asked beside the packs, answered by compliance, never published.

import { Refused, ask, order, worded } from "./api.js";
import { byId, h, say, setText, show } from "./dom.js";
import { account, state } from "./state.js";
import { number, stamp, t } from "./text.js";

const API = "/api/v1/registry/what-ifs";
const SLOW_MS = 120000; // a file is sent and checked in that time
const POLL_MS = 2000;
const OPEN = ["waiting", "running"];
const TIMED = new Set(["time_weighted_networking_rate", "coverage", "device_intact_rate", "tested_in_time_rate"]);

export const supposes = account.role === "brigade" && !account.administers;

let source = null; // { label, body } or { label, file: true }
let rows = [];
let shown = null; // the answer that is looked at
let following = null; // the number of the question that is followed
let timer = null;
let hooks = {};

// `encoded` turns a file into base64, `faults` a report into elements, `table` makes a table.
export function start(given) {
  hooks = given;
  byId("what-if-form").addEventListener("submit", send);
  byId("what-if-close").addEventListener("click", () => show(byId("what-if"), false));
}

export async function openWhatIf(of) {
  source = of;
  shown = null;
  following = null;
  show(byId("what-if"), true);
  byId("what-if-body").replaceChildren();
  show(byId("what-if-file"), Boolean(of.file));
  byId("what-if-form").elements.file.required = Boolean(of.file);
  draw();
  byId("what-if").scrollIntoView({ block: "start" });
  byId("what-if").focus();
  await load();
}

export function draw() {
  if (!source) return;
  setText(byId("what-if-title"), t("what_if.title", { what: source.file ? t("what_if.draft") : source.label }));
  byId("what-if-rows").replaceChildren(...rows.map((row) => h("li", {},
    h("button", { type: "button", class: "link", dataset: { whatIf: row.what_if_id }, onclick: () => look(row.what_if_id) }, `${row.source} · ${t(`history.period.${row.kind}`)} ${row.first}`),
    " ", h("span", { class: `badge what-if-${row.state}` }, t(`what_if.state.${row.state}`)),
    " ", h("small", {}, `${row.asked_by} ${stamp(row.asked_at).slice(0, 16)}`))));
  show(byId("what-if-recent"), rows.length > 0);
  if (shown) drawAnswer();
}

async function load() {
  clearTimeout(timer);
  try {
    ({ rows } = await ask(API));
    draw();
    const open = rows.some((row) => OPEN.includes(row.state));
    const moved = rows.find((row) => row.what_if_id === following && row.state !== shown?.state);
    if (moved) await look(moved.what_if_id);
    if (open && !byId("what-if").hidden) timer = setTimeout(load, POLL_MS);
  } catch (error) {
    say(worded(error), true);
  }
}

async function look(id) {
  try {
    shown = await ask(`${API}/${id}`);
    following = OPEN.includes(shown.state) ? id : null;
    drawAnswer();
  } catch (error) {
    say(worded(error), true);
  }
}

async function send(event) {
  event.preventDefault();
  const { elements } = byId("what-if-form");
  say(t("registry.trying"));
  try {
    const pack = source.file ? await hooks.encoded(elements.file.files[0]) : source.body;
    const answer = await order(API, { kind: elements.kind.value, day: elements.day.value, ...pack }, SLOW_MS);
    if (answer.report) {
      say("");
      shown = null;
      byId("what-if-body").replaceChildren(...hooks.faults(answer.report));
      return;
    }
    say(t("what_if.sent"));
    following = answer.what_if_id;
    await look(answer.what_if_id);
  } catch (error) {
    say(worded(error instanceof Refused ? error : new Refused("internal")), true);
  }
  await load();
}

function drawAnswer() {
  const head = h("h3", {}, `${shown.source} · ${t(`history.period.${shown.kind}`)} ${shown.first}`);
  const said = shown.state === "failed" ? `${t("what_if.state.failed")}${state.lang === "zh" ? "：" : ": "}${t(`what_if.why.${shown.reason}`)}` : t(`what_if.state.${shown.state}`);
  const told = h("p", { class: shown.state === "failed" ? "box-problem" : "quiet", role: "status" }, said);
  byId("what-if-body").replaceChildren(head, told, ...(shown.result ? result(shown.result) : []));
}

function result({ rows: figures, scopes }) {
  return [
    hooks.table(["what_if.metric", "what_if.before", "what_if.after", "what_if.difference"], figures.map((one) => [
      h("span", {}, t(`report.metric.${one.metric}`), h("small", {}, ` ${one.scope}`)),
      value(one.before, "what_if.none_before", TIMED.has(one.metric)), value(one.after, "what_if.none_after", TIMED.has(one.metric)), difference(one),
    ])),
    h("h3", {}, t("what_if.scopes")),
    ...(scopes.length ? scopes.flatMap((one) => [
      units(t("what_if.enters", { scope: one.scope, n: number(one.enters_total) }), one.enters, one.enters_total),
      units(t("what_if.leaves", { scope: one.scope, n: number(one.leaves_total) }), one.leaves, one.leaves_total),
    ]).filter(Boolean) : [h("p", { class: "quiet" }, t("what_if.same_scopes"))]),
  ];
}

// A rate with its bound, what it was counted from (of sums of time, in microseconds, not), and the verdict.
function value(figure, none, timed) {
  if (!figure) return h("span", { class: "quiet" }, t(none));
  const rate = figure.value === null ? t("rate.na") : figure.high === figure.low ? `${figure.low} %` : `${figure.low}–${figure.high} %`;
  return h("span", { class: "what-if-value" }, h("b", {}, rate), timed ? null : h("small", {}, `${number(figure.numerator)}/${number(figure.denominator)}`), h("span", {}, t(`verdict.${figure.verdict}`)));
}

function difference({ before, after, difference: points }) {
  const turned = before && after && before.verdict !== after.verdict;
  const text = points === null ? "—" : points.replace("-", "−");
  return h("span", { class: turned ? "what-if-value turned" : "what-if-value" }, h("b", {}, text), turned ? h("span", {}, t("what_if.turned")) : null);
}

function units(title, ids, total) {
  if (!total) return null;
  const more = total - ids.length;
  return h("p", {}, title, " ", ...ids.map((id) => h("a", { href: `?tab=unit&id=${encodeURIComponent(id)}` }, `${id} `)), more > 0 ? t("registry.further", { n: number(more) }) : "");
}
