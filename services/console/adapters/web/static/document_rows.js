// Documents as rows of a list: their state, what they are, of whom, what is due. The inbox and the live page draw them.

import { h, setText } from "./dom.js";
import { state } from "./state.js";
import { listed, stamp, t } from "./text.js";

export const titleOf = (row) => row.titles?.[state.lang] || row.titles?.zh || row.number;
export const nameIn = (pair) => (pair ? (state.lang === "en" && pair.en) || pair.zh : "");

// `handle`: what opens the document, a button or a link.
export function make(handle) {
  return h("li", {},
    h("span", {}),
    h("p", { class: "what" }, handle, h("small", { class: "num" })),
    h("p", { class: "of" }, h("span", {}), h("small", {})),
    h("p", { class: "due num" }, h("span", {}), h("small", {})));
}

export function update(element, row) {
  const [badge, what, unit, due] = element.children;
  element.className = row.is_todo ? "todo" : "";
  badge.className = `badge ${row.state}`;
  setText(badge, t(`document.state.${row.state}`));
  setText(what.children[0], titleOf(row));
  setText(what.children[1], listed([row.number, ...row.undecided.map((kind) => t(`submission.waits.${kind}`))]));
  setText(unit.children[0], nameIn(row.unit_name));
  setText(unit.children[1], t("document.to", { name: nameIn(row.addressee) }));
  const [label, at] = dueOf(row);
  due.className = row.is_overdue ? "due num late" : "due num";
  setText(due.children[0], row.is_overdue ? `${label}${t("document.overdue.mark")}` : label);
  setText(due.children[1], at ? stamp(at) : stamp(row.issued_at));
}

// What is due next of a document, and when; else that it was issued.
function dueOf(row) {
  if (row.state === "issued" && row.receipt_due_at) return [t("document.receipt_due"), row.receipt_due_at];
  if (["issued", "received"].includes(row.state) && row.reply_due_at) return [t("document.reply_due"), row.reply_due_at];
  return [t("document.issued_at"), null];
}
