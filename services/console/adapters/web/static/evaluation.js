// Evaluation: scores of bodies by month, quarter or year, what is open yet, both lists, and points that a person enters.

import { ask, newestOf, order, worded } from "./api.js";
import { clauses } from "./clauses.js";
import { byId, h, say, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { listed, named, stamp, t } from "./text.js";

const SHANGHAI_H = 8;

let board = { periods: [], shown: null, rows: [], may_enter: false, waiting: [] };
let names = {};
let rules = {}; // how bodies are scored, as the pack of today has it
let scopes = {};
let wanted = null;

const called = (said) => (state.lang === "en" ? said.en || said.zh : said.zh);
const bodyName = (score) => (score.body_called ? called(score.body_called) : named(names[score.body.split("/").pop()], score.body));
// two districts may call their schemes the same, and mean other criteria by it
const districtOf = (score) => (score.body.includes("/") ? score.body.split("/")[0] : "");
const schemeOf = (score) => `${districtOf(score)}/${score.pack.pack_id}/${score.scheme}`;
const range = (one) => (one.low === null ? "—" : one.low === one.high ? one.low : `${one.low}–${one.high}`);
const scopeName = (code) => code.split("+").map((one) => named(scopes[one], one)).join(" + ");
const day = (instant) => new Date(Date.parse(instant) + SHANGHAI_H * 3600 * 1000).toISOString().slice(0, 10);
const periodName = (one) => `${t(`history.period.${one.kind}`)} ${one.first.slice(0, one.kind === "year" ? 4 : 7)}`;

function gradeOf(score) {
  if (score.grade === null) return score.worst === null ? "—" : t("evaluation.between", { worst: t(`grade.${score.worst}`), best: t(`grade.${score.best}`) });
  return t(`grade.${score.grade}`);
}

const complain = (error) => say(worded(error), true);

const fetched = newestOf((answer) => {
  ({ board, names, rules, scopes } = answer);
  draw();
}, complain);

async function load() {
  const query = wanted ? `?${new URLSearchParams({ period: wanted.kind, from: wanted.first })}` : "";
  await fetched(`/api/v1/evaluation${query}`);
}

function draw() {
  const chosen = board.shown && `${board.shown.kind}:${board.shown.first}`;
  byId("period").replaceChildren(...board.periods.map((one) => h("option", { value: `${one.kind}:${one.first}`, selected: `${one.kind}:${one.first}` === chosen }, periodName(one))));
  byId("asked").hidden = !board.periods.length;
  const scores = board.rows.map((row) => row.score);
  byId("lists").replaceChildren(...(scores.length ? ["green", "red"].map((list) => panelOfList(list, scores)) : []));
  const schemes = [...new Set(scores.map(schemeOf))];
  byId("schemes").replaceChildren(...schemes.map((scheme) => panelOfScheme(board.rows.filter((row) => schemeOf(row.score) === scheme))));
  show(byId("empty"), scores.length === 0);
  waiting();
  byId("rules").replaceChildren(...Object.entries(rules).map(panelOfRules));
  form(scores);
}

function panelOfList(list, scores) {
  const on_ = scores.filter((score) => score.list === list);
  const id = `list-${list}`;
  return h("section", { class: "panel", "aria-labelledby": id },
    h("header", { class: "panel-head" }, h("h2", { id }, t(`evaluation.list.${list}`))),
    on_.length ? h("ul", {}, ...on_.map((score) => h("li", {}, h("p", { class: "report-notes" }, listed([bodyName(score), range(score), gradeOf(score)]))))) : h("p", { class: "rest" }, t("evaluation.nobody")));
}

function panelOfScheme(rows) {
  const { called: name, parts } = rows[0].score;
  const id = `scheme-${schemeOf(rows[0].score)}`;
  const district = districtOf(rows[0].score);
  const heads = rows[0].score.criteria.length
    ? rows[0].score.criteria.map((one) => `${called(one.called)} (${one.points})`)
    : parts.map((one) => day(one.from).slice(0, 7));
  const columns = [t("evaluation.body"), t("evaluation.score"), t("evaluation.grade"), ...heads, t("evaluation.open"), t("evaluation.revision")];
  return h("section", { class: "panel", "aria-labelledby": id },
    h("header", { class: "panel-head" }, h("h2", { id }, district ? listed([called(name), district]) : called(name))),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": id },
      h("table", { class: "figures" },
        h("thead", {}, h("tr", {}, ...columns.map((one) => h("th", { scope: "col" }, one)))),
        h("tbody", {}, ...rows.map(line)))),
    h("div", { class: "report-notes" }, t("evaluation.basis"), clauses(name.clause)),
    board.may_enter ? circulars(rows[0].score) : null);
}

