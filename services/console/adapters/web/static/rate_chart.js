// The chart of rates by day: low and high as a band, the target as a line, what each day is as the shape of its point.

import { axis as axisOf, colour, onTheme } from "./chart_theme.js";
import uPlot from "./vendor/uplot/uPlot.esm.js";

const DAY_MS = 86_400_000;
const STEPS = [1, 2, 7, 14, 28, 56, 91, 182].map((days) => days * DAY_MS);
const FLOORS = [0, 25, 50, 75, 80, 85, 90, 95, 98, 99]; // the scale ends at 100 and begins at the last that shows all
const EVERY_POINT = 62; // days that have room for a point each
const HEIGHT = 320;

const number = (text) => (text === null ? null : Number(text));
const at = (day) => Date.parse(`${day}T00:00:00Z`);
const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);

// What uPlot wants: days, then per series a value or null for each of them.
function columns(days) {
  const of = (is, name) => days.map((day) => (is(day) ? number(day[name]) : null));
  const closed = (day) => day.state === "closed" || day.state === "revised";
  const open = (day) => day.state === "open";
  return [
    days.map((day) => at(day.day)),
    of(closed, "high"), of(closed, "low"), of(open, "high"), of(open, "low"),
    days.map((day) => number(day.target)),
  ];
}

export class RateChart {
  #plot = null;
  #days = [];

  // `onDay` hears the index of the day under the cursor, or null.
  constructor(container, onDay) {
    this.container = container;
    this.onDay = onDay;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(container);
    container.addEventListener("keydown", (event) => this.#key(event));
    onTheme(() => this.draw(this.#days));
  }

  draw(days) {
    const kept = days === this.#days ? this.cursor : null;
    this.#days = days;
    this.#plot?.destroy();
    this.#plot = null;
    this.cursor = null;
    if (!days.length) return;
    this.#plot = new uPlot(this.#options(), columns(days), this.container);
    if (kept !== null && kept !== undefined) this.#go(kept);
  }

  #size() {
    return { width: Math.max(240, this.container.clientWidth), height: HEIGHT };
  }

  #options() {
    const accent = colour("--accent"), never = colour("--unknown");
    const axis = axisOf();
    const bound = { width: 1, points: { show: false } };
    return {
      ...this.#size(),
      ms: 1,
      legend: { show: false },
      padding: [14, 40, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { time: false, range: (_, low, high) => (low === high ? [low - DAY_MS, high + DAY_MS] : [low, high]) }, y: { range: () => [this.#floor(), 100] } },
      axes: [
        { ...axis, size: 34, space: 96, incrs: STEPS, values: (_, splits) => splits.map(dayOf) },
        { ...axis, size: 62, space: 36, incrs: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25], values: (_, splits) => splits.map((split) => `${Number(split.toPrecision(5))} %`) },
      ],
      series: [
        {},
        { ...bound, stroke: never },
        { ...bound, stroke: accent, width: 2 },
        { ...bound, stroke: never, dash: [3, 3] },
        { ...bound, stroke: accent, width: 2, dash: [6, 4] },
        { width: 2, stroke: colour("--breach"), dash: [2, 4], points: { show: false } },
      ],
      bands: [{ series: [1, 2], fill: `${never}55` }, { series: [3, 4], fill: `${never}33` }],
      hooks: { draw: [(plot) => this.#points(plot)], setCursor: [(plot) => this.#moved(plot.cursor.idx ?? null)] },
    };
  }

  #floor() {
    const shown = this.#days.flatMap((day) => [day.low, day.target]).filter((text) => text !== null).map(Number);
    return FLOORS.findLast((floor) => floor < Math.min(100, ...shown)) ?? 0;
  }

  // Filled: closed. Hollow: not closed. A diamond: revised. A day with no neighbour has no line, so it has its point.
  #points(plot) {
    const { ctx } = plot;
    const dot = 3 * devicePixelRatio;
    const accent = colour("--accent"), surface = colour("--surface"), revised = colour("--offline");
    const has = (index) => ["closed", "revised"].includes(this.#days[index]?.state) ? "closed" : this.#days[index]?.state;
    ctx.save();
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash([]);
    for (const [index, day] of this.#days.entries()) {
      const lonely = has(index - 1) !== has(index) && has(index + 1) !== has(index);
      if (day.low === null || !(day.state === "revised" || lonely || this.#days.length <= EVERY_POINT)) continue;
      const x = plot.valToPos(at(day.day), "x", true), y = plot.valToPos(Number(day.low), "y", true);
      ctx.beginPath();
      if (day.state === "revised") {
        const wide = 2 * dot;
        ctx.moveTo(x, y - wide);
        for (const [right, down] of [[wide, 0], [0, wide], [-wide, 0]]) ctx.lineTo(x + right, y + down);
        ctx.closePath();
      } else ctx.arc(x, y, dot, 0, 2 * Math.PI);
      ctx.strokeStyle = day.state === "revised" ? revised : accent;
      ctx.fillStyle = day.state === "open" ? surface : ctx.strokeStyle;
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  #moved(index) {
    if (index === this.cursor) return;
    this.cursor = index;
    this.onDay(index);
  }

  #key(event) {
    const last = this.#days.length - 1;
    const from = this.cursor ?? last + 1;
    const to = { ArrowLeft: from - 1, ArrowRight: Math.min(from + 1, last), Home: 0, End: last }[event.key];
    if (to === undefined || !this.#plot) return;
    event.preventDefault();
    this.#go(Math.min(last, Math.max(0, to)));
  }

  #go(index) {
    this.#plot.setCursor({ left: this.#plot.valToPos(at(this.#days[index].day), "x"), top: 1 });
  }
}
