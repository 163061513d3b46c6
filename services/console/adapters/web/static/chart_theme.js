// What charts share: the colours of the page, its axes, and when they have to be drawn anew.

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function axis() {
  const line = { stroke: colour("--line"), width: 1 };
  return { stroke: colour("--ink-3"), grid: line, ticks: line, font: "12px system-ui, sans-serif" };
}

export function onTheme(redraw) {
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
