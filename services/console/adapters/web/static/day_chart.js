// One line of the last day. A step that nobody saw is grey ground from top to bottom, and no line: it is not zero.

import { axis, colour, onTheme } from "./chart_theme.js";
import uPlot from "./vendor/uplot/uPlot.esm.js";

const HEIGHT = 150;
const HOUR_S = 3600;
const SIX_HOURS = [2, 3, 6, 12].map((hours) => hours * HOUR_S);

export class DayChart {
  #plot = null;
  #asked = null;

  // `words`: how a value and an instant (in seconds) are written on the axes, and in which steps values may stand there.
  constructor(container, words) {
    this.container = container;
    this.words = words;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(container);
    onTheme(() => this.draw(this.#asked));
  }

  // `begins`: in seconds; `line`: of the answer, its values one a step from there; `bars`: counts and no level.
  draw(asked) {
    this.#asked = asked;
    this.#plot?.destroy();
    this.#plot = null;
    if (!asked) return;
    const { begins, line } = asked;
    const middle = line.step_s / 2;
    const at = line.values.map((_, index) => begins + index * line.step_s + middle);
    this.#plot = new uPlot(this.#options(asked), [at, line.values], this.container);
  }

  #size() {
    return { width: Math.max(200, this.container.clientWidth), height: HEIGHT };
  }

  #options({ begins, line, bars }) {
    const accent = colour("--accent");
    const ends = begins + line.values.length * line.step_s;
    const most = Math.max(1, ...line.values.filter((value) => value !== null));
    return {
      ...this.#size(),
      ms: 1,
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: { show: false },
      scales: { x: { time: false, range: () => [begins, ends] }, y: { range: () => [0, most * 1.1] } },
      axes: [
        { ...axis(), size: 28, space: 60, incrs: SIX_HOURS, values: (_, splits) => splits.map(this.words.at) },
        { ...axis(), size: 72, space: 34, incrs: this.words.steps, values: (_, splits) => splits.map(this.words.value) },
      ],
      series: [
        {},
        bars
          ? { stroke: accent, fill: accent, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7] }) }
          : { stroke: accent, width: 2, points: { show: false } },
      ],
      hooks: { drawClear: [(plot) => this.#unseen(plot)], draw: [(plot) => this.#lonely(plot)] },
    };
  }

  #unseen(plot) {
    const { begins, line } = this.#asked;
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = `${colour("--unknown")}44`;
    const edge = (step) => Math.round(plot.valToPos(begins + step * line.step_s, "x", true));
    for (const [index, value] of line.values.entries()) {
      if (value === null) ctx.fillRect(edge(index), bbox.top, edge(index + 1) - edge(index), bbox.height);
    }
    ctx.restore();
  }

  // A step between two that nobody saw has no line to be seen by.
  #lonely(plot) {
    const { line, bars } = this.#asked;
    if (bars) return;
    const { ctx } = plot;
    ctx.save();
    ctx.fillStyle = colour("--accent");
    for (const [index, value] of line.values.entries()) {
      if (value === null || (line.values[index - 1] ?? line.values[index + 1] ?? null) !== null) continue;
      ctx.beginPath();
      ctx.arc(plot.valToPos(plot.data[0][index], "x", true), plot.valToPos(value, "y", true), 2 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.restore();
  }
}
