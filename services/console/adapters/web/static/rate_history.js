// Rates by day: whose, in which scope, when; as a chart, as a table, as a file.

import { Refused, ask, newestOf } from "./api.js";
import { byId, h, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import { RateChart } from "./rate_chart.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { dayNow as today, eventLine, named, number, span as lasts, stamp, t } from "./text.js";

const DAY_MS = 86_400_000;
const SPANS = { week: null, month: 30, quarter: 90, year: 366 };
const GROUPS = ["district", "town", "department"];
const COLUMNS = ["state", "rate", "counts", "unknown", "target", "verdict", "published"];
const LIVE = "live_networking_rate";

const query = new URLSearchParams(location.search);
const view = { subject: query.get("of") && query.get("value") ? `${query.get("of")}:${query.get("value")}` : "", scope: query.get("scope") ?? "", from: query.get("from") ?? "", to: query.get("to") ?? "" };
let known = { subjects: [], scopes: {}, names: {}, district: null };
let days = [];
let periods = [];
let events = [];

const chart = new RateChart(byId("chart"), (index) => setText(byId("day"), index === null ? "" : sentence(days[index])));

// --- what is asked for

const shifted = (day, by) => new Date(Date.parse(`${day}T00:00:00Z`) + by * DAY_MS).toISOString().slice(0, 10);

// The last whole week, Monday to Sunday; any other span ends today.
function span(name) {
  if (SPANS[name]) return { from: shifted(today(), 1 - SPANS[name]), to: today() };
  const weekday = new Date(`${today()}T00:00:00Z`).getUTCDay() || 7;
  return { from: shifted(today(), -weekday - 6), to: shifted(today(), -weekday) };
}

const subjectName = (one) => (one.dimension === "district" ? named(known.district, one.value) : named(known.names[one.value], one.value));
const chosen = () => {
  const [dimension, ...rest] = view.subject.split(":");
  return { dimension, value: rest.join(":") };
};

function asked() {
  const { dimension, value } = chosen();
  return new URLSearchParams({ of: dimension, value, scope: view.scope, from: view.from, to: view.to });
}

function change(what) {
  Object.assign(view, what);
  controls();
  history.replaceState(null, "", `?${asked()}`);
  load();
}

// --- reading

async function begin() {
  try {
    known = await ask("/api/v1/history/subjects");
  } catch (error) {
    say(error);
    return;
  }
  const scopes = Object.keys(known.scopes).sort();
  if (!view.subject && known.subjects.length) view.subject = `${known.subjects[0].dimension}:${known.subjects[0].value}`;
  if (!view.scope) view.scope = scopes[0] ?? "S1";
  if (!view.from || !view.to) Object.assign(view, span("month"));
  controls();
  if (view.subject) load();
  else show(byId("empty"), true);
}

const fetched = newestOf(
  (answer) => {
    ({ days, periods, events } = answer);
    say(null);
  },
  (error) => {
    [days, periods, events] = [[], [], []];
    say(error);
  },
);

async function load() {
  if (await fetched(`/api/v1/history?${asked()}`)) draw();
}

function say(error) {
  const code = error instanceof Refused ? error.code : "internal";
  byId("said").className = "said bad";
  setText(byId("said"), error ? t(code === "bad_request" ? "history.bad" : `error.${code}`) : "");
  show(byId("said"), error !== null);
}

// --- drawing

function controls() {
  const listed = [...known.subjects];
  const own = chosen();
  if (own.value && !listed.some((one) => one.dimension === own.dimension && one.value === own.value)) listed.push(own);
  byId("subject").replaceChildren(...GROUPS.map((group) => [group, listed.filter((one) => one.dimension === group)])
    .filter(([, members]) => members.length)
    .map(([group, members]) => h("optgroup", { label: t(`history.group.${group}`) }, members.map((one) => h("option", { value: `${one.dimension}:${one.value}` }, subjectName(one))))));
  byId("subject").value = view.subject;
  const scopes = [...new Set([...Object.keys(known.scopes), view.scope])].filter(Boolean).sort();
  byId("scope").replaceChildren(...scopes.map((code) => h("option", { value: code }, known.scopes[code] ? `${code} ${named(known.scopes[code], "")}` : code)));
  byId("scope").value = view.scope;
  byId("from").value = view.from;
  byId("to").value = view.to;
  byId("spans").replaceChildren(...Object.keys(SPANS).map((name) => {
    const { from, to } = span(name);
    return h("button", { type: "button", "aria-pressed": String(view.from === from && view.to === to), onclick: () => change(span(name)) }, t(`history.span.${name}`));
  }));
  for (const format of ["csv", "xlsx"]) {
    const wanted = asked();
    wanted.set("format", format);
    wanted.set("lang", state.lang);
    byId(format).href = `/api/v1/history/export?${wanted}`;
  }
}

function draw() {
  const figures = days.filter((day) => day.state !== "none");
  setText(byId("chart-title"), view.subject ? t("history.chart", { name: subjectName(chosen()), scope: view.scope }) : "");
  chart.draw(figures.length ? days : []);
  show(byId("chart"), figures.length > 0);
  setText(byId("day"), "");
  setText(byId("chart-summary"), summary(figures));
  setText(byId("events"), events.map((event) => eventLine(event, (code) => named(known.names[code], code))).join(" "));
  show(byId("events"), events.length > 0);
  byId("legend").replaceChildren(...["closed", "revised", "open", "band", "target"].map((name) => h("li", { class: name }, h("i", { "aria-hidden": "true" }), t(`history.legend.${name}`))));
  const heads = (first) => [...first, ...COLUMNS].map((name) => h("th", { scope: "col" }, t(`history.column.${name}`)));
  byId("period-columns").replaceChildren(...heads(["period", "span"]));
  byId("periods").replaceChildren(...periods.map((one) => row(one, h("th", { scope: "row" }, t(`history.period.${one.period}`)), h("td", { class: "num" }, `${one.day} – ${one.last}`))));
  show(byId("periods-region"), periods.length > 0);
  show(byId("no-period"), periods.length === 0);
  byId("columns").replaceChildren(...heads(["day"]));
  byId("rows").replaceChildren(...figures.toReversed().map((day) => row(day, h("th", { scope: "row", class: "num" }, day.day))));
  show(byId("empty"), figures.length === 0);
}

function summary(figures) {
  const ranked = figures.filter((day) => day.low !== null).sort((a, b) => Number(a.low) - Number(b.low));
  const many = (name) => days.filter((day) => day.state === name).length;
  const counted = t("history.summary", { all: days.length, closed: many("closed") + many("revised"), revised: many("revised"), open: many("open"), none: many("none") });
  return ranked.length ? `${counted} ${t("history.lowest", { day: ranked[0].day, rate: rate(ranked[0]) })}` : counted;
}

const rate = (one) => (one.low === null ? t("rate.na") : one.low === one.high ? `${one.low} %` : `${one.low} – ${one.high} %`);

// Units times microseconds, as the time that they are: its last six digits are less than a second.
const lasting = (time) => lasts(Number(String(time).slice(0, -6)));

// A closed figure counts units times time, a sample counts units.
function counts(one, metric) {
  if (one.denominator === null) return "";
  if (metric === LIVE) return `${number(one.numerator)} / ${number(one.denominator)} ${t("rate.units")}`;
  return t("history.unit_time", { part: lasting(one.numerator), whole: lasting(one.denominator) });
}

const unknown = (one) => (one.metric === LIVE || !Number(one.unknown) ? String(one.unknown ?? "") : lasting(one.unknown));

const word = (day) => (day.state === "revised" ? t("history.revision", { n: day.revision }) : t(`history.state.${day.state}`));

function sentence(day) {
  if (day.state === "none") return t("history.nothing", { day: day.day });
  const said = day.verdict ? t(`verdict.${day.verdict}`) : "";
  return [day.day, `${t(`rate.${day.metric}`)} ${rate(day)}`, day.target ? t("rate.target", { p: day.target }) : "", said, word(day)].filter(Boolean).join(" · ");
}

function row(day, ...heads) {
  return h("tr", { dataset: { day: day.day, state: day.state } },
    heads,
    h("td", {}, day.state === "revised" ? earlier(day) : h("span", { class: `badge ${day.state}` }, word(day))),
    h("td", { class: "num" }, h("b", {}, rate(day)), h("small", {}, t(`rate.${day.metric}`))),
    h("td", { class: "num" }, counts(day, day.metric)),
    h("td", { class: "num" }, unknown(day)),
    h("td", { class: "num" }, day.target ? `≥ ${day.target} %` : "—"),
    h("td", { class: `v-${day.verdict}` }, day.verdict ? t(`verdict.${day.verdict}`) : "—"),
    h("td", { class: "num" }, stamp(day.at)));
}

// Nothing published changes silently: what it was before can be read.
function earlier(day) {
  return h("details", {},
    h("summary", {}, h("span", { class: "badge revised" }, word(day))),
    h("ul", {}, day.earlier.toReversed().map((one) =>
      h("li", {}, t("history.before", { n: one.revision, rate: rate(one), verdict: t(`verdict.${one.verdict}`), at: stamp(one.at) }), h("small", { class: "num" }, counts(one, day.metric))))));
}

preferences.start();
on("language", () => {
  preferences.render();
  controls();
  draw();
});
byId("asked").addEventListener("submit", (event) => event.preventDefault());
byId("subject").addEventListener("change", (event) => change({ subject: event.target.value }));
byId("scope").addEventListener("change", (event) => change({ scope: event.target.value }));
for (const name of ["from", "to"]) byId(name).addEventListener("change", (event) => {
  if (event.target.value) change({ [name]: event.target.value });
});
document.documentElement.dataset.lang = state.lang;
preferences.render();
session.start();
begin();
