// The wall: the same live picture, read from far away by nobody in particular. Nothing can be pressed; what does not fit is
// shown in turn.

import { byId, h, icon, patchList, setText, show } from "./dom.js";
import * as fresh from "./fresh.js";
import * as session from "./session.js";
import { emit, on, state } from "./state.js";
import * as stream from "./stream.js";
import { addressOf, clock, componentName, eventsNow, listed, named, nameOf, now, number, since, span, t, unitName } from "./text.js";
import { KIND_ICON } from "./words.js";

const TURN_S = 12; // seconds that one page of tiles or fires stays
const FIRES = 3;
const COLUMNS = 4;
const ROWS_BY_FIRES = [3, 2, 2, 1];
const STATES = [["connection", "online"], ["connection", "late"], ["connection", "offline"], ["connection", "unknown"], ["connection", "never_connected"], ["health", "fault"], ["health", "fire"]];
const MANY = 4;
let seconds = 0;

// The part of `all` that is shown now, and which of how many parts it is.
function inTurn(all, size) {
  const of = Math.max(1, Math.ceil(all.length / size));
  const n = Math.floor(seconds / TURN_S) % of;
  return { n: n + 1, of, shown: all.slice(n * size, (n + 1) * size) };
}

const percent = (row) => (row.low === null ? t("rate.na") : row.unknown > 0 && row.low !== row.high ? `${row.low}–${row.high} %` : `${row.low} %`);

function renderRates() {
  const rows = Object.values(state.sections.rates ?? {}).filter((row) => row.denominator > 0).sort((a, b) => a.scope.localeCompare(b.scope));
  setText(byId("events"), eventsNow());
  show(byId("events"), eventsNow() !== "");
  const box = byId("rates");
  box.dataset.cards = String(rows.length);
  box.toggleAttribute("data-many", rows.length >= MANY);
  patchList(box, rows, (row) => row.scope,
    () => h("article", { class: "rate" }, h("h2"), h("p", { class: "rate-line" }, h("span", { class: "rate-percent num" }), h("span", { class: "rate-verdict" })), h("p", { class: "rate-counts num" })),
    (card, row) => {
      card.dataset.verdict = row.verdict;
      card.classList.toggle("ranged", row.unknown > 0 && row.low !== row.high);
      setText(card.querySelector("h2"), nameOf("scopes", row.scope));
      setText(card.querySelector(".rate-percent"), percent(row));
      setText(card.querySelector(".rate-verdict"), t(`verdict.${row.verdict}`));
      const short = row.missing > 0 ? ` · ${t("rate.short", { n: row.missing })}` : "";
      setText(card.querySelector(".rate-counts"), `${number(row.numerator)} / ${number(row.denominator)} ${t("rate.units")}${short}`);
    });
}

function renderStates() {
  const tally = state.sections.tally;
  patchList(byId("states"), STATES, ([, name]) => name,
    ([aspect, name]) => h("li", { class: `state s-${name}`, dataset: { aspect } }, icon(name), h("span", { class: "word" }), h("b", { class: "num" })),
    (item, [aspect, name]) => {
      const count = tally?.[aspect]?.[name] ?? 0;
      item.classList.toggle("zero", count === 0);
      setText(item.querySelector(".word"), t(`${aspect}.${name}`));
      setText(item.querySelector("b"), tally ? number(count) : "–");
    });
}

// The scope that counts most units: tiles of several scopes side by side could not be told apart from afar.
function widest() {
  const rates = Object.values(state.sections.rates ?? {});
  return rates.reduce((best, row) => (row.denominator > (best?.denominator ?? 0) ? row : best), null)?.scope;
}

function renderTiles() {
  const scope = widest();
  const rows = (state.sections.boards?.town ?? []).filter((row) => row.scope === scope && row.denominator > 0);
  const fires = Math.min(FIRES, (state.sections.fires ?? []).length);
  const { n, of, shown } = inTurn(rows, COLUMNS * ROWS_BY_FIRES[fires]);
  setText(byId("streets-name"), scope ? `${t("wall.streets")} · ${nameOf("scopes", scope)}` : t("wall.streets"));
  setText(byId("streets-page"), of > 1 ? t("wall.page", { n, of }) : state.sections.boards && !rows.length ? t("wall.none") : "");
  byId("tiles").toggleAttribute("data-roomy", !fires && shown.length <= 2 * COLUMNS);
  patchList(byId("tiles"), shown, (row) => row.value,
    () => h("li", { class: "tile" }, h("span", { class: "tile-name" }), h("span", { class: "tile-line num" }, h("span", { class: "tile-percent" }), h("span", { class: "tile-counts" }))),
    (tile, row) => {
      tile.dataset.verdict = row.verdict;
      tile.classList.toggle("ranged", row.unknown > 0 && row.low !== row.high);
      setText(tile.querySelector(".tile-name"), nameOf("bodies", row.value));
      setText(tile.querySelector(".tile-percent"), percent(row));
      setText(tile.querySelector(".tile-counts"), `${number(row.numerator)} / ${number(row.denominator)}`);
    });
}

function renderFires() {
  const fires = state.sections.fires ?? [];
  const { of, shown } = inTurn(fires, FIRES);
  show(byId("fires"), fires.length > 0);
  byId("rates").dataset.fires = String(Math.min(FIRES, fires.length));
  show(byId("fires-more"), of > 1);
  setText(byId("fires-more"), of > 1 ? t("wall.more", { n: fires.length }) : "");
  patchList(byId("fire-list"), shown, (fire) => `${fire.case_id ?? fire.unit_id}${fire.ended_at ? "-ended" : ""}`,
    (fire) => h("li", { class: fire.ended_at ? "fire ended" : "fire" }, icon(fire.ended_at ? "clock" : KIND_ICON[fire.kind] ?? "fire"),
      h("span", {}, h("strong", { class: "fire-name" }), h("span", { class: "fire-where" })),
      h("span", { class: "fire-when num" }, h("span", { class: "fire-word" }), h("span", { class: "fire-for" }))),
    (item, fire) => {
      const burning = (fire.components ?? []).filter((one) => one.burning);
      const parts = listed((burning.length ? burning : fire.components ?? []).slice(0, 2).map(componentName));
      item.classList.toggle("taken", Boolean(fire.acknowledged_at));
      setText(item.querySelector(".fire-name"), unitName(fire));
      setText(item.querySelector(".fire-where"), [parts, nameOf("bodies", fire.town), addressOf(fire)].filter(Boolean).join(" · "));
      setText(item.querySelector(".fire-word"), fire.ended_at ? t("fire.ended") : t(fire.kind === "fire" ? "fire.title" : `kind.${fire.kind}`));
      setText(item.querySelector(".fire-for"), fire.ended_at ? clock(fire.ended_at) : t(fire.kind === "fire" ? "fire.for" : "alarm.for", { d: span(since(fire.since)) }));
    });
}

function renderHead() {
  setText(byId("district"), named(state.sections.names?.district, "") || t("app.short"));
  setText(byId("clock"), clock(now()));
}

function renderAll() {
  for (const part of [renderHead, renderFires, renderRates, renderStates, renderTiles]) part();
}

fresh.start();
on("names", renderAll);
on("rates", () => { renderRates(); renderTiles(); });
on("tally", renderStates);
on("boards", renderTiles);
on("fires", () => { renderFires(); renderTiles(); });
on("second", () => {
  seconds += 1;
  renderHead();
  renderFires();
  if (seconds % TURN_S === 0) renderTiles();
});
setInterval(() => emit("second"), 1000);
fresh.render();
renderAll();
stream.start();
session.start();
