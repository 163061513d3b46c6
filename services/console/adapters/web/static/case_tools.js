// What stands over the list of cases: which, in what order, narrowed to what; and the turning of pages below it.

import { SORTS, VIEWS, current, pageNumber, turn } from "./case_list.js";
import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { account, choose, on, state } from "./state.js";
import { named, nameOf, number, t } from "./text.js";

const ALARM_STATES = ["unacknowledged", "acknowledged", "returned_unacknowledged", "shelved", "suppressed_by_design", "out_of_service", "normal"];
const KINDS = ["fire", "unreadable_alarm", "unregistered_alarm", "connection_lost", "never_connected", "fault", "isolation", "test_overdue", "runaway_component", "common_cause"];
const SEARCH_MS = 250;
const PAGE = 60;

export function start() {
  on("case_page", render);
  on("view", render);
  byId("case-kind").addEventListener("change", (event) => choose({ kind: event.target.value || null }));
  byId("case-alarm").addEventListener("change", (event) => choose({ alarm: event.target.value || null }));
  byId("case-step").addEventListener("change", (event) => choose({ step: event.target.value || null }));
  byId("case-sort").addEventListener("change", (event) => choose({ sort: event.target.value }));
  const search = byId("case-search");
  let typing = null;
  search.value = state.view.cq;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => choose({ cq: search.value.trim() }), SEARCH_MS);
  });
  byId("case-before").addEventListener("click", () => turn(false));
  byId("case-next").addEventListener("click", () => turn(true));
}

export function render() {
  const views = account.department ? VIEWS.filter((name) => name !== "mine") : VIEWS;
  patchList(byId("case-views"), views, (name) => name,
    (name) => h("button", { type: "button", onclick: () => choose({ cases: name }) }),
    (button, name) => {
      setText(button, t(`cases.view.${name}`));
      button.setAttribute("aria-pressed", String(state.view.cases === name));
    });
  options("case-kind", [["", t("cases.kind.any")], ...KINDS.map((name) => [name, t(`kind.${name}`)])], state.view.kind ?? "");
  options("case-alarm", [["", t("alarm.any")], ...ALARM_STATES.map((name) => [name, t(`alarm.${name}`)])], state.view.alarm ?? "");
  const steps = Object.entries(state.sections.names?.steps ?? {}).map(([code, pair]) => [code, named(pair, code)]);
  options("case-step", [["", t("cases.step.any")], ...steps], state.view.step ?? "");
  options("case-sort", SORTS.map((name) => [name, t(`cases.sort.${name}`)]), state.view.sort);
  byId("case-sort").disabled = state.view.cases === "closed"; // by their end, the latest first
  chips();
  pager();
}

function options(id, pairs, chosen) {
  const select = byId(id);
  if (chosen && !pairs.some(([value]) => value === chosen)) pairs.push([chosen, chosen]);
  patchList(select, pairs, ([value]) => `o-${value}`, ([value]) => h("option", { value }), (option, [, text]) => setText(option, text));
  if (select.value !== chosen) select.value = chosen;
}

// Street and department are chosen on the board, for units and cases alike.
function chips() {
  const chosen = ["town", "department"].filter((name) => state.view[name]);
  show(byId("case-filters"), chosen.length > 0);
  patchList(byId("case-filters"), chosen, (name) => name,
    (name) => h("button", { type: "button", class: "filter", onclick: () => choose({ [name]: null }) }, h("span"), icon("cross")),
    (button, name) => {
      const text = nameOf("bodies", state.view[name]);
      setText(button.firstElementChild, text);
      button.setAttribute("aria-label", t("units.remove", { name: text }));
    });
}

function pager() {
  const page = current();
  const first = Boolean(page) && !state.view.after, last = !page?.next;
  show(byId("case-pages"), Boolean(page) && !(first && last));
  byId("case-before").disabled = !state.view.after;
  byId("case-next").disabled = last;
  if (!page) return;
  const from = (pageNumber() - 1) * PAGE;
  const known = pageNumber() > 1 || !state.view.after;
  setText(byId("case-range"), known ? t("cases.range", { a: number(from + 1), b: number(from + page.rows.length), n: number(page.matching) }) : t("cases.range.of", { n: number(page.matching) }));
}
