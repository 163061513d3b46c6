// The district's rates: counts first, floored percent, the interval when something is unknown, the verdict.

import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { account, choose, on, state } from "./state.js";
import { eventsNow, listed, nameOf, number, t } from "./text.js";

const VERDICT_ICON = { compliant: "normal", non_compliant: "cross", no_target: "dash", undetermined: "unknown", not_applicable: "dash" };
const PARTS = ["connected", "late", "commissioning", "exempt", "never", "offline", "unknown"];
const WORD = { connected: "part.connected", late: "connection.late", commissioning: "connection.commissioning", exempt: "connection.exempt", never: "connection.never_connected", offline: "connection.offline", unknown: "connection.unknown" };
const SHAPE = { connected: "online", never: "never_connected" };

export function start() {
  on("rates", render);
}

export function render() {
  const rates = state.sections.rates;
  const rows = rates ? Object.values(rates).sort((a, b) => a.scope.localeCompare(b.scope)) : [];
  const counted = (row) => row.denominator + row.exempt > 0;
  // Whoever answers for a part of the district is told once, in small, of which scopes it has no unit.
  const shown = rows.filter((row) => counted(row) || (!account.department && ["S1", "S2"].includes(row.scope)));
  const none = account.department ? rows.filter((row) => !counted(row)).map((row) => nameOf("scopes", row.scope)) : [];
  setText(byId("none-of"), none.length ? t("rate.none_of", { names: listed(none) }) : "");
  setText(byId("events"), eventsNow());
  show(byId("events"), eventsNow() !== "");
  byId("rates").dataset.cards = String(shown.length);
  patchList(byId("rates"), shown, (row) => row.scope, make, update);
}

function make() {
  return h("article", { class: "rate" },
    h("header", { class: "rate-head" },
      h("h2", {}, h("b", { class: "rate-scope" }), h("span", { class: "rate-name" })),
      h("span", { class: "verdict" }, h("span", { class: "verdict-icon" }), h("span", { class: "verdict-word" }))),
    h("div", { class: "rate-main" },
      h("p", { class: "rate-figure" }, h("span", { class: "rate-metric" }), h("span", { class: "rate-percent num" })),
      h("p", { class: "rate-counts" }, h("span", { class: "rate-fraction num" }), h("span", { class: "rate-goal" }), h("button", { type: "button", class: "rate-short link", onclick: (event) => listMissing(event.currentTarget.closest(".rate").dataset.scope) }))),
    h("p", { class: "rate-interval" }),
    h("div", { class: "rate-bar", "aria-hidden": "true" }, PARTS.map((part) => h("i", { class: `seg ${part}` }))),
    h("ul", { class: "rate-parts" }, PARTS.map((part) => h("li", { class: part }, icon(SHAPE[part] ?? part), h("span", { class: "word" }), h("b", { class: "num" })))));
}

function amounts(rate) {
  return { connected: rate.numerator - rate.late, late: rate.late, commissioning: rate.commissioning, exempt: rate.exempt, never: rate.never, offline: rate.offline, unknown: rate.unknown };
}

function figure(rate) {
  if (rate.low === null) return t("rate.na");
  if (rate.unknown > 0) return `${rate.low} – ${rate.high} %`;
  return `${rate.low} %`;
}

// Those that keep the scope under its target: nobody's loss is what we do not know.
function listMissing(scope) {
  choose({ of: scope, conn: ["offline", "never_connected", "commissioning"], health: [], town: null, department: null, category: null, q: "" });
  byId("units-title").scrollIntoView({ block: "nearest" });
}

function goal(target) {
  if (!target) return "";
  const due = target.due === "at_acceptance" ? t("rate.due.acceptance") : t("rate.due", { day: target.due });
  return `${t("rate.target", { p: target.percent })}${due}`;
}

function update(card, rate) {
  const part = (name) => card.querySelector(`.${name}`);
  card.dataset.verdict = rate.verdict;
  card.dataset.scope = rate.scope;
  card.classList.toggle("none", rate.low === null);
  card.classList.toggle("ranged", rate.unknown > 0 && rate.low !== null);
  setText(part("rate-scope"), rate.scope);
  setText(part("rate-name"), nameOf("scopes", rate.scope) === rate.scope ? "" : nameOf("scopes", rate.scope));
  setText(part("rate-metric"), t(`rate.${rate.metric}`));
  setText(part("rate-percent"), figure(rate));
  const numerator = rate.unknown > 0 ? `${number(rate.numerator)}–${number(rate.numerator_high)}` : number(rate.numerator);
  setText(part("rate-fraction"), rate.denominator ? `${numerator} / ${number(rate.denominator)} ${t("rate.units")}` : t(rate.reason === "all_exempt" ? "rate.na.exempt" : "rate.na.why"));
  setText(part("rate-goal"), goal(rate.target));
  show(part("rate-short"), rate.missing > 0);
  setText(part("rate-short"), rate.missing > 0 ? t("rate.short", { n: rate.missing }) : "");
  const interval = part("rate-interval");
  show(interval, rate.unknown > 0 && rate.low !== null);
  setText(interval, rate.unknown > 0 ? `${t("rate.interval")} [${rate.low} %, ${rate.high} %] · ${t("rate.interval.why", { n: rate.unknown })}` : "");
  verdict(part("verdict"), rate.verdict);
  const counts = amounts(rate);
  for (const [name, count] of Object.entries(counts)) {
    const segment = card.querySelector(`.seg.${name}`);
    segment.style.flexGrow = String(count);
    show(segment, count > 0);
    const item = card.querySelector(`.rate-parts .${name}`);
    show(item, count > 0 || name === "connected" || name === "offline");
    setText(item.querySelector(".word"), t(WORD[name]));
    setText(item.querySelector("b"), number(count));
  }
}

function verdict(badge, value) {
  if (badge.dataset.verdict !== value) {
    badge.dataset.verdict = value;
    badge.querySelector(".verdict-icon").replaceChildren(icon(VERDICT_ICON[value]));
  }
  setText(badge.querySelector(".verdict-word"), t(`verdict.${value}`));
}
