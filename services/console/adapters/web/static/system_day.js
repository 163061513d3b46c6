// The last day on the page of the system's health: a small chart for each figure, and one table of all by hour.

import { ask, worded } from "./api.js";
import { DayChart } from "./day_chart.js";
import { byId, h, setText, show } from "./dom.js";
import { brief, clock, has, number, span, t } from "./text.js";

const EVERY_MS = 60000;
const HOUR_S = 3600;
const GIB = 2 ** 30;
const COUNTS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((times) => times * 10 ** power)).flat();
const SECONDS = [1, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, ...COUNTS.map((days) => days * 86400)];
const ROOM = COUNTS.map((times) => times * GIB);
const charts = new Map(); // by key of the line; each keeps its place on the page
let day = null;
let refused = "";

const keyOf = (line) => [line.measure, line.service].filter(Boolean).join(":");

function nameOf(line) {
  if (!line.service) return t(`system.day.${line.measure}`);
  const key = `parts.name.${line.service.replaceAll("-", "_")}`;
  return t("system.day.records_waiting", { name: has(key) ? t(key) : line.service });
}

function written(line, value) {
  if (value === null || value === undefined) return t("system.day.unseen");
  if (line.measure.endsWith("_seconds")) return span(value);
  return line.measure.endsWith("_bytes") ? `${(value / GIB).toFixed(1)} GiB` : number(Math.round(value));
}

const worstOf = (line, values) => {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (!known.length) return null;
  return line.measure === "archive_free_bytes" ? Math.min(...known) : Math.max(...known);
};

function summary(line) {
  const values = { now: written(line, line.values.at(-1)), worst: written(line, worstOf(line, line.values)) };
  if (line.minutes === null) return t("system.day.summary.counted", { ...values, n: number(line.values.reduce((sum, value) => sum + (value ?? 0), 0)) });
  return t("system.day.summary", { ...values, seen: number(line.minutes), all: number(day.minutes) });
}

function figure(line) {
  const title = h("h3", {}), plot = h("div", { class: "day-plot", role: "img" }), said = h("figcaption", {});
  const element = h("figure", { class: "day-figure", dataset: { line: keyOf(line) } }, title, plot, said);
  return { element, title, plot, said, chart: null };
}

function drawOne(line, one) {
  one.chart ??= new DayChart(one.plot, {
    at: (seconds) => clock(seconds * 1000).slice(0, 5),
    value: (value) => written(line, value),
    steps: line.measure.endsWith("_seconds") ? SECONDS : line.measure.endsWith("_bytes") ? ROOM : COUNTS,
  });
  setText(one.title, nameOf(line));
  setText(one.said, summary(line));
  one.plot.setAttribute("aria-label", `${nameOf(line)}: ${summary(line)}`);
  one.chart.draw({ begins: Date.parse(day.first) / 1000, line, bars: line.measure === "refusals" });
}

function table(lines) {
  const hours = Math.ceil(day.minutes / 60);
  const of = (line, hour) => {
    const steps = HOUR_S / line.step_s;
    return written(line, worstOf(line, line.values.slice(hour * steps, (hour + 1) * steps)));
  };
  byId("day-columns").replaceChildren(...[t("system.day.hour"), ...lines.map(nameOf)].map((name) => h("th", { scope: "col" }, name)));
  byId("day-rows").replaceChildren(...Array.from({ length: hours }, (_, index) => hours - 1 - index).map((hour) =>
    h("tr", {}, h("th", { scope: "row", class: "num" }, brief(Date.parse(day.first) + hour * HOUR_S * 1000)),
      ...lines.map((line) => h("td", { class: "num" }, of(line, hour))))));
}

export function drawDay() {
  setText(byId("day-said"), refused);
  show(byId("day-said"), refused !== "");
  show(byId("day-body"), day !== null);
  if (!day) return;
  const keys = day.lines.map(keyOf);
  for (const key of [...charts.keys()].filter((known) => !keys.includes(known))) {
    charts.get(key).element.remove();
    charts.delete(key);
  }
  for (const [index, line] of day.lines.entries()) {
    const key = keyOf(line);
    if (!charts.has(key)) charts.set(key, figure(line));
    const { element } = charts.get(key);
    const place = byId("day-charts").children[index];
    if (place !== element) byId("day-charts").insertBefore(element, place ?? null);
    drawOne(line, charts.get(key));
  }
  table(day.lines);
}

export async function loadDay() {
  try {
    day = await ask("/api/v1/health/day");
    refused = "";
  } catch (error) {
    day = null; // what was seen before says nothing of now
    refused = worded(error);
  }
  drawDay();
  setTimeout(loadDay, EVERY_MS);
}
