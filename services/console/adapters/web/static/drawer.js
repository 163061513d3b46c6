// Details of a case or a unit, beside the page; the address names it, so it can be shared.

import { ask } from "./api.js";
import { openAcknowledge } from "./acknowledge.js";
import { closesByAcknowledging, rawOf } from "./alarms.js";
import { answerOf, isEndedUntaken } from "./answers.js";
import { byId, h, icon, setText } from "./dom.js";
import { history } from "./history.js";
import { ladder } from "./ladder.js";
import { account, on, state, writeView } from "./state.js";
import { brief, componentName, listed, nameOf, recipientName, span, stamp, t, unitName, until } from "./text.js";
import { KIND_ICON, lineOf, shapeOf, stepName, titleOf } from "./words.js";

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
  if (shown.kind === "case") drawCase(shown.detail);
  else drawUnit(shown.detail);
  box.querySelector(".drawer-body").scrollTop = top;
  if (focused) box.querySelector(`[data-role="${focused}"]`)?.focus();
  tick();
}

function frame(title, ...content) {
  const close = h("button", { type: "button", class: "tool", "aria-label": t("detail.close"), title: t("detail.close"), dataset: { role: "close" }, onclick: () => box.close() }, icon("cross"));
  box.replaceChildren(h("header", { class: "drawer-head" }, h("h2", { id: "drawer-title" }, title), close), h("div", { class: "drawer-body", tabindex: "-1" }, ...content));
}

const section = (title, ...content) => h("section", {}, h("h3", {}, title), ...content);
const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

function drawCase(detail) {
  const row = detail.case;
  const acked = row.acknowledged_at, answer = answerOf(row);
  frame(titleOf(row),
    h("p", { class: `badge-line k-${row.kind}` }, icon(KIND_ICON[row.kind] ?? "fault"), h("b", {}, t(`kind.${row.kind}`)), h("span", { class: "pill" }, t(`detail.state.${row.state}`))),
    h("p", { class: "quiet" }, [nameOf("bodies", row.town), row.address].filter(Boolean).join(" · ")),
    detail.components.length ? section(t(row.kind === "fire" ? "detail.burns" : "detail.components"), components(detail.components, row)) : null,
    row.state === "open" ? nextBlock(row, answer) : isEndedUntaken(row) ? endedBlock(row, answer) : null,
    acked ? h("p", { class: "acked-block" }, icon("normal"), h("span", {}, t("case.acked", { who: row.acknowledged_by, at: stamp(acked) }), row.state === "open" && row.acknowledged_step !== row.step ? t("case.acked.step", { step: row.acknowledged_step }) : "", row.acknowledged_note ? h("q", {}, row.acknowledged_note) : null)) : null,
    row.receipts.length ? section(t("detail.receipts"), receipts(row.receipts)) : null,
    alarm(row),
    detail.signals.length ? section(`${t("detail.signals")} (${detail.signals.length})`, signals(detail.signals)) : null,
    row.plan.length || row.taken.length ? section(t("detail.timeline"), timeline(row)) : null,
    section(`${t("detail.notices")} (${detail.deliveries.length})`, notices(detail.deliveries)),
    detail.documents.length ? section(t("detail.documents"), documents(row, detail.documents)) : null,
    section(t("detail.basis"), facts([
      [t("detail.clause"), detail.clause], [t("detail.route"), detail.route_clause],
      [t("unit.lead"), nameOf("bodies", row.lead_department)], [t("unit.copies"), listed(row.copy_departments.map((code) => nameOf("bodies", code)))],
      [t("detail.effective"), stamp(row.effective_at)], [t("detail.detectedat"), stamp(row.detected_at)], [t("detail.opened"), stamp(row.opened_at)],
      [t("detail.closed"), row.closed_at ? `${stamp(row.closed_at)} ${detail.close_reason ?? ""}` : ""],
      [t("detail.reply"), row.reply_due_at ? stamp(row.reply_due_at) : ""],
      [t("detail.common"), detail.common_case_id], [t("detail.sightings"), String(detail.sightings)],
      [t("detail.pack"), t("detail.pack.value", { id: detail.pack_id, v: detail.pack_version })],
      [t("detail.caseid"), row.case_id], [t("detail.finding"), detail.finding_id],
      [t("detail.evidence"), detail.evidence.map(([name, value]) => `${name} ${value}`).join(" · ")],
    ])));
}

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
    h("li", {}, t("case.signed", { who: nameOf("bodies", one.body_code), at: stamp(one.at) }), h("span", { class: "quiet" }, ` · ${[one.by, one.step].filter(Boolean).join(" · ")}`), one.note ? h("q", {}, one.note) : null)));
}

function answerButton(row, answer) {
  if (!answer.wanted) return null;
  return h("button", { type: "button", class: answer.again ? "ack" : "primary", dataset: { role: "ack" }, onclick: () => openAcknowledge(row) }, t(answer.button));
}

