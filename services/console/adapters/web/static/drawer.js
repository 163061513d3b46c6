// Details of a case or a unit, beside the page; the address names it, so it can be shared.

import { ask } from "./api.js";
import { openAcknowledge } from "./acknowledge.js";
import { URGENT, closesByAcknowledging, rawOf } from "./alarms.js";
import { answerOf, isEndedUntaken } from "./answers.js";
import { byId, h, icon, setText } from "./dom.js";
import { history, outages } from "./history.js";
import { ladder } from "./ladder.js";
import { account, on, state, writeView } from "./state.js";
import { addressOf, brief, componentName, has, listed, nameOf, now, recipientName, since, span, stamp, t, unitName, until } from "./text.js";
import { phoneList } from "./phones.js";
import { clauses } from "./clauses.js";
import { listing } from "./listing_line.js";
import { comments, ownership, queue, verification } from "./case_work.js";
import { foundBy, KIND_ICON, lineOf, shapeOf, stepName, titleOf, whyNobody } from "./words.js";

const box = byId("drawer");
let target = null;
let shown = null;
let generation = 0;
let opener = null;
let later = 0;

// The console gives equal questions one answer for a quarter of a second: it may be that of before the change.
const SHARED_MS = 400;

function changed() {
  refresh();
  clearTimeout(later);
  later = setTimeout(refresh, SHARED_MS);
}

export function start() {
  on("cases", changed);
  on("tally", changed);
  on("fires", changed); // a closed case that is acknowledged leaves the banner and no list
  on("second", tick);
  document.addEventListener("visibilitychange", refresh);
  box.addEventListener("close", () => {
    target = null;
    shown = null;
    state.view.open = null;
    writeView();
    if (opener?.isConnected) opener.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && box.open) box.close();
  });
}

export function openDrawer(wanted) {
  target = wanted;
  shown = null;
  state.view.open = wanted;
  writeView();
  frame(t(`detail.${wanted.kind}`), h("p", { class: "quiet" }, t("detail.loading")));
  if (!box.open) {
    opener = document.activeElement;
    // Not modal: a modal dialog would make the fire banner mute and dead.
    box.show();
  }
  box.querySelector("[data-role=close]").focus();
  refresh();
}

export const open = openDrawer;

export function render() {
  if (shown) draw();
}

async function refresh() {
  if (!target || document.hidden) return; // as with the list of units: read when it is seen
  const mine = (generation += 1);
  const wanted = target;
  try {
    const detail = await ask(`/api/v1/${wanted.kind}s/${encodeURIComponent(wanted.id)}`);
    if (mine !== generation || wanted !== target) return;
    const text = JSON.stringify(detail);
    if (shown?.text === text) return;
    shown = { kind: wanted.kind, detail, text };
    draw();
  } catch (error) {
    if (mine === generation && wanted === target && !shown) frame(t("detail.failed"), h("p", { class: "box-problem" }, t(`error.${error.code ?? "internal"}`)));
  }
}