// The circular (通报) of the brigade about all bodies of the scheme: drafts that were asked for, and a new one.
function circulars(score) {
  const district = districtOf(score);
  const drawn = board.circulars.filter((one) => one.scheme_id === score.scheme && one.district === district);
  return h("div", { class: "report-notes" },
    h("p", {}, h("button", { type: "button", class: "ack", onclick: (event) => draft(event, score.scheme, district) }, t("evaluation.circular")), " ", h("span", { class: "quiet" }, t("evaluation.circular.rule"))),
    drawn.length ? h("ul", {}, ...drawn.map(circular)) : null);
}

function circular(one) {
  const id = encodeURIComponent(one.document_id);
  const paper = (lang) => link(`/api/v1/documents/${id}/paper?lang=${lang}`, t(`evaluation.circular.page.${lang}`));
  return h("li", {}, h("p", {},
    h("b", {}, one.number || t("evaluation.circular.draft")), " ", h("span", { class: "num" }, stamp(one.at)), " ", h("code", {}, one.document_id), " ",
    paper("zh"), " ", paper("en"), " ",
    ...one.files.flatMap((file) => [link(`/api/v1/evaluation/circulars/${id}/${file}`, file), " "])));
}

const link = (href, said) => h("a", { href, target: "_blank", rel: "noopener" }, said);

async function draft(event, scheme, district) {
  event.target.disabled = true;
  try {
    await order("/api/v1/evaluation/circulars", { scheme_id: scheme, district, period: board.shown.kind, from: board.shown.first });
    say(t("evaluation.circular.done"));
  } catch (error) {
    complain(error);
  }
  await load();
}

function panelOfRules([code, said]) {
  const id = `rules-${code}`;
  const { bands, year } = said;
  const columns = ["criterion", "points_most", "source", "basis"].map((name) => t(`evaluation.${name}`));
  const nameOfOne = (one) => called({ zh: one.name_zh, en: one.name_en });
  const source = (one) =>
    one.manual ? t("evaluation.manual") : one.listings ? t("evaluation.listings") : listed([t(`report.metric.${one.rate.metric}`), scopeName(one.rate.scope)]);
  return h("section", { class: "panel", "aria-labelledby": id },
    h("header", { class: "panel-head" }, h("h2", { id }, t("evaluation.rules", { name: nameOfOne(said) }))),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": id },
      h("table", { class: "figures" },
        h("thead", {}, h("tr", {}, ...columns.map((one) => h("th", { scope: "col" }, one)))),
        h("tbody", {}, ...Object.values(said.criteria).sort((a, b) => b.points - a.points).map((one) =>
          h("tr", {}, h("th", { scope: "row" }, nameOfOne(one)), h("td", { class: "num" }, String(one.points)), h("td", {}, source(one)), h("td", { class: "long" }, clauses(one.clause))))))),
    h("p", { class: "report-notes" }, t("evaluation.bands", bands)),
    h("p", { class: "report-notes" }, t("evaluation.year", year)));
}

function line(row) {
  const { score } = row;
  const cells = score.criteria.length ? score.criteria.map(cellOfCriterion) : score.parts.map((one) => h("td", { class: "num" }, range(one)));
  const open = [...score.gaps.map((gap) => t(`gap.${gap}`)), ...(score.rule_holds ? [t("evaluation.rule_holds", { years: score.years_not_competent })] : [])];
  return h("tr", {},
    h("th", { scope: "row" }, bodyName(score)),
    h("td", { class: "num" }, range(score)),
    h("td", {}, listed([gradeOf(score), ...(score.provisional ? [t("evaluation.provisional")] : [])])),
    ...cells, h("td", { class: "long" }, open.length ? listed(open) : "—", score.rule_holds ? clauses(score.hard_rule) : null), h("td", { class: "num" }, String(row.revision)));
}

function cellOfCriterion(one) {
  const due = one.listings?.due ?? [];
  const inTime = due.filter((each) => each.outcome === "in_time").length;
  const by = due.length ? t("evaluation.listed", { n: inTime, of: due.length }) : one.figure ? `${one.figure.low ?? "—"} % · ${t("evaluation.cited", { n: one.figure.revision })}` : one.entry ? listed([one.entry.account, one.entry.reason, one.entry.id]) : "";
  return h("td", { class: "num" }, one.left_out ? t("evaluation.left_out") : range(one), ...(by ? [h("br", {}), h("small", {}, by)] : []));
}

// --- points that wait for a second person

