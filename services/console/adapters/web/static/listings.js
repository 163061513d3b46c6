// Listings for supervision: which there are, one with its history, and what the reader may do with it.
// What may follow on what the server says (`next`), and what this reader may do at all (`may`).

import { ask, newestOf, order, worded } from "./api.js";
import { byId, h, icon, patchList, say, setText, show } from "./dom.js";
import { listWithDrawer } from "./list_drawer.js";
import { account, state } from "./state.js";
import { number, recipientName, span, stamp, t, unitName } from "./text.js";

const PAGE = 50;
const MAX = 200; // rows in one answer
const CALM_MS = 15000;
const UPLOAD_MS = 40000;
const SORTS = { active: ["proposed", "listed", "recheck", "approval"], proposed: ["proposed"], listed: ["listed", "recheck", "approval"], overdue: [], ended: ["closed", "declined", "withdrawn"] };
const LEVELS = ["district", "city", "province"];

const query = new URLSearchParams(location.search);
const view = { sort: query.get("list") in SORTS ? query.get("list") : "active", town: query.get("town"), department: query.get("department"), id: query.get("id"), limit: PAGE };
let page = { rows: [], more: false, may: [], bridges: {} };
let timer = null;
let opener = null;
let shown = null;

function remember() {
  const wanted = new URLSearchParams();
  if (view.sort !== "active") wanted.set("list", view.sort);
  for (const name of ["town", "department", "id"]) if (view[name]) wanted.set(name, view[name]);
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
  const wanted = new URLSearchParams({ limit: view.limit, overdue: view.sort === "overdue" });
  for (const one of SORTS[view.sort]) wanted.append("state", one);
  for (const name of ["town", "department"]) if (view[name]) wanted.set(name, view[name]);
  if (await fetched(`/api/v1/listings?${wanted}`)) timer = setTimeout(load, CALM_MS);
}

function draw() {
  byId("sorts").replaceChildren(...Object.keys(SORTS).map((sort) =>
    h("button", { type: "button", "aria-pressed": String(view.sort === sort), onclick: () => choose({ sort }) }, t(`listings.sort.${sort}`))));
  drawBridge();
  drawFilters();
  patchList(byId("rows"), page.rows, (row) => row.listing_id, make, update);
  show(byId("empty"), page.rows.length === 0);
  show(byId("more"), page.more && view.limit < MAX);
}

function drawBridge() {
  const bridges = Object.values(page.bridges ?? {});
  const said = bridges.filter(Boolean).flatMap((one) => Object.entries(one.lasted_s).map(([kind, seconds]) => `${t(`kind.${kind}`)} ${span(seconds)}`));
  setText(byId("bridge"), said.length ? t("listings.bridge", { what: said.join(" · ") }) : t("listings.no_bridge"));
}

function drawFilters() {
  if (account.department || byId("filters").contains(document.activeElement)) return;
  const bodies = Object.keys(state.sections.names?.bodies ?? {});
  const choice = (name) => {
    const codes = [...new Set([...bodies, ...(view[name] ? [view[name]] : [])])];
    return h("select", { "aria-label": t(`listings.filter.${name}`), onchange: (event) => choose({ [name]: event.target.value || null }) },
      h("option", { value: "" }, t(`listings.filter.${name}`)), codes.map((code) => h("option", { value: code, selected: view[name] === code }, recipientName(code))));
  };
  byId("filters").replaceChildren(choice("town"), " ", choice("department"));
}

function choose(change) {
  Object.assign(view, change, { limit: PAGE });
  remember();
  load();
}

function make(row) {
  return h("li", {},
    h("span", {}),
    h("p", { class: "what" }, h("button", { type: "button", class: "link", onclick: () => open(row.listing_id) }), h("small", {})),
    h("p", { class: "of" }, h("span", {}), h("small", {})),
    h("p", { class: "due num" }, h("span", {}), h("small", {})));
}

function update(element, row) {
  const [badge, what, about, at] = element.children;
  element.className = row.overdue ? "overdue" : row.ended_at ? "" : "todo";
  badge.className = `badge ${row.overdue ? "overdue" : row.ended_at ? "closed" : "submitted"}`;
  setText(badge, t(`listings.state.${row.state}`));
  setText(what.children[0], unitName(row));
  setText(what.children[1], t(`kind.${row.kind}`));
  setText(about.children[0], row.document || t("listings.proposed", { at: stamp(row.proposed_at) }));
  setText(about.children[1], row.lead_department ? recipientName(row.lead_department) : recipientName(row.town));
  setText(at.children[0], row.deadline ?? "");
  setText(at.children[1], row.overdue ? t("listings.overdue") : row.cured_at ? t("listings.cured.short") : "");
}

