// A unit's last day as a bar, and in words for those who cannot see it; and its outages as they were published.

import { h } from "./dom.js";
import { brief, causeOf, now, stamp, t } from "./text.js";

const GROUPS = { carrier: "carrier", area: "town" }; // of an attribution what its common cause is called

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

// Outages as published: when, whose, what shows it, and that what came later changed it.
export function outages(found) {
  if (!found.length) return h("p", { class: "quiet" }, t("unit.outages.none"));
  return h("div", {}, h("ul", { class: "passages outages" }, found.map(outage)), h("p", { class: "quiet" }, t("unit.outages.note")));
}

function outage(one) {
  const last = one.revisions.at(-1);
  const word = last.withdrawn ? t("outage.withdrawn") : t("outage.whose", { state: t(`connection.${last.connection}`), whose: t(`report.attribution.${last.attribution}`) });
  const shows = [
    last.lost_at && t("outage.lost", { gateway: last.gateway_id, at: stamp(last.lost_at) }),
    last.group && t("outage.together", { group: causeOf(`${GROUPS[last.attribution] ?? ""}:${last.group}`), n: last.group_units, at: stamp(last.group_from) }),
    t("outage.known", { n: last.revision, at: stamp(last.known_at) }),
    ...one.revisions.slice(0, -1).map((former) => t("outage.former", { n: former.revision, at: stamp(former.known_at), end: former.ended_at ? t("outage.until", { at: stamp(former.ended_at) }) : t("outage.open"), whose: t(`report.attribution.${former.attribution}`) })),
  ].filter(Boolean);
  return h("li", {}, h("span", { class: "num quiet" }, `${stamp(one.started_at)} – ${last.ended_at ? stamp(last.ended_at) : t("outage.open")}`), " ", word, ...shows.map((line) => h("small", { class: "quiet" }, line)));
}
