// Rates by street, department and category, the worst first; a row filters the list of units.

import { account, choose, on, state } from "./state.js";
import { byId, h, patchList, setText } from "./dom.js";
import { nameOf, number, t } from "./text.js";

const DIMENSIONS = ["town", "department", "category"];
const NAMES = { town: "bodies", department: "bodies", category: "categories" };

export function start() {
  on("boards", render);
  on("rates", render);
  on("view", render);
}

function scopes() {
  const rates = Object.values(state.sections.rates ?? {});
  return rates.filter((rate) => rate.denominator > 0 || ["S1", "S2"].includes(rate.scope)).map((rate) => rate.scope).sort();
}

const chosenScope = () => (scopes().includes(state.view.scope) ? state.view.scope : scopes()[0]);

export function render() {
  segment("board-scope", scopes(), chosenScope(), (scope) => scope, (scope) => choose({ scope }));
  const dimensions = DIMENSIONS.filter((name) => !account.department || (state.sections.boards?.[name] ?? []).length);
  const board = dimensions.includes(state.view.board) ? state.view.board : "town";
  segment("board-dimension", dimensions.length ? dimensions : DIMENSIONS, board, (name) => t(`boards.${name}`), (name) => choose({ board: name }));
  const rows = (state.sections.boards?.[board] ?? []).filter((row) => row.scope === chosenScope());
  const known = Boolean(state.sections.boards);
  const shown = rows.length ? rows : [{ value: known ? "none" : "waiting", none: true, known }];
  patchList(byId("boards"), shown, (row) => `${board}-${row.value}`, (row) => make(row, board), (element, row) => update(element, row, board));
}

function segment(id, values, chosen, text, pick) {
  patchList(byId(id), values, (value) => value,
    (value) => h("button", { type: "button", onclick: () => pick(value) }),
    (button, value) => {
      setText(button, text(value));
      button.setAttribute("aria-pressed", String(value === chosen));
    });
}

function make(row, board) {
  if (row.none) return h("li", { class: "empty" }, h("p", { class: "quiet" }));
  const pick = () => choose({ [board]: state.view[board] === row.value ? null : row.value });
  return h("li", {}, h("button", { type: "button", class: "board-row", onclick: pick },
    h("span", { class: "board-name" }),
    h("span", { class: "board-counts num quiet" }),
    h("span", { class: "board-percent num" }),
    h("span", { class: "board-bar", "aria-hidden": "true" }, h("i", { class: "ok" }), h("i", { class: "maybe" }), h("i", { class: "gap" }))));
}

function update(element, row, board) {
  if (row.none) {
    setText(element.querySelector(".quiet"), t(row.known ? "boards.none" : "rate.waiting"));
    return;
  }
  const part = (name) => element.querySelector(`.${name}`);
  setText(part("board-name"), nameOf(NAMES[board], row.value));
  setText(part("board-counts"), `${number(row.numerator)} / ${number(row.denominator)}`);
  const range = row.unknown > 0 && row.low !== row.high;
  setText(part("board-percent"), range ? `${row.low} – ${row.high} %` : `${row.low} %`);
  part("ok").style.flexGrow = String(row.numerator);
  part("maybe").style.flexGrow = String(row.unknown);
  part("gap").style.flexGrow = String(row.denominator - row.numerator_high);
  element.dataset.verdict = row.verdict;
  element.firstElementChild.setAttribute("aria-pressed", String(state.view[board] === row.value));
}
