// Cases that the reader has ticked, to be answered together. What burns is taken by itself, and is never among them.

import { URGENT } from "./alarms.js";
import { openAcknowledge } from "./acknowledge.js";
import { answerOf } from "./answers.js";
import { current } from "./case_list.js";
import { byId, setText, show } from "./dom.js";
import { emit, on } from "./state.js";
import { t } from "./text.js";

export const MAX = 100;
const chosen = new Set();

export const mayChoose = (row) => !URGENT.includes(row.kind) && answerOf(row).wanted;
export const isChosen = (row) => chosen.has(row.case_id);
export const chosenRows = () => (current()?.rows ?? []).filter((row) => chosen.has(row.case_id) && mayChoose(row));
const free = () => (current()?.rows ?? []).filter(mayChoose);

export function start() {
  on("case_page", render);
  byId("bulk-all").addEventListener("change", (event) => {
    chosen.clear();
    if (event.target.checked) for (const row of free().slice(0, MAX)) chosen.add(row.case_id);
    emit("case_page");
  });
  byId("bulk-ack").addEventListener("click", () => chosenRows().length && openAcknowledge(chosenRows()));
}

export function toggle(row) {
  if (!mayChoose(row)) return;
  if (!chosen.delete(row.case_id)) chosen.add(row.case_id);
  emit("case_page");
}

// What has left the page is chosen no more: nobody answers what he does not see.
export function render() {
  const rows = chosenRows(), open = free();
  const kept = new Set(rows.map((row) => row.case_id));
  for (const id of chosen) if (!kept.has(id)) chosen.delete(id);
  show(byId("bulk"), open.length > 1);
  const all = byId("bulk-all");
  all.checked = rows.length > 0 && rows.length === Math.min(open.length, MAX);
  all.indeterminate = rows.length > 0 && !all.checked;
  show(byId("bulk-ack"), rows.length > 0);
  setText(byId("bulk-ack"), t("bulk.ack", { n: rows.length }));
}
