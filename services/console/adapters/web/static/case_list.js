// Which page of cases is shown. The first page of what is open comes with the live stream; any other is asked for, and
// anew whenever the stream says that cases have changed.

import { ask } from "./api.js";
import { choose, emit, on, state } from "./state.js";

const REFRESH_MS = 500;
const RETRY_MS = 2000;

let answer = null;
let failed = false;
let last = { whole: null, filters: null };
let generation = 0;
let timer = null;
const behind = []; // the places at which the pages before this one began

export const VIEWS = ["open", "untaken", "mine", "closed"];
export const SORTS = ["pressing", "newest", "oldest"];

function filters() {
  const { view } = state;
  const asked = new URLSearchParams();
  if (view.cases !== "open") asked.set("state", view.cases);
  if (view.sort !== "pressing") asked.set("sort", view.sort);
  for (const name of ["kind", "step", "town", "department"]) if (view[name]) asked.set(name, view[name]);
  if (view.alarm) asked.set("alarm_state", view.alarm);
  if (view.cq) asked.set("q", view.cq);
  return asked;
}

function question() {
  const asked = filters();
  if (state.view.after) asked.set("after", state.view.after);
  return asked.toString();
}

export const isLive = () => question() === "";

// { open, unacknowledged, held, matching, rows, next }, or null before anything came.
export const current = () => (isLive() ? state.sections.cases : answer);
export const hasFailed = () => failed && !isLive();
export const pageNumber = () => behind.length + 1;

export function start() {
  on("cases", () => (isLive() ? emit("case_page") : refreshSoon()));
  on("view", changed);
  document.addEventListener("visibilitychange", () => !document.hidden && refreshSoon());
  changed();
}

// Another question: its pages begin anew, unless the reader has turned one of the same.
function changed() {
  const chosen = filters().toString();
  if (last.filters !== null && chosen !== last.filters && state.view.after) {
    last.filters = chosen;
    choose({ after: null });
    return;
  }
  if (chosen !== last.filters || !state.view.after) behind.length = 0;
  const whole = question();
  const other = whole !== last.whole;
  last = { whole, filters: chosen };
  if (!other) return;
  generation += 1;
  failed = false;
  if (isLive()) emit("case_page");
  else load();
}

export function turn(forward) {
  const page = current();
  if (forward && page?.next) {
    const from = state.view.after;
    const trail = [...behind, from];
    choose({ after: page.next });
    behind.splice(0, behind.length, ...trail);
    emit("case_page");
  } else if (!forward && state.view.after) {
    const trail = [...behind];
    const before = trail.pop() ?? null;
    choose({ after: before });
    behind.splice(0, behind.length, ...trail);
    emit("case_page");
  }
}

function refreshSoon() {
  if (isLive()) return;
  timer ??= setTimeout(() => {
    timer = null;
    if (!document.hidden && !isLive()) load();
  }, REFRESH_MS);
}

// What is shown stays until the new page is here.
async function load() {
  const mine = generation;
  try {
    const found = await ask(`/api/v1/cases?${question()}`);
    if (mine !== generation) return;
    answer = found;
    failed = false;
  } catch {
    if (mine !== generation) return;
    failed = true;
    setTimeout(() => mine === generation && load(), RETRY_MS);
  }
  emit("case_page");
}
