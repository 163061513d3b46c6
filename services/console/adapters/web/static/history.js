// A unit's last day as a bar, and in words for those who cannot see it.

import { h } from "./dom.js";
import { brief, now, stamp, t } from "./text.js";

export function history(detail) {
  const changes = detail.passages.filter((passage) => passage.aspect === "connection").reverse();
  const begin = new Date(detail.since).getTime(), end = now();
  const pieces = [];
  const known = detail.unit.connection_since ? new Date(detail.unit.connection_since).getTime() : begin;
  let at = begin, current = changes[0]?.from_state ?? detail.unit.connection;
  if (!changes.length && known > begin && known < end) {
    pieces.push(["unknown", known - begin]);
    at = known;
  }
  for (const change of changes) {
    const moment = Math.min(end, Math.max(begin, new Date(change.effective_at).getTime()));
    if (moment > at) pieces.push([current, moment - at]);
    at = Math.max(at, moment);
    current = change.to_state;
  }
  if (end > at) pieces.push([current, end - at]);
  const bar = h("div", { class: "day", role: "img", "aria-label": t("unit.history.label") }, pieces.map(([name, length]) => {
    const piece = h("i", { class: `d-${name}`, title: t(`connection.${name}`) });
    piece.style.flexGrow = String(length);
    return piece;
  }));
  const states = [...new Set(pieces.map(([name]) => name))];
  const legend = h("ul", { class: "day-legend", "aria-label": t("day.legend") }, states.map((name) => h("li", {}, h("i", { class: `d-${name}`, "aria-hidden": "true" }), t(`connection.${name}`))));
  // In the order in which they were known: late comes before offline, though offline counts from further back.
  const told = [...detail.passages].sort((a, b) => new Date(b.detected_at) - new Date(a.detected_at));
  const words = told.slice(0, 12).map((passage) =>
    h("li", {}, h("span", { class: "num quiet" }, stamp(passage.effective_at)), " ", `${t(`${passage.aspect}.${passage.from_state}`)} → ${t(`${passage.aspect}.${passage.to_state}`)}`));
  return h("div", {}, bar, h("p", { class: "day-ends num quiet" }, h("span", {}, brief(begin)), h("span", {}, brief(end))), legend, words.length ? h("ul", { class: "passages" }, words) : h("p", { class: "quiet" }, t("unit.history.none")));
}