// --- one of them

const base = () => `/api/v1/listings/${encodeURIComponent(shown.listing_id)}`;

async function open(id) {
  opener = document.activeElement;
  try {
    shown = await ask(`/api/v1/listings/${encodeURIComponent(id)}`);
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

const who = (by) => (by === "ladder" ? t("listings.by_ladder") : by);

function sheet(done = "") {
  const one = shown;
  const facts = [
    [t("listings.proposed_by"), `${who(one.proposed_by)} · ${stamp(one.proposed_at)}`], [t("listings.reason"), one.reason],
    [t("listings.level"), one.level && t(`listings.level.${one.level}`)], [t("listings.document"), one.document], [t("listings.listed_on"), one.listed_on],
    [t("listings.deadline"), one.deadline && `${one.deadline}${one.overdue ? ` · ${t("listings.overdue")}` : ""}`],
    [t("listings.extension"), one.extension && t("listings.extension.asked", { until: one.extension.until, by: one.extension.by, reason: one.extension.reason })],
    [t("listings.trouble"), one.cured_at ? t("listings.cured", { at: stamp(one.cured_at) }) : one.closed_at ? t("listings.cured", { at: stamp(one.closed_at) }) : t("listings.stands")],
    [t("listings.recheck"), one.recheck && t("listings.recheck.passed", { inspector: one.recheck.inspector, on: one.recheck.on, by: one.recheck.by })],
    [t("listings.approved_by"), one.approved_by],
  ];
  const acts = one.next.filter((act) => one.may.includes(act)).map((act) => [act, hindered(one, act)]).filter(([, reason]) => reason !== "not_now");
  byId("drawer").replaceChildren(
    h("header", { class: "drawer-head" }, h("h2", { id: "drawer-title" }, unitName(one)),
      h("button", { type: "button", class: "tool", "aria-label": t("detail.close"), title: t("detail.close"), dataset: { role: "close" }, onclick: () => byId("drawer").close() }, icon("cross"))),
    h("div", { class: "drawer-body", tabindex: "-1" },
      done ? h("p", { class: "said", role: "status" }, done) : null,
      h("p", {}, h("span", { class: "badge" }, t(`listings.state.${one.state}`)), " ", t(`kind.${one.kind}`)),
      h("dl", { class: "facts" }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      h("p", {}, h("a", { class: "ack", href: `/?case=${encodeURIComponent(one.case_id)}` }, t("listings.case"))),
      one.evidence_files.length ? h("section", {}, h("h3", {}, t("listings.evidence")), one.evidence_files.map((file) =>
        h("p", {}, h("a", { href: `${base()}/files/${file.sha256}`, download: file.name }, file.name), " ", h("span", { class: "quiet num" }, `${number(Math.ceil(file.size / 1024))} KiB`),
          file.source ? h("small", {}, " ", t("listings.source", { source: file.source })) : null))) : null,
      acts.flatMap(([name, reason]) => (reason ? refused(name, reason) : name === "hand_in" ? [evidence(), replies()] : form(name))),
      h("section", {}, h("h3", {}, t("listings.acts")), h("ul", {}, one.acts.map((act) => h("li", {}, `${stamp(act.at)} · ${who(act.by)} · ${t(`listings.did.${act.act}`)}`, said(act.detail)))))));
}

// What the server would refuse for sure, and why: to anybody, as it says itself, or to who did the other half.
function hindered(one, act) {
  const other = act.endsWith("_closure") ? one.recheck : act === "grant_extension" || act === "refuse_extension" ? one.extension : null;
  return one.hindered?.[act] ?? (other && other.by === account.username ? "same_person" : null);
}

// In place of its form: a button that is refused says nothing, and a form that is missing neither.
function refused(name, reason) {
  return h("section", { class: "refused", dataset: { refused: name } }, h("h3", {}, t(`listings.act.${name}`)), h("p", { class: "quiet" }, t(`listings.hindered.${reason}`)));
}

function said(detail) {
  const words = [detail.text, detail.reason, detail.document, detail.inspector, detail.on, detail.until ?? detail.asked_until, ...(detail.files ?? [])].filter(Boolean);
  return words.length ? h("q", {}, words.join(" · ")) : "";
}

const field = (id, key, input) => [h("label", { for: id }, t(key)), input];
const input = (act, name, more) => h("input", { id: `${act}-${name}`, name, autocomplete: "off", ...more });
const INPUTS = {
  text: (act) => field(`${act}-text`, "listings.text", input(act, "text", { required: true, maxlength: "1000" })),
  level: (act) => field(`${act}-level`, "listings.level", h("select", { id: `${act}-level`, name: "level" }, LEVELS.map((one) => h("option", { value: one }, t(`listings.level.${one}`))))),
  number: (act) => field(`${act}-number`, "listings.document", input(act, "number", { required: true, maxlength: "100" })),
  on: (act) => field(`${act}-on`, act === "list" ? "listings.listed_on" : "listings.on", input(act, "on", { type: "date", required: true })),
  until: (act) => field(`${act}-until`, act === "list" ? "listings.deadline" : "listings.extension.until", input(act, "until", { type: "date", required: true })),
  inspector: (act) => field(`${act}-inspector`, "listings.inspector", input(act, "inspector", { required: true, maxlength: "60" })),
};
const FIELDS = {
  list: ["level", "number", "on", "until"], decline: ["text"], withdraw: ["text"], ask_extension: ["until", "text"], grant_extension: [], refuse_extension: ["text"],
  pass_recheck: ["inspector", "on"], fail_recheck: ["inspector", "on", "text"], approve_closure: [], refuse_closure: ["text"],
};

const acted = (event, send) => act(event, t("listings.done"), async (element) => {
  await send(element);
  return ask(base());
});

function form(name) {
  const send = (element) => order(`${base()}/acts`, { act: name, revision: shown.revision, ...Object.fromEntries(new FormData(element)) });
  return h("form", { class: "act", dataset: { act: name }, onsubmit: (event) => acted(event, send) },
    h("h3", {}, t(`listings.act.${name}`)), FIELDS[name].flatMap((one) => INPUTS[one](name)),
    h("button", { class: ["list", "pass_recheck", "approve_closure"].includes(name) ? "primary" : "ack", type: "submit" }, t(`listings.act.${name}`)));
}

function evidence() {
  const send = (element) => ask(`${base()}/evidence?revision=${shown.revision}`, { method: "POST", headers: { "X-CSRF-Token": account.csrf }, body: new FormData(element), patience: UPLOAD_MS });
  return h("form", { class: "act", dataset: { act: "hand_in" }, onsubmit: (event) => acted(event, send) },
    h("h3", {}, t("listings.act.hand_in")), h("p", { class: "quiet" }, t("listings.evidence.what")),
    field("evidence-text", "listings.text", h("input", { id: "evidence-text", name: "text", maxlength: "1000", autocomplete: "off" })),
    field("evidence-files", "submission.files", h("input", { id: "evidence-files", name: "files", type: "file", multiple: true, required: true, accept: ".pdf,.jpg,.jpeg,.png,.docx,.xlsx" })),
    h("button", { class: "primary", type: "submit" }, t("listings.act.hand_in")));
}

// What was answered to letters of the case is evidence too: its files are taken over as they are, with one click.
function replies() {
  const rows = h("div", {});
  const taking = (reply) => {
    const send = () => order(`${base()}/evidence/reply`, { revision: shown.revision, submission_id: reply.submission_id }, UPLOAD_MS);
    return h("form", { class: "act", dataset: { reply: reply.submission_id }, onsubmit: (event) => acted(event, send) },
      h("p", {}, `${reply.number} · ${recipientName(reply.party)} · ${stamp(reply.at)} · ${t(`submission.state.${reply.state}`)}`),
      h("p", { class: "quiet" }, reply.files.map((file) => file.name).join(" · ")),
      h("button", { class: "ack", type: "submit" }, t("listings.take_over")));
  };
  ask(`${base()}/replies`).then(
    (found) => rows.replaceChildren(...(found.rows.length ? found.rows.map(taking) : [h("p", { class: "quiet" }, t("listings.replies.none"))])),
    (error) => rows.replaceChildren(h("p", { class: "quiet" }, worded(error))),
  );
  return h("section", { dataset: { role: "replies" } }, h("h3", {}, t("listings.replies")), rows);
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
