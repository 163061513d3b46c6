// Cases: what, since when, who was told, what comes next and when, who has taken it.

import { openAcknowledge } from "./acknowledge.js";
import { answerOf, signedBy } from "./answers.js";
import { URGENT } from "./alarms.js";
import { isChosen, mayChoose, toggle } from "./case_choice.js";
import { current, hasFailed, isLive } from "./case_list.js";
import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { ladder } from "./ladder.js";
import { account, on, state } from "./state.js";
import { brief, listed, nameOf, recipientName, since, span, t, until } from "./text.js";
import { foundBy, KIND_ICON, stepName, titleOf, whyNobody } from "./words.js";

let known = null;

export function start() {
  on("case_page", render);
  on("second", tick);
}

export function render() {
  const counts = state.sections.cases, cases = current();
  if (counts) totals(counts);
  show(byId("cases-rest"), hasFailed());
  setText(byId("cases-rest"), hasFailed() ? t("units.failed") : "");
  if (!cases) return;
  const list = byId("cases");
  const rows = cases.rows.length ? cases.rows : [{ case_id: "none", none: true }];
  patchList(list, rows, (row) => row.case_id, make, update);
  if (isLive()) announce(cases.rows);
  tick();
}

function totals(cases) {
  setText(byId("cases-count"), String(cases.open));
  const sub = [cases.unacknowledged ? t("cases.unacked", { n: cases.unacknowledged }) : "", cases.held ? t("cases.held", { n: cases.held }) : "", cases.shelved ? t("cases.shelved", { n: cases.shelved }) : "", cases.returned ? t("cases.returned", { n: cases.returned }) : ""];
  setText(byId("cases-sub"), sub.filter(Boolean).join(" · "));
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
    h("span", { class: "case-icon" }, icon(KIND_ICON[row.kind] ?? "fault"), h("input", { type: "checkbox", class: "case-choice", onchange: (event) => toggle(event.currentTarget.closest("li").row) })),
    h("div", { class: "case-body" },
      h("p", { class: "case-head" }, h("span", { class: "case-kind" }), h("span", { class: "case-since num" }), h("span", { class: "case-alarm pill" }), h("span", { class: "case-drops" })),
      h("button", { type: "button", class: "case-name link", onclick: () => openDrawer({ kind: "case", id: row.case_id }) }),
      h("p", { class: "case-where quiet" }),
      h("div", { class: "case-stage" }, h("ol", { class: "ladder" }), h("span", { class: "stage-name" })),
      h("p", { class: "case-told" }, h("span", { class: "label" }), h("span", { class: "value" }), h("span", { class: "mail" }))),
    h("div", { class: "case-side" },
      h("p", { class: "case-next" }, h("span", { class: "label" }), h("span", { class: "next-step" }), h("b", { class: "next-in num" })),
      h("p", { class: "case-owner" }),
      h("p", { class: "case-acked" }),
      h("p", { class: "case-found" }),
      h("p", { class: "case-signed" }),
      h("button", { type: "button", class: "ack", onclick: (event) => openAcknowledge([event.currentTarget.closest("li").row]) })));
}

function update(element, row) {
  if (row.none) {
    setText(element.querySelector(".empty-title"), t(isLive() ? "cases.none" : "cases.none.match"));
    setText(element.querySelector(".empty-why"), isLive() ? t("cases.none.why") : "");
    return;
  }
  element.row = row;
  const part = (name) => element.querySelector(`.${name}`);
  const acked = Boolean(row.acknowledged_at), answer = answerOf(row);
  element.dataset.kind = row.kind;
  element.classList.toggle("acked", answer.done);
  setText(part("case-kind"), t(`kind.${row.kind}`));
  setText(part("case-alarm"), t(`alarm.${row.alarm_state}`));
  const name = part("case-name");
  setText(name, titleOf(row));
  name.setAttribute("aria-label", t("case.open", { name: titleOf(row) }));
  setText(part("case-drops"), row.drops > 1 ? t("case.drops", { n: row.drops }) : "");
  setText(part("case-where"), where(row));
  ladder(part("ladder"), row);
  setText(part("stage-name"), row.plan.length > 1 && row.step ? stepName(row, row.step) : "");
  tellings(part("case-told"), row);
  setText(part("case-acked"), acked ? t("case.acked", { who: nameOf("people", row.acknowledged_by), at: brief(row.acknowledged_at) }) + (row.acknowledged_step !== row.step ? t("case.acked.step", { step: stepName(row, row.acknowledged_step) }) : "") : "");
  setText(part("case-found"), row.verified ? foundBy(row.verified) : "");
  setText(part("case-signed"), signedBy(row));
  setText(part("case-owner"), ownerOf(row));
  const choice = part("case-choice");
  show(choice, mayChoose(row));
  choice.checked = isChosen(row);
  choice.setAttribute("aria-label", t("bulk.choose", { name: titleOf(row) }));
  element.classList.toggle("closed", row.state === "closed");
  const button = part("ack");
  show(button, answer.wanted);
  button.classList.toggle("primary", !answer.again);
  setText(button, t(answer.button));
  button.setAttribute("aria-label", `${button.textContent}: ${titleOf(row)}`);
}

export function ownerOf(row) {
  if (!row.owner) return "";
  return row.owner.account === account.username ? t("work.mine", { at: brief(row.owner.until) }) : t("work.owner", { who: nameOf("people", row.owner.name) });
}

function where(row) {
  if (row.kind === "common_cause") return t("case.members", { n: row.members });
  const bits = [nameOf("bodies", row.town), nameOf("categories", row.category), nameOf("bodies", row.lead_department)];
  return [...new Set(bits.filter(Boolean))].join(" · ");
}

function tellings(element, row) {
  const names = [...new Set(row.taken.flatMap((step) => step.recipients).map(recipientName))];
  const nobody = row.taken.findLast((step) => step.nobody)?.nobody;
  setText(element.querySelector(".label"), names.length ? t("case.told") : "");
  setText(element.querySelector(".value"), names.length ? listed(names) : nobody ? t("case.nobody", { why: whyNobody(nobody) }) : t("case.nottold"));
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
    setText(element.querySelector(".case-since"), row.closed_at ? t("case.closed", { from: brief(row.effective_at), to: brief(row.closed_at) }) : t("case.since", { d: span(since(row.effective_at)) }));
    next(element.querySelector(".case-next"), row);
  }
}

function next(element, row) {
  if (row.state === "closed") {
    for (const part of element.children) setText(part, "");
    return;
  }
  const held = row.held_until && until(row.held_until) > 0;
  const left = row.next_step_at ? until(row.next_step_at) : null;
  setText(element.querySelector(".label"), row.next_step && !held ? t("case.next") : "");
  setText(element.querySelector(".next-step"), held ? t("case.held", { at: brief(row.held_until) }) : row.next_step ? stepName(row, row.next_step) : row.plan.length > 1 ? t("case.last") : "");
  const counts = !held && left !== null && !state.lost; // a clock of which no news can come would count down to nothing
  setText(element.querySelector(".next-in"), held || left === null ? "" : state.lost ? brief(row.next_step_at) : left >= 0 ? t("case.in", { d: span(left) }) : t("case.overdue", { d: span(-left) }));
  element.classList.toggle("overdue", counts && left < -5);
  element.classList.toggle("soon", counts && left >= 0 && left < 60);
}
