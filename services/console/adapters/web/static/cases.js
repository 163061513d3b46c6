// Open cases: what, since when, who was told, what comes next and when, who has taken it.

import { openAcknowledge } from "./acknowledge.js";
import { answerOf, signedBy } from "./answers.js";
import { URGENT } from "./alarms.js";
import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { ladder } from "./ladder.js";
import { on, state } from "./state.js";
import { brief, listed, nameOf, recipientName, since, span, t, until } from "./text.js";
import { KIND_ICON, stepName, titleOf } from "./words.js";

let known = null;

export function start() {
  on("cases", render);
  on("second", tick);
}

export function render() {
  const cases = state.sections.cases;
  if (!cases) return;
  setText(byId("cases-count"), String(cases.open));
  const sub = [cases.unacknowledged ? t("cases.unacked", { n: cases.unacknowledged }) : "", cases.held ? t("cases.held", { n: cases.held }) : ""];
  setText(byId("cases-sub"), sub.filter(Boolean).join(" · "));
  const list = byId("cases");
  const rows = cases.rows.length ? cases.rows : [{ case_id: "none", none: true }];
  patchList(list, rows, (row) => row.case_id, make, update);
  const listed = cases.rows.reduce((sum, row) => sum + 1 + (row.members || 0), 0);
  const rest = Math.max(0, cases.open - listed);
  show(byId("cases-rest"), rest > 0);
  setText(byId("cases-rest"), rest > 0 ? t("cases.rest", { n: rest }) : "");
  announce(cases.rows);
  tick();
}

// Fires speak through their own banner.
function announce(rows) {
  const ids = new Set(rows.map((row) => row.case_id));
  if (known) {
    const fresh = rows.filter((row) => !known.has(row.case_id) && !URGENT.includes(row.kind));
    if (fresh.length) setText(byId("polite"), fresh.slice(0, 3).map((row) => t("case.announce", { kind: t(`kind.${row.kind}`), name: titleOf(row) })).join("; "));
  }
  known = ids;
}

function make(row) {
  if (row.none) return h("li", { class: "empty" }, icon("normal"), h("p", { class: "empty-title" }), h("p", { class: "quiet empty-why" }));
  return h("li", { class: "case" },
    h("span", { class: "case-icon" }, icon(KIND_ICON[row.kind] ?? "fault")),
    h("div", { class: "case-body" },
      h("p", { class: "case-head" }, h("span", { class: "case-kind" }), h("span", { class: "case-since num" })),
      h("button", { type: "button", class: "case-name link", onclick: () => openDrawer({ kind: "case", id: row.case_id }) }),
      h("p", { class: "case-where quiet" }),
      h("ol", { class: "ladder" }),
      h("p", { class: "case-told" }, h("span", { class: "label" }), h("span", { class: "value" }), h("span", { class: "mail" }))),
    h("div", { class: "case-side" },
      h("p", { class: "case-next" }, h("span", { class: "label" }), h("span", { class: "next-step" }), h("b", { class: "next-in num" })),
      h("p", { class: "case-acked" }),
      h("p", { class: "case-signed" }),
      h("button", { type: "button", class: "ack", onclick: (event) => openAcknowledge(event.currentTarget.closest("li").row) })));
}

function update(element, row) {
  if (row.none) {
    setText(element.querySelector(".empty-title"), t("cases.none"));
    setText(element.querySelector(".empty-why"), t("cases.none.why"));
    return;
  }
  element.row = row;
  const part = (name) => element.querySelector(`.${name}`);
  const acked = Boolean(row.acknowledged_at), answer = answerOf(row);
  element.dataset.kind = row.kind;
  element.classList.toggle("acked", answer.done);
  setText(part("case-kind"), t(`kind.${row.kind}`));
  const name = part("case-name");
  setText(name, titleOf(row));
  name.setAttribute("aria-label", t("case.open", { name: titleOf(row) }));
  setText(part("case-where"), where(row));
  ladder(part("ladder"), row);
  tellings(part("case-told"), row);
  setText(part("case-acked"), acked ? t("case.acked", { who: row.acknowledged_by, at: brief(row.acknowledged_at) }) + (row.acknowledged_step !== row.step ? t("case.acked.step", { step: row.acknowledged_step }) : "") : "");
  setText(part("case-signed"), signedBy(row));
  const button = part("ack");
  show(button, answer.wanted);
  button.classList.toggle("primary", !answer.again);
  setText(button, t(answer.button));
  button.setAttribute("aria-label", `${button.textContent}: ${titleOf(row)}`);
}

function where(row) {
  if (row.kind === "common_cause") return t("case.members", { n: row.members });
  const bits = [nameOf("bodies", row.town), nameOf("categories", row.category), nameOf("bodies", row.lead_department)];
  if (row.drops > 1) bits.push(t("case.drops", { n: row.drops }));
  return [...new Set(bits.filter(Boolean))].join(" · ");
}

function tellings(element, row) {
  const names = [...new Set(row.taken.flatMap((step) => step.recipients).map(recipientName))];
  const nobody = row.taken.findLast((step) => step.nobody)?.nobody;
  setText(element.querySelector(".label"), names.length ? t("case.told") : "");
  setText(element.querySelector(".value"), names.length ? listed(names) : nobody ? t("case.nobody", { why: nobody }) : t("case.nottold"));
  const sent = Object.values(row.deliveries).reduce((sum, count) => sum + count, 0);
  const dead = row.deliveries.dead ?? 0;
  const mail = element.querySelector(".mail");
  mail.classList.toggle("bad", dead > 0);
  setText(mail, !sent ? "" : dead ? t("case.mail.failed", { n: dead }) : t("case.mail", { a: row.deliveries.accepted ?? 0, n: sent }));
}

function tick() {
  for (const element of byId("cases").children) {
    const row = element.row;
    if (!row) continue;
    setText(element.querySelector(".case-since"), t("case.since", { d: span(since(row.effective_at)) }));
    next(element.querySelector(".case-next"), row);
  }
}

function next(element, row) {
  const held = row.held_until && until(row.held_until) > 0;
  const left = row.next_step_at ? until(row.next_step_at) : null;
  setText(element.querySelector(".label"), row.next_step && !held ? t("case.next") : "");
  setText(element.querySelector(".next-step"), held ? t("case.held", { at: brief(row.held_until) }) : row.next_step ? stepName(row, row.next_step) : row.plan.length > 1 ? t("case.last") : "");
  setText(element.querySelector(".next-in"), held || left === null ? "" : left >= 0 ? t("case.in", { d: span(left) }) : t("case.overdue", { d: span(-left) }));
  element.classList.toggle("overdue", !held && left !== null && left < -5);
  element.classList.toggle("soon", !held && left !== null && left >= 0 && left < 60);
}