function draw() {
  const top = box.querySelector(".drawer-body")?.scrollTop ?? 0;
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset?.role : null;
  const drafts = [...box.querySelectorAll("[data-draft]")].map((field) => [field.dataset.draft, field.value, field.selectionStart, field.selectionEnd]);
  const opened = new Set([...box.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
  if (shown.kind === "case") drawCase(shown.detail);
  else drawUnit(shown.detail);
  // What the reader is writing, and has opened to read, stays.
  for (const [name, value, from, to] of drafts) {
    const field = box.querySelector(`[data-draft="${name}"]`);
    if (!field || !value) continue;
    field.value = value;
    field.setSelectionRange?.(from, to); // a choice has none
  }
  for (const summary of box.querySelectorAll("summary")) if (opened.has(summary.textContent)) summary.parentElement.open = true;
  box.querySelector(".drawer-body").scrollTop = top;
  if (focused) box.querySelector(`[data-role="${focused}"]`)?.focus();
  tick();
}

function frame(title, ...content) {
  const close = h("button", { type: "button", class: "tool", "aria-label": t("detail.close"), title: t("detail.close"), dataset: { role: "close" }, onclick: () => box.close() }, icon("cross"));
  const print = h("button", { type: "button", class: "tool with-word", dataset: { role: "print" }, onclick: () => window.print() }, t(shown?.kind === "case" && shown.detail.case.kind === "fire" ? "detail.print.fire" : "detail.print"));
  const sheet = h("p", { class: "print-only" }, [shown?.detail.case?.kind === "fire" ? t("detail.sheet") : "", t("detail.printed", { at: stamp(now()) })].filter(Boolean).join(" · "));
  box.replaceChildren(h("div", { class: "drawer-head" }, sheet, h("h2", { id: "drawer-title" }, title), h("span", { class: "drawer-tools" }, shown ? print : null, close)), h("div", { class: "drawer-body", tabindex: "-1" }, ...content));
}

const section = (title, ...content) => h("section", {}, h("h3", {}, title), ...content);
const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

function drawCase(detail) {
  const row = detail.case;
  const acked = row.acknowledged_at, answer = answerOf(row);
  frame(titleOf(row),
    h("p", { class: `badge-line k-${row.kind}` }, icon(KIND_ICON[row.kind] ?? "fault"), h("b", {}, t(`kind.${row.kind}`)), h("span", { class: "pill" }, t(`detail.state.${row.state}`)), h("span", { class: "pill" }, t(`alarm.${row.alarm_state}`)), row.verified ? h("span", { class: "pill" }, foundBy(row.verified)) : null),
    h("p", { class: "quiet" }, [nameOf("bodies", row.town), addressOf(row)].filter(Boolean).join(" · ")),
    row.kind === "fire" ? h("p", { class: "since-line" }, `${t("detail.alarm.at")} `, h("b", { class: "num" }, stamp(row.effective_at)), row.state === "open" ? h("span", { class: "lasts num quiet" }) : null) : null,
    detail.telephones.length ? section(t("phones.title"), phoneList(detail.telephones)) : row.unit_id && !account.department ? h("p", { class: "quiet" }, t("phones.none")) : null,
    detail.components.length ? section(t(row.kind === "fire" ? "detail.burns" : "detail.components"), components(detail.components, row), corroboration(detail.components, row)) : null,
    row.unit_id && URGENT.includes(row.kind) ? section(t("detail.premises"), h("p", {}, listed([nameOf("categories", row.category), ...detail.premises.map((name) => t(`premises.${name}`))]))) : null,
    row.state === "open" ? nextBlock(row, answer) : isEndedUntaken(row) ? endedBlock(row, answer) : null,
    listing(row),
    ownership(row, changed),
    queue(row, detail.common_case_id ? [] : (state.sections.cases?.rows ?? []).filter((one) => one.kind === "common_cause" && one.state === "open"), changed),
    URGENT.includes(row.kind) && verification(detail, changed) ? h("section", { class: detail.verifications.length ? "" : "no-print" }, h("h3", {}, t("verify.title")), verification(detail, changed)) : null,
    row.kind === "fire" ? plan(row) : null,
    acked ? h("p", { class: "acked-block" }, icon("normal"), h("span", {}, t("case.acked", { who: nameOf("people", row.acknowledged_by), at: stamp(acked) }), row.state === "open" && row.acknowledged_step !== row.step ? t("case.acked.step", { step: stepName(row, row.acknowledged_step) }) : "", row.acknowledged_note ? h("q", {}, row.acknowledged_note) : null)) : null,
    row.receipts.length ? section(t("detail.receipts"), receipts(row.receipts)) : null,
    alarm(row),
    detail.signals.length ? section(`${t("detail.signals")} (${detail.signals.length})`, signals(detail.signals)) : null,
    row.kind === "fire" ? null : plan(row),
    section(`${t("comments.title")} (${detail.comments.length})`, comments(detail, changed)),
    section(`${t("detail.notices")} (${detail.deliveries.length})`, notices(detail.deliveries, row)),
    detail.documents.length ? section(t("detail.documents"), documents(row, detail.documents)) : null,
    section(t("detail.basis"), facts([
      [t("detail.clause"), clauses(detail.clause)], [t("detail.route"), clauses(detail.route_clause)],
      [t("unit.lead"), nameOf("bodies", row.lead_department)], [t("unit.copies"), listed(row.copy_departments.map((code) => nameOf("bodies", code)))],
      [t("detail.effective"), stamp(row.effective_at)], [t("detail.detectedat"), stamp(row.detected_at)], [t("detail.opened"), stamp(row.opened_at)],
      [t("detail.closed"), row.closed_at ? `${stamp(row.closed_at)} ${detail.close_reason ? closedBy(detail.close_reason) : ""}` : ""],
      [t("detail.reply"), row.reply_due_at ? stamp(row.reply_due_at) : ""],
      [t("detail.common"), detail.common_case_id], [t("detail.sightings"), String(detail.sightings)],
      [t("detail.pack"), t("detail.pack.value", { id: nameOf("packs", detail.pack_id), v: detail.pack_version })],
      [t("detail.caseid"), row.case_id], [t("detail.finding"), detail.finding_id],
      [t("detail.evidence"), detail.evidence.map(([name, value]) => `${name} ${value}`).join(" · ")],
    ])));
}

const plan = (row) => (row.plan.length || row.taken.length ? section(t(row.kind === "fire" ? "detail.plan" : "detail.timeline"), timeline(row)) : null);

// What a person has to do about an alarm that may be a fire, and where what came is kept.
function alarm(row) {
  if (!closesByAcknowledging(row)) return null;
  const raw = rawOf(row);
  return h("div", { class: "look-block" }, h("p", {}, t(`look.${row.kind}`)), raw ? h("p", {}, h("a", { href: raw }, t("detail.raw.all"))) : null);
}

// In the order of what burns first; of a case that is over nothing burns.
function components(found, row) {
  return h("ul", { class: "components" }, found.map((one) =>
    h("li", { class: one.burning ? "burning" : "" },
      icon(one.burning ? KIND_ICON[row.kind] ?? "fault" : "normal"), h("b", {}, componentName(one)), h("span", { class: "num quiet" }, stamp(one.since)),
      row.kind === "fire" && !one.burning ? h("span", { class: "pill" }, t("component.over")) : null)));
}

// Whether more than one component says so, now.
function corroboration(found, row) {
  const burning = found.filter((one) => one.burning).length;
  if (row.kind !== "fire" || !burning) return null;
  return h("p", { class: "quiet" }, burning > 1 ? t("detail.burning.many", { n: burning }) : t("detail.burning.one"));
}

function signals(received) {
  return h("ul", { class: "signals" }, received.map((one) =>
    h("li", { class: one.salvaged || one.refusal_id ? "odd" : "" },
      h("p", {}, h("span", { class: "num quiet" }, stamp(one.received_at)), " ", h("b", {}, [one.label, one.address].filter(Boolean).join(" · ") || one.gateway_id), one.salvaged ? h("span", { class: "pill salvaged" }, t("signal.salvaged")) : null),
      one.text ? h("p", { class: "signal-text" }, one.text) : null,
      one.salvaged ? h("p", { class: "quiet" }, t("signal.salvaged.why"), one.notes.length ? ` ${t("signal.notes", { notes: listed(one.notes) })}` : "") : null,
      one.refusal_id && !account.department ? h("p", {}, h("a", { href: `/refusals?refusal=${encodeURIComponent(one.refusal_id)}` }, t("detail.raw"))) : null)));
}

function receipts(given) {
  return h("ul", { class: "receipts" }, given.map((one) =>
    h("li", {}, t("case.signed", { who: nameOf("bodies", one.body_code), at: stamp(one.at) }), h("span", { class: "quiet" }, ` · ${[one.by && nameOf("people", one.by), stepName({ plan: [] }, one.step)].filter(Boolean).join(" · ")}`), one.note ? h("q", {}, one.note) : null)));
}

function answerButton(row, answer) {
  if (!answer.wanted) return null;
  return h("button", { type: "button", class: answer.again ? "ack" : "primary", dataset: { role: "ack" }, onclick: () => openAcknowledge([row]) }, t(answer.button));
}

function endedBlock(row, answer) {
  return h("div", { class: "next-block" }, h("p", {}, h("b", {}, t(row.kind === "fire" ? "fire.ended" : "case.ended"))), answerButton(row, answer));
}

function nextBlock(row, answer) {
  const answered = answerButton(row, answer);
  if (!answered && !row.next_step && row.plan.length < 2 && !row.held_until) return null; // nothing to come, nothing to do
  const rungs = h("ol", { class: "ladder" });
  ladder(rungs, row);
  return h("div", { class: "next-block" }, rungs, h("p", { class: "next-line" }, h("span", { class: "next-text" }), h("b", { class: "num next-left" })), answered);
}

function timeline(row) {
  const taken = new Map(row.taken.map((step) => [step.step, step]));
  const planned = new Map(row.plan.map((step) => [step.code, step]));
  const codes = [...row.plan.map((step) => step.code), ...[...taken.keys()].filter((code) => !planned.has(code))];
  return h("ol", { class: "timeline" }, codes.map((code) => {
    const done = taken.get(code), plan = planned.get(code);
    const stage = done ? (code === row.step ? "now" : "done") : "todo";
    const who = listed((done?.recipients ?? plan?.tells ?? []).map(recipientName));
    return h("li", { class: stage },
      h("p", { class: "step-name" }, h("b", {}, stepName(row, code)), h("span", { class: "sr-only" }, t(`step.${stage}`))),
      h("p", { class: "num" }, done ? t("detail.taken", { at: stamp(done.taken_at) }) : code === row.next_step && row.next_step_at ? t("detail.due", { at: stamp(row.next_step_at) }) : t("step.todo")),
      who ? h("p", {}, h("span", { class: "label" }, t(done ? "case.told" : "case.willtell"), " "), done && !done.recipients.length && done.nobody ? t("case.nobody", { why: whyNobody(done.nobody) }) : who) : null,
      done?.clause || plan?.clause ? clauses(done?.clause || plan.clause) : null);
  }));
}

const closedBy = (code) => (has(`closed.${code}`) ? t(`closed.${code}`) : code);
const reasonOf = (code) => (has(`reason.${code}`) ? t(`reason.${code}`) : code);

// Somebody of a unit is told by his part in it, not by the unit's id.
const reader = (one, row) => (one.body_code === row.unit_id && one.role ? `${unitName(row)} · ${t(`phones.${one.role}`)}` : recipientName(one.body_code));

function notices(deliveries, row) {
  if (!deliveries.length) return h("p", { class: "quiet" }, t("detail.notices.none"));
  return h("ul", { class: "notices" }, deliveries.map((one) =>
    h("li", { class: `n-${one.state}` },
      icon({ accepted: "normal", dead: "cross", cancelled: "dash" }[one.state] ?? "clock"),
      h("div", {},
        h("p", {}, h("b", {}, reader(one, row)), " ", h("span", { class: "pill" }, t(`channel.${one.channel}`)), h("span", { class: "pill" }, one.purpose === "all_clear" ? t("detail.allclear") : stepName(row, one.step))),
        h("p", { class: "notice-subject" }, one.subject),
        h("p", { class: "quiet num" }, `${t(`notice.${one.state}`)} · ${stamp(one.ended_at ?? one.created_at)}`, one.attempts > 1 ? ` · ${t("detail.attempts", { n: one.attempts })}` : "", one.reason ? ` · ${reasonOf(one.reason)}` : ""),
        one.proof ? h("p", { class: "quiet num", dataset: { proof: one.proof } }, t("proof.line", { proof: t(`proof.${one.proof}`), at: stamp(one.proven_at), by: has(`proof.by.${one.proven_by}`) ? t(`proof.by.${one.proven_by}`) : t(`channel.${one.proven_by}`) })) : null))));
}

// What is printed opens in a page of its own, what is written on is kept.
function documents(row, found) {
  const at = (one, file) => `/api/v1/cases/${encodeURIComponent(row.case_id)}/documents/${encodeURIComponent(one.document_id)}/${file}`;
  return h("ul", { class: "notices" }, found.map((one) =>
    h("li", {},
      h("div", {},
        h("p", {}, h("b", { class: "num" }, one.number || t("document.draft"))),
        h("p", { class: "notice-subject" }, one.title),
        h("p", {}, one.files.length ? one.files.map((file) => h("a", { href: at(one, file), target: "_blank", rel: "noopener", class: "file" }, t(`document.${file}`))) : h("span", { class: "quiet" }, t("document.none")))))));
}

function drawUnit(detail) {
  const row = detail.unit;
  const shape = shapeOf(row), connection = t(row.partly_connected ? "connection.partly" : `connection.${row.connection}`);
  frame(unitName(row),
    h("p", { class: `badge-line s-${shape}` }, icon(shape), h("b", {}, shape === "fire" ? t("health.fire") : connection), h("span", { class: "pill" }, shape === "fire" ? connection : t(`health.${row.health}`)), row.open_fires + row.open_faults + row.open_isolations ? h("span", { class: "quiet" }, t("unit.points", { a: row.open_fires, b: row.open_faults, c: row.open_isolations })) : null),
    h("p", { class: "quiet num" }, row.connection_since ? t("unit.since", { at: stamp(row.connection_since) }) : "", row.connection_detected_at ? ` · ${t("unit.detected", { at: stamp(row.connection_detected_at) })}` : ""),
    lineOf(row, "unit.unstable") ? h("p", { class: "line-note" }, icon("late"), h("span", {}, lineOf(row, "unit.unstable.why"))) : null,
    detail.telephones.length ? section(t("phones.title"), phoneList(detail.telephones)) : account.department ? null : h("p", { class: "quiet" }, t("phones.none")),
    section(t("unit.history"), history(detail)),
    section(t("unit.outages"), outages(detail.outages)),
    section(t("unit.cases"), detail.cases.length ? h("ul", { class: "case-marks" }, detail.cases.map((mark) =>
      h("li", {}, h("button", { type: "button", class: "link", onclick: () => openDrawer({ kind: "case", id: mark.case_id }) }, `${t(`kind.${mark.kind}`)} ${stepName({ plan: [] }, mark.step)}`), mark.next_step_at ? h("span", { class: "quiet num" }, ` → ${stepName({ plan: [] }, mark.next_step)} ${brief(mark.next_step_at)}`) : null, mark.acknowledged_by ? h("span", { class: "quiet" }, ` · ${t("case.acked", { who: nameOf("people", mark.acknowledged_by), at: brief(mark.acknowledged_at) })}`) : null))) : h("p", { class: "quiet" }, t("unit.cases.none"))),
    section(t("detail.unit"), facts([
      ["ID", row.unit_id], [t("unit.category"), nameOf("categories", row.category)], [t("unit.town"), `${nameOf("bodies", row.town)} ${row.community}`], [t("unit.address"), addressOf(row)],
      [t("unit.lead"), row.routed ? nameOf("bodies", row.lead_department) : t("detail.aside", { what: nameOf("bodies", row.lead_department), note: t("unit.unrouted") })], [t("unit.copies"), listed(row.copy_departments.map((code) => nameOf("bodies", code)))],
      [t("unit.scopes"), listed(row.scopes.map((code) => nameOf("all_scopes", code)))], [t("unit.proof"), row.last_proof_at ? t("detail.aside", { what: stamp(row.last_proof_at), note: t("unit.proof.note") }) : ""],
    ])));
}

function tick() {
  if (shown?.kind !== "case" || shown.detail.case.state !== "open") return;
  const row = shown.detail.case, lasts = box.querySelector(".lasts");
  if (lasts) setText(lasts, ` ${t("detail.lasts")} ${span(since(row.effective_at))}`);
  const text = box.querySelector(".next-text"), left = box.querySelector(".next-left");
  if (!text) return;
  const held = row.held_until && until(row.held_until) > 0;
  const seconds = row.next_step_at ? until(row.next_step_at) : null;
  setText(text, held ? t("case.held", { at: brief(row.held_until) }) : row.next_step ? `${t("case.next")} ${stepName(row, row.next_step)}` : row.plan.length > 1 ? t("case.last") : "");
  setText(left, held || seconds === null ? "" : seconds >= 0 ? t("case.in", { d: span(seconds) }) : t("case.overdue", { d: span(-seconds) }));
}
