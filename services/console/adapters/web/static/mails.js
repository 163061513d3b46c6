// Mails that came as answers: what waits, one with its text and files, joined to a document, taken or refused by a person.
// Whatever a mail says is set as text; no page of it is ever shown.

import { ask, newestOf, order, worded } from "./api.js";
import { byId, h, icon, patchList, say, setText, show } from "./dom.js";
import { listWithDrawer } from "./list_drawer.js";
import { has, number, recipientName, stamp, t } from "./text.js";

const PAGE = 50;
const MAX = 200; // rows in one answer
const CALM_MS = 15000;

const query = new URLSearchParams(location.search);
const view = { all: query.get("list") === "all", id: query.get("id"), limit: PAGE };
let page = { waiting: 0, rows: [], more: false };
let timer = null;
let opener = null;
let shown = null;

const sender = (one) => [one.sender_name, one.sender && `<${one.sender}>`].filter(Boolean).join(" ");
const subject = (one) => one.subject || t("mails.no_subject");
const why = (codes) => codes.split(" ").map((code) => {
  const [name, n] = code.split(":");
  return has(`mails.why.${name}`) ? t(`mails.why.${name}`, { n }) : code;
}).join(" · ");

function remember() {
  const wanted = new URLSearchParams();
  if (view.all) wanted.set("list", "all");
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
  if (await fetched(`/api/v1/mails?everything=${view.all}&limit=${view.limit}`)) timer = setTimeout(load, CALM_MS);
}

function draw() {
  byId("sorts").replaceChildren(...[false, true].map((all) =>
    h("button", { type: "button", "aria-pressed": String(view.all === all), onclick: () => choose(all) }, t(all ? "mails.all" : "mails.waiting"))));
  setText(byId("total"), number(page.waiting));
  patchList(byId("rows"), page.rows, (row) => row.mail_id, make, update);
  show(byId("empty"), page.rows.length === 0);
  show(byId("more"), page.more && view.limit < MAX);
}

function choose(all) {
  Object.assign(view, { all, limit: PAGE });
  remember();
  load();
}

function make(row) {
  return h("li", {},
    h("span", {}),
    h("p", { class: "what" }, h("button", { type: "button", class: "link", onclick: () => open(row.mail_id) }), h("small", {})),
    h("p", { class: "of" }, h("span", {}), h("small", {})),
    h("p", { class: "due num" }, h("span", {}), h("small", {})));
}

function update(element, row) {
  const [badge, what, about, at] = element.children;
  element.className = row.state === "waiting" ? "todo" : "";
  badge.className = `badge ${row.state === "waiting" ? "submitted" : row.state}`;
  setText(badge, t(`mails.state.${row.state}`));
  setText(what.children[0], subject(row));
  setText(what.children[1], sender(row));
  setText(about.children[0], row.number ?? t(`mails.sort.${row.sort}`));
  setText(about.children[1], row.files ? t("mails.files", { n: row.files }) : "");
  setText(at.children[0], stamp(row.at));
}

// --- one of them

async function open(id) {
  opener = document.activeElement;
  try {
    shown = await ask(`/api/v1/mails/${encodeURIComponent(id)}`);
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

const base = () => `/api/v1/mails/${encodeURIComponent(shown.mail_id)}`;

function sheet(done = "") {
  const one = shown;
  const facts = [
    [t("mails.sender"), sender(one)], [t("mails.at"), stamp(one.at)], [t("mails.sort"), t(`mails.sort.${one.sort}`)],
    [t("document.number"), one.number], [t("mails.why"), one.reason && why(one.reason)],
  ];
  byId("drawer").replaceChildren(
    h("header", { class: "drawer-head" }, h("h2", { id: "drawer-title" }, subject(one)),
      h("button", { type: "button", class: "tool", "aria-label": t("detail.close"), title: t("detail.close"), dataset: { role: "close" }, onclick: () => byId("drawer").close() }, icon("cross"))),
    h("div", { class: "drawer-body", tabindex: "-1" },
      done ? h("p", { class: "said", role: "status" }, done) : null,
      h("p", {}, h("span", { class: "badge" }, t(`mails.state.${one.state}`))),
      h("p", { class: "quiet" }, t("mails.proves_nothing")),
      h("dl", { class: "facts" }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      one.document_id ? h("p", {}, h("a", { class: "ack", href: `/documents?id=${encodeURIComponent(one.document_id)}` }, t("mails.document"))) : null,
      h("div", { class: "paper", tabindex: "0", role: "region", "aria-label": t("mails.text") }, one.text || t("mails.no_text")),
      one.files.length ? h("section", {}, h("h3", {}, t("mails.attached")), one.files.map((file) =>
        h("p", {}, h("a", { href: `${base()}/files/${file.place}`, download: file.name }, file.name), " ", h("span", { class: "quiet num" }, `${number(Math.ceil(file.size / 1024))} KiB`)))) : null,
      one.state === "waiting" ? [taking(one), refusing()] : null,
      one.state !== "taken" && ["reply", "unknown", "automatic"].includes(one.sort) ? joining(one) : null,
      one.acts.length ? h("section", {}, h("h3", {}, t("mails.acts")), h("ul", {}, one.acts.map((act) =>
        h("li", {}, `${stamp(act.at)} · ${act.by} · ${t(`mails.act.${act.act}`)}`, act.party ? ` · ${recipientName(act.party)}` : "", act.reason ? h("q", {}, act.reason) : "")))) : null));
}

const field = (id, key, input) => [h("label", { for: id }, t(key)), input];

function taking(one) {
  const party = h("select", { id: "mail-party", name: "party", required: true }, one.parties.map((code) => h("option", { value: code }, recipientName(code))));
  return h("form", { class: "act", onsubmit: (event) => act(event, t("mails.taken.done"), () => order(`${base()}/take`, { party: party.value, document_id: one.document_id })) },
    h("p", { class: "quiet" }, t("mails.take.what")), field("mail-party", "mails.party", party),
    h("button", { class: "primary", type: "submit" }, t("mails.take")));
}

function refusing() {
  const reason = h("input", { id: "mail-reason", name: "reason", required: true, maxlength: "500", autocomplete: "off" });
  return h("form", { class: "act", onsubmit: (event) => act(event, t("mails.refused.done"), () => order(`${base()}/refuse`, { reason: reason.value, seen: shown.acts.length })) },
    field("mail-reason", "mails.reason", reason), h("button", { class: "ack", type: "submit" }, t("mails.refuse")));
}

function joining(one) {
  const name = h("input", { id: "mail-document", name: "document", required: true, maxlength: "100", autocomplete: "off" });
  return h("form", { class: "act", onsubmit: (event) => act(event, t("mails.joined.done"), () => order(`${base()}/join`, { document: name.value, seen: shown.acts.length })) },
    field("mail-document", one.document_id ? "mails.join.other" : "mails.join.number", name), h("button", { class: "ack", type: "submit" }, t("mails.join")));
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