function endedBlock(row, answer) {
  return h("div", { class: "next-block" }, h("p", {}, h("b", {}, t("fire.ended"))), answerButton(row, answer));
}

function nextBlock(row, answer) {
  const rungs = h("ol", { class: "ladder" });
  ladder(rungs, row);
  return h("div", { class: "next-block" }, rungs, h("p", { class: "next-line" }, h("span", { class: "next-text" }), h("b", { class: "num next-left" })), answerButton(row, answer));
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
      who ? h("p", {}, h("span", { class: "label" }, t(done ? "case.told" : "case.willtell"), " "), done && !done.recipients.length && done.nobody ? t("case.nobody", { why: done.nobody }) : who) : null,
      done?.clause || plan?.clause ? h("p", { class: "quiet" }, done?.clause || plan.clause) : null);
  }));
}

function notices(deliveries) {
  if (!deliveries.length) return h("p", { class: "quiet" }, t("detail.notices.none"));
  return h("ul", { class: "notices" }, deliveries.map((row) =>
    h("li", { class: `n-${row.state}` },
      icon({ accepted: "normal", dead: "cross", cancelled: "dash" }[row.state] ?? "clock"),
      h("div", {},
        h("p", {}, h("b", {}, recipientName(row.body_code)), " ", h("span", { class: "pill" }, t(`channel.${row.channel}`)), row.purpose === "all_clear" ? h("span", { class: "pill" }, t("detail.allclear")) : h("span", { class: "pill" }, row.step)),
        h("p", { class: "notice-subject" }, row.subject),
        h("p", { class: "quiet num" }, `${t(`notice.${row.state}`)} · ${stamp(row.ended_at ?? row.created_at)}`, row.attempts > 1 ? ` · ${t("detail.attempts", { n: row.attempts })}` : "", row.reason ? ` · ${row.reason}` : "")))));
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
  const shape = shapeOf(row);
  frame(unitName(row),
    h("p", { class: `badge-line s-${shape}` }, icon(shape), h("b", {}, t(row.partly_connected ? "connection.partly" : `connection.${row.connection}`)), h("span", { class: "pill" }, t(`health.${row.health}`)), row.open_fires + row.open_faults + row.open_isolations ? h("span", { class: "quiet" }, t("unit.points", { a: row.open_fires, b: row.open_faults, c: row.open_isolations })) : null),
    h("p", { class: "quiet num" }, row.connection_since ? t("unit.since", { at: stamp(row.connection_since) }) : "", row.connection_detected_at ? ` · ${t("unit.detected", { at: stamp(row.connection_detected_at) })}` : ""),
    lineOf(row, "unit.unstable") ? h("p", { class: "line-note" }, icon("late"), h("span", {}, lineOf(row, "unit.unstable.why"))) : null,
    section(t("unit.history"), history(detail)),
    section(t("unit.cases"), detail.cases.length ? h("ul", { class: "case-marks" }, detail.cases.map((mark) =>
      h("li", {}, h("button", { type: "button", class: "link", onclick: () => openDrawer({ kind: "case", id: mark.case_id }) }, `${t(`kind.${mark.kind}`)} ${mark.step ?? ""}`), mark.next_step_at ? h("span", { class: "quiet num" }, ` → ${mark.next_step} ${brief(mark.next_step_at)}`) : null, mark.acknowledged_by ? h("span", { class: "quiet" }, ` · ${t("case.acked", { who: mark.acknowledged_by, at: brief(mark.acknowledged_at) })}`) : null))) : h("p", { class: "quiet" }, t("unit.cases.none"))),
    section(t("detail.unit"), facts([
      ["ID", row.unit_id], [t("unit.category"), nameOf("categories", row.category)], [t("unit.town"), `${nameOf("bodies", row.town)} ${row.community}`], [t("unit.address"), row.address],
      [t("unit.lead"), row.routed ? nameOf("bodies", row.lead_department) : t("detail.aside", { what: nameOf("bodies", row.lead_department), note: t("unit.unrouted") })], [t("unit.copies"), listed(row.copy_departments.map((code) => nameOf("bodies", code)))],
      [t("unit.scopes"), row.scopes.join(", ")], [t("unit.proof"), row.last_proof_at ? t("detail.aside", { what: stamp(row.last_proof_at), note: t("unit.proof.note") }) : ""],
    ])));
}

function tick() {
  if (shown?.kind !== "case" || shown.detail.case.state !== "open") return;
  const row = shown.detail.case;
  const text = box.querySelector(".next-text"), left = box.querySelector(".next-left");
  if (!text) return;
  const held = row.held_until && until(row.held_until) > 0;
  const seconds = row.next_step_at ? until(row.next_step_at) : null;
  setText(text, held ? t("case.held", { at: brief(row.held_until) }) : row.next_step ? `${t("case.next")} ${stepName(row, row.next_step)}` : row.plan.length > 1 ? t("case.last") : "");
  setText(left, held || seconds === null ? "" : seconds >= 0 ? t("case.in", { d: span(seconds) }) : t("case.overdue", { d: span(-seconds) }));
}