function waiting() {
  show(byId("waiting-panel"), board.waiting.length > 0);
  // not while somebody writes a note: an answer that comes meanwhile must not take it away
  if (!byId("waiting").contains(document.activeElement)) byId("waiting").replaceChildren(...board.waiting.map(waits));
}

function waits(one) {
  const known = Object.entries(rules).find(([code]) => code.split("/").pop() === one.scheme_id)?.[1].criteria[one.criterion_id];
  const criterion = known ? called({ zh: known.name_zh, en: known.name_en }) : one.criterion_id;
  const points = one.points === null ? t("evaluation.taken_back") : `${one.points} / ${one.most}`;
  const note = h("input", { maxlength: "500", "aria-label": t("adjustments.note"), placeholder: t("adjustments.note") });
  const button = (name) => h("button", { type: "button", class: name === "approve" ? "primary" : "ack", dataset: { decision: name }, onclick: () => decide(one, name, note) }, t(`adjustments.${name}`));
  return h("li", { class: "adjustment" },
    h("div", {},
      h("p", { class: "what" }, h("b", {}, listed([named(names[one.body_id.split("/").pop()], one.body_id), criterion, one.month.slice(0, 7), points]))),
      h("p", {}, one.reason),
      h("small", {}, listed([one.entry_id, one.account, stamp(one.entered_at)]))),
    h("div", { class: "acts" }, note, ...one.may.map(button)));
}

async function decide(one, name, note) {
  if (name === "reject" && !note.value.trim()) {
    note.focus();
    return;
  }
  try {
    const { state: now } = await order(`/api/v1/evaluation/points/${encodeURIComponent(one.entry_id)}/${name}`, { note: note.value });
    say(t("adjustments.done", { id: one.entry_id, state: t(`adjustments.state.${now}`) }));
    document.activeElement?.blur();
  } catch (error) {
    complain(error);
  }
  await load();
}

// --- entering points, of a month

function form(scores) {
  const manual = scores.filter((score) => score.period === "month" && score.criteria.some((one) => one.manual));
  graveBodies().catch(complain);
  show(byId("enter-panel"), board.may_enter && manual.length > 0);
  const { body } = byId("enter").elements;
  const before = body.value;
  body.replaceChildren(...manual.map((score) => h("option", { value: `${score.scheme}|${score.body}` }, bodyName(score))));
  if ([...body.options].some((one) => one.value === before)) body.value = before;
  criteria();
}

const chosenScore = () => board.rows.map((row) => row.score).find((score) => `${score.scheme}|${score.body}` === byId("enter").elements.body.value);

function criteria() {
  const { criterion } = byId("enter").elements;
  const before = criterion.value;
  const manual = (chosenScore()?.criteria ?? []).filter((one) => one.manual);
  criterion.replaceChildren(...manual.map((one) => h("option", { value: one.id }, `${called(one.called)} (0–${one.points})`)));
  if (manual.some((one) => one.id === before)) criterion.value = before;
}

async function send(event) {
  event.preventDefault();
  const score = chosenScore();
  if (!score) return;
  const { criterion, points, reason } = byId("enter").elements;
  const given = {
    scheme_id: score.scheme, body_id: score.body, criterion_id: criterion.value, month: day(score.from),
    points: points.value.trim() || null, reason: reason.value,
  };
  try {
    const { entry_id: id } = await order("/api/v1/evaluation/points", given);
    byId("enter").reset();
    say(t("evaluation.sent", { id }));
  } catch (error) {
    complain(error);
  }
  await load();
}

// --- entering a grave result through neglect, or that its inquiry is over

async function graveBodies() {
  show(byId("grave-panel"), board.may_enter);
  const { body } = byId("grave").elements;
  if (!board.may_enter || body.options.length) return;
  const { bodies } = await ask("/api/v1/summary/names");
  body.replaceChildren(...Object.entries(bodies).map(([code, pair]) => h("option", { value: code }, named(pair, code))));
}

async function sendGrave(event) {
  event.preventDefault();
  const { body, begins, text } = byId("grave").elements;
  try {
    await order("/api/v1/evaluation/grave-results", { body_id: body.value, begins: begins.value === "true", text: text.value });
    byId("grave").reset();
    say(t("evaluation.grave.done"));
  } catch (error) {
    complain(error);
  }
}

preferences.start();
on("language", () => {
  preferences.render();
  draw();
});
byId("period").addEventListener("change", () => {
  const [kind, first] = byId("period").value.split(":");
  wanted = { kind, first };
  load();
});
byId("grave").addEventListener("submit", sendGrave);
byId("enter").addEventListener("submit", send);
byId("enter").elements.body.addEventListener("change", criteria);
document.documentElement.dataset.lang = state.lang;
preferences.render();
load();
session.start();
