// The inbox: documents for the one who is signed in, one of them with its text, and what can be done to it.

import { ask, newestOf, order, worded } from "./api.js";
import { make, nameIn, titleOf, update } from "./document_rows.js";
import { byId, h, icon, patchList, say, setText, show } from "./dom.js";
import { listWithDrawer } from "./list_drawer.js";
import { account, state } from "./state.js";
import { number, recipientName, stamp, t } from "./text.js";

const PAGE = 50;
const MAX = 200; // rows in one answer
const CALM_MS = 15000;
const UPLOAD_MS = 150_000;
const SORTS = account.department ? ["all", "todo", "overdue"] : ["all", "undecided", "overdue"];

const query = new URLSearchParams(location.search);
const view = { only: SORTS.includes(query.get("only")) ? query.get("only") : "all", id: query.get("id"), limit: PAGE };
let page = { counts: {}, rows: [] };
let timer = null;
let opener = null;
let shown = null;

function remember() {
  const wanted = new URLSearchParams();
  if (view.only !== "all") wanted.set("only", view.only);
  if (view.id) wanted.set("id", view.id);
  const text = wanted.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

const fetched = newestOf(
  (answer) => {
    page = answer;
    draw();
  },
  (error) => say(worded(error), true),
);

async function load() {
  clearTimeout(timer);
  if (await fetched(`/api/v1/documents?only=${view.only}&limit=${view.limit}`)) timer = setTimeout(load, CALM_MS);
}

function draw() {
  byId("sorts").replaceChildren(...SORTS.map((name) =>
    h("button", { type: "button", "aria-pressed": String(view.only === name), onclick: () => sortBy(name) }, `${t(`documents.only.${name}`)} ${number(page.counts[name] ?? 0)}`)));
  setText(byId("total"), number(page.counts.all ?? 0));
  patchList(byId("rows"), page.rows, (row) => row.document_id, rowOf, update);
  show(byId("empty"), page.rows.length === 0);
  show(byId("more"), page.rows.length < Math.min(page.counts[view.only] ?? 0, MAX));
}

const rowOf = (row) => make(h("button", { type: "button", class: "link", onclick: () => open(row.document_id) }));

function sortBy(name) {
  Object.assign(view, { only: name, limit: PAGE });
  remember();
  load();
}

// --- one of them

async function open(id) {
  opener = document.activeElement;
  try {
    shown = await ask(`/api/v1/documents/${encodeURIComponent(id)}`);
  } catch (error) {
    say(worded(error), true);
    return;
  }
  view.id = id;
  remember();
  sheet();
  if (!byId("drawer").open) byId("drawer").show();
  byId("drawer").querySelector("[data-role=close]").focus();
}

const base = () => `/api/v1/documents/${encodeURIComponent(shown.document_id)}`;

function sheet(done = "") {
  const one = shown;
  const text = one.texts.find((each) => each.language === state.lang) ?? one.texts.find((each) => each.language === "zh");
  const facts = [
    [t("document.number"), one.number], [t("document.unit"), nameIn(one.unit_name)], [t("document.issuer"), nameIn(one.issuer_name)],
    [t("document.addressee"), nameIn(one.addressee)], [t("document.issued_at"), stamp(one.issued_at)],
    [t("document.receipt_due"), one.receipt_due_at && stamp(one.receipt_due_at)], [t("document.reply_due"), one.reply_due_at && stamp(one.reply_due_at)],
  ];
  byId("drawer").replaceChildren(
    h("header", { class: "drawer-head" }, h("h2", { id: "drawer-title" }, titleOf(one)),
      h("button", { type: "button", class: "tool", "aria-label": t("detail.close"), title: t("detail.close"), dataset: { role: "close" }, onclick: () => byId("drawer").close() }, icon("cross"))),
    h("div", { class: "drawer-body", tabindex: "-1" },
      done ? h("p", { class: "said", role: "status" }, done) : null,
      h("p", {}, h("span", { class: `badge ${one.state}` }, t(`document.state.${one.state}`)), one.is_overdue ? h("b", { class: "late" }, ` ${t("document.overdue")}`) : null),
      h("dl", { class: "facts" }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", { class: "num" }, value)])),
      h("p", {}, h("a", { class: "ack", href: `${base()}/paper?lang=${state.lang}`, target: "_blank", rel: "noopener" }, t("document.paper")), " ",
        one.case_id.startsWith("circular-") ? h("a", { class: "ack", href: "/evaluation" }, t("evaluation.title")) : h("a", { class: "ack", href: `/?case=${encodeURIComponent(one.case_id)}` }, t("document.case"))),
      h("div", { class: "paper", tabindex: "0", role: "region", "aria-label": t("document.text"), lang: text?.language === "en" ? "en" : "zh-CN" }, text?.text ?? ""),
      receipts(one), submissions(one), one.may.reply ? submission(one, "reply") : null,
      one.may.appeal ? h("section", {}, h("details", {}, h("summary", {}, t("submission.new.appeal")), submission(one, "appeal"))) : null,
      recipients(one)));
}

function receipts(one) {
  const signed = one.receipts.map((each) => h("p", {}, t("document.signed", { party: recipientName(each.party), name: each.name, at: stamp(each.at) })));
  if (!one.may.sign && !signed.length) return h("section", {}, h("h3", {}, t("document.receipt")), h("p", { class: "quiet" }, t("document.unsigned")));
  return h("section", {}, h("h3", {}, t("document.receipt")), signed, one.may.sign ? signing() : null);
}

function signing() {
  return h("form", { class: "act", onsubmit: (event) => act(event, t("document.signed.done"), (form) => order(`${base()}/sign`, { name: form.elements.name.value })) },
    h("p", { class: "quiet" }, t("document.sign.what")),
    field("sign-name", "document.name", h("input", { id: "sign-name", name: "name", required: true, maxlength: "60", autocomplete: "name" })),
    h("button", { class: "primary", type: "submit" }, t("document.sign")));
}

const field = (id, key, input) => [h("label", { for: id }, t(key)), input];

function submissions(one) {
  if (!one.submissions.length) return null;
  return h("section", {}, h("h3", {}, t("document.submissions")), one.submissions.map((each) =>
    h("article", { class: "submission" },
      h("h3", {}, t(`submission.kind.${each.kind}`), h("span", { class: `badge ${each.state}` }, t(`submission.state.${each.state}`))),
      h("p", { class: "quiet" }, `${recipientName(each.party)} · ${each.name} · ${stamp(each.at)}`),
      h("p", { class: "lines" }, each.text),
      each.measures ? h("p", { class: "lines" }, h("b", {}, t("submission.measures")), " ", each.measures) : null,
      each.done_by ? h("p", {}, h("b", {}, t("submission.done_by")), " ", h("span", { class: "num" }, each.done_by)) : null,
      each.attachments.map((file) => h("p", {}, h("a", { href: `${base()}/files/${file.sha256}`, download: file.name }, file.name), " ", h("span", { class: "quiet num" }, `${number(Math.ceil(file.size / 1024))} KiB`))),
      each.decided_at ? h("p", { class: "quiet" }, t("submission.decided", { by: each.decided_by, at: stamp(each.decided_at) })) : null,
      each.reasons ? h("p", { class: "lines reasons" }, h("b", {}, t("submission.reasons")), " ", each.reasons) : null,
      each.kind === "appeal" && each.state === "upheld" && account.role === "brigade" ? h("p", {}, h("a", { class: "correct", href: correction(one, each) }, t("submission.correct"))) : null,
      each.state === "submitted" && account.role === "brigade" ? deciding(each) : null)));
}

// Whoever upheld an appeal asks for the correction; another person approves it.
function correction(one, appeal) {
  const asked = new URLSearchParams({ what: "correction", unit: one.unit_id, evidence: t("submission.evidence", { number: one.number ?? "", id: appeal.submission_id }) });
  return `/adjustments?${asked}`;
}

function deciding(one) {
  const id = `reasons-${one.submission_id}`;
  const [good, bad] = one.kind === "reply" ? ["accepted", "returned"] : ["upheld", "dismissed"];
  const reasons = h("textarea", { id, name: "reasons", rows: "3", maxlength: "4000" });
  const decide = (verdict) => (event) => act(event, t(`submission.done.${verdict}`), () => order(`${base()}/submissions/${encodeURIComponent(one.submission_id)}/decision`, { verdict, reasons: reasons.value }));
  return h("form", { class: "act", onsubmit: (event) => event.preventDefault() },
    field(id, "submission.reasons.new", reasons),
    h("div", { class: "choices" },
      h("button", { type: "button", class: "primary", onclick: decide(good) }, t(`submission.verdict.${good}`)),
      h("button", { type: "button", class: "ack", onclick: decide(bad) }, t(`submission.verdict.${bad}`))));
}

function submission(one, kind) {
  const send = (form) => {
    const body = new FormData(form);
    body.set("kind", kind);
    body.set("seen", String(one.seen));
    return ask(`${base()}/submissions`, { method: "POST", headers: { "X-CSRF-Token": account.csrf }, body, patience: UPLOAD_MS });
  };
  const form = h("form", { class: "act", onsubmit: (event) => act(event, t(`submission.sent.${kind}`), send) },
    h("p", { class: "quiet" }, t(`submission.what.${kind}`)),
    field(`${kind}-text`, `submission.text.${kind}`, h("textarea", { id: `${kind}-text`, name: "text", rows: "4", required: true, maxlength: "4000" })),
    kind === "reply" ? [
      field("reply-measures", "submission.measures", h("textarea", { id: "reply-measures", name: "measures", rows: "3", maxlength: "4000" })),
      field("reply-done", "submission.done_by", h("input", { id: "reply-done", name: "done_by", type: "date" })),
    ].flat() : null,
    field(`${kind}-files`, "submission.files", h("input", { id: `${kind}-files`, name: "files", type: "file", multiple: true, accept: ".pdf,.jpg,.jpeg,.png,.docx,.xlsx" })),
    h("p", { class: "quiet" }, t("submission.files.what")),
    field(`${kind}-name`, "document.name", h("input", { id: `${kind}-name`, name: "name", required: true, maxlength: "60", autocomplete: "name" })),
    h("button", { class: "primary", type: "submit" }, t(`submission.send.${kind}`)));
  return kind === "reply" ? h("section", {}, h("h3", {}, t("submission.new.reply")), form) : form;
}

function recipients(one) {
  if (!one.recipients.length) return null;
  const revoke = (contact) => (event) => act(event, t("link.revoked.done"), () => order(`${base()}/links/${encodeURIComponent(contact)}/revoke`, {}));
  return h("section", {}, h("details", {}, h("summary", {}, t("link.recipients")), h("ul", { class: "recipients" }, one.recipients.map((each) =>
    h("li", {}, h("span", {}, recipientName(each.party)), h("span", { class: "quiet" }, each.is_addressee ? t("party.addressee") : t("party.copy")), h("span", { class: "quiet num" }, each.contact_id),
      each.revoked_at ? h("span", { class: "quiet" }, t("link.revoked", { at: stamp(each.revoked_at) }))
        : h("button", { type: "button", class: "ack", onclick: revoke(each.contact_id) }, t("link.revoke")))))));
}

const { act, start } = listWithDrawer({
  view, step: PAGE, most: MAX, draw, sheet, remember, load, open,
  shown: () => shown,
  take: (row) => {
    shown = row;
  },
  opener: () => opener,
});
await start();
