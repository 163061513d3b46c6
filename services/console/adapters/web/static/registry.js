// The register: find an entity and see all its versions, propose a change by a form or a file, decide about proposals.

import { Refused, ask, newestOf, order, worded } from "./api.js";
import { byId, h, patchList, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { account, on, state } from "./state.js";
import { listed, nameOf as codeName, number, stamp, t } from "./text.js";
import * as whatIf from "./what_if.js";

const API = "/api/v1/registry";
const PAGE = 50;
const MAX = 200; // rows in one answer
const SLOW_MS = 120000; // a file of twenty thousand rows is tried in that time
const MAX_FILE = 4 * 1024 * 1024;
const KINDS = ["unit", "gateway", "contact", "department"];
const WORKS = ["brigade", "centre"].includes(account.role);
const PROPOSES = WORKS && !account.administers;
const TABS = WORKS ? [...KINDS, "pack", "proposals"] : KINDS;
const STATES = ["requested", "approved", "rejected", "withdrawn", ""];
const NAMED = { category: "categories", town: "bodies", body_code: "bodies", lead_department: "bodies", copy_departments: "bodies", also_told: "bodies" };
const ROUTE = ["lead_department", "copy_departments", "routed", "route_clause"];

const query = new URLSearchParams(location.search);
const view = {
  tab: TABS.includes(query.get("tab")) ? query.get("tab") : "unit",
  id: query.get("id") ?? "", q: query.get("q") ?? "", state: query.get("state") ?? "requested", limit: PAGE,
};
const columns = {}; // by kind: what a form of it asks
let page = { total: 0, rows: [] };
let entity = null;
let form = null; // what the form is about: { kind, id, columns } or { file: true }
let seen = null; // what the box is about: { handed } or { proposal }

const minute = (instant) => stamp(instant).slice(0, 16);
const complain = (error) => say(worded(error), true);
const said = (pair) => pair[state.lang === "zh" ? 0 : 1];
const kindName = (kind) => t(`registry.kind.${kind}`);
const nameOf = (facts) => (state.lang === "en" && facts.name_en) || facts.name || (state.lang === "en" ? facts.name_en : facts.name_zh) || facts.name_zh || "";
const button = (text, onclick, primary) => h("button", { type: "button", class: primary ? "primary" : "ack", onclick }, text);
const patient = (path, body) => order(path, body, SLOW_MS);

function keep() {
  const wanted = new URLSearchParams({ tab: view.tab });
  if (view.id) wanted.set("id", view.id);
  if (view.q) wanted.set("q", view.q);
  if (view.tab === "proposals" && view.state !== "requested") wanted.set("state", view.state);
  history.replaceState(null, "", `?${wanted}`);
}

// --- the list

const fetched = newestOf((answer) => {
  page = { total: answer.total ?? answer.rows.length, rows: answer.rows, waiting: answer.waiting };
  draw();
}, complain);

async function load() {
  await fetched(listPath());
}

function listPath() {
  if (view.tab === "pack") return `${API}/packs`;
  const wanted = new URLSearchParams({ limit: String(view.limit) });
  if (view.tab === "proposals") {
    if (view.state) wanted.set("state", view.state);
    return `${API}/proposals?${wanted}`;
  }
  if (view.q) wanted.set("q", view.q);
  return `${API}/entities/${view.tab}?${wanted}`;
}

function draw() {
  const isKind = KINDS.includes(view.tab);
  byId("tabs").replaceChildren(...TABS.map((name) => h("button", { type: "button", "aria-pressed": String(view.tab === name), dataset: { tab: name }, onclick: () => turnTo(name) }, kindName(name))));
  setText(byId("list-name"), kindName(view.tab));
  setText(byId("total"), page.total ? number(page.total) : "");
  show(byId("search"), isKind);
  byId("states").replaceChildren(...(view.tab === "proposals" ? STATES : []).map((name) =>
    h("button", { type: "button", "aria-pressed": String(view.state === name), onclick: () => filterBy(name) }, t(name ? `adjustments.state.${name}` : "adjustments.state.any"))));
  show(byId("states"), view.tab === "proposals");
  drawTools(isKind);
  patchList(byId("rows"), page.rows, keyOf, makeRow, updateRow);
  show(byId("empty"), page.rows.length === 0);
  show(byId("more"), page.rows.length < Math.min(page.total, MAX));
}

function drawTools(isKind) {
  if (!WORKS) return;
  const exported = (form) => h("a", { class: "ack", href: `${API}/export/${view.tab}.${form}?lang=${state.lang}`, download: "" }, t("registry.export", { form: form.toUpperCase() }));
  const added = PROPOSES && isKind ? [button(t("registry.new"), () => openForm(view.tab, ""))] : [];
  const uploaded = PROPOSES && view.tab !== "proposals" ? [button(t("registry.upload"), openUpload)] : [];
  const supposed = whatIf.supposes && view.tab === "pack" ? [button(t("what_if.file"), () => whatIf.openWhatIf({ file: true }))] : [];
  byId("tools").replaceChildren(...added, ...uploaded, ...supposed, ...(isKind ? [exported("xlsx"), exported("csv")] : []));
}

const keyOf = (row) => row.proposal_id ?? (row.pack_id ? `${row.pack_id} ${row.version} ${row.valid_from} ${row.recorded_at}` : `${view.tab} ${row.id}`);

const makeRow = () => h("li", { class: "adjustment" }, h("div", {}, h("p", { class: "what" }), h("p", {}), h("small", {})), h("div", { class: "acts" }));

function updateRow(element, row) {
  const [text, acts] = element.children;
  const [what, middle, small] = text.children;
  if (row.proposal_id) return updateProposal(element, row);
  if (row.pack_id) {
    what.replaceChildren(h("b", {}, `${row.pack_id} · ${t("registry.version", { n: row.version })}`));
    setText(middle, t("registry.since", { day: row.valid_from }));
    setText(small, t("registry.recorded", { at: minute(row.recorded_at), by: row.by ?? "—" }));
    const former = page.rows.filter((one) => one.pack_id === row.pack_id && one.version < row.version).map((one) => one.version);
    acts.replaceChildren(
      h("a", { class: "ack", href: `${API}/packs/${row.pack_id}/${row.version}`, download: "" }, t("registry.download")),
      ...(whatIf.supposes ? [button(t("what_if.ask"), () => whatIf.openWhatIf({ label: `${row.pack_id} ${row.version}`, body: { pack_id: row.pack_id, version: row.version } }))] : []),
      ...(former.length ? [button(t("registry.compare", { n: Math.max(...former) }), () => compare(row, Math.max(...former)))] : []));
    return;
  }
  what.replaceChildren(h("button", { type: "button", class: "link", dataset: { entity: row.id }, onclick: () => open(view.tab, row.id) }, h("b", {}, listed([nameOf(row.facts), row.id].filter(Boolean)))));
  setText(middle, [row.facts.unit_id !== row.id && row.facts.unit_id, ...["body_code", "category", "town"].map((name) => wordOf(view.tab, name, row.facts[name])), row.facts.address].filter(Boolean).join(" · "));
  setText(small, listed([row.facts.retired_on && t("registry.retired", { day: row.facts.retired_on }), t("registry.since", { day: row.valid_from })].filter(Boolean)));
  element.setAttribute("aria-current", String(entity?.id === row.id && entity?.kind === view.tab));
}

function turnTo(name) {
  Object.assign(view, { tab: name, id: "", q: "", limit: PAGE });
  byId("search").value = "";
  close();
  keep();
  draw();
  load();
}

function filterBy(name) {
  Object.assign(view, { state: name, limit: PAGE });
  keep();
  load();
}

// --- one entity

// What the fields of a kind are called; a pack has paths.
async function learn(kind) {
  if (KINDS.includes(kind)) columns[kind] ??= (await ask(`${API}/forms/${kind}`)).columns;
}

async function open(kind, id) {
  try {
    entity = await ask(`${API}/entities/${kind}/${encodeURIComponent(id)}`);
    await learn(kind);
    view.id = id;
    if (view.tab !== kind) Object.assign(view, { tab: kind, q: "" });
    keep();
    show(byId("work"), false);
    drawEntity();
    draw();
    byId("detail").focus();
  } catch (error) {
    complain(error);
  }
}

function close() {
  entity = null;
  form = null;
  view.id = "";
  show(byId("detail"), false);
  show(byId("work"), false);
}

function drawEntity() {
  if (!entity) return;
  const { kind, id, versions, related, waiting } = entity;
  setText(byId("detail-title"), listed([nameOf(versions[0]?.facts ?? {}), id].filter(Boolean)));
  byId("detail-tools").replaceChildren(
    ...(PROPOSES ? [button(t("registry.change"), () => openForm(kind, id), true)] : []),
    ...(kind === "unit" ? [h("a", { class: "ack", href: `/?unit=${encodeURIComponent(id)}` }, t("registry.live")), h("a", { class: "ack", href: `/adjustments?unit=${encodeURIComponent(id)}` }, t("registry.windows"))] : []),
    button(t("registry.close"), () => { close(); keep(); draw(); }));
  byId("detail-body").replaceChildren(
    ...(waiting.length ? [h("p", { class: "rows-said" }, t("registry.waiting"), " ", ...waiting.map((one) => h("a", { href: `?tab=proposals` }, `${one} `)))] : []),
    ...(related.length ? [h("p", { class: "related" }, ...related.map(([of, name]) => button(`${kindName(of)} ${name}`, () => open(of, name))))] : []),
    h("h3", {}, t("registry.versions", { n: versions.length })),
    ...versions.map((one, at) => versionOf(kind, one, versions[at + 1])));
  show(byId("detail"), true);
}

// The latest in full; of the others what they said otherwise than the one before.
function versionOf(kind, version, former) {
  const names = [...columns[kind].map((one) => one.name), ...ROUTE].filter((name) => name in version.facts);
  const differs = names.filter((name) => !former || plain(version.facts[name]) !== plain(former.facts[name]));
  const isLatest = version === entity.versions[0];
  return h("article", { class: "version" },
    h("h3", {}, t("registry.since", { day: version.valid_from })),
    h("small", {}, listed([t("registry.recorded", { at: minute(version.recorded_at), by: version.by ?? (document.body.dataset.department ? "—" : t("registry.rerouted")) }), version.file].filter(Boolean))),
    former && isLatest ? h("p", { class: "quiet" }, t("registry.differs", { what: listed(differs.map((name) => label(kind, name))) || "—" })) : null,
    h("dl", { class: "pairs" }, ...(isLatest || !former ? names : differs).filter((name) => plain(version.facts[name]) !== "" || !isLatest)
      .flatMap((name) => [h("dt", {}, label(kind, name)), h("dd", {}, wordOf(kind, name, version.facts[name]) || "—")])));
}

function label(kind, name) {
  if (ROUTE.includes(name)) return t(`registry.route.${name}`);
  const column = columns[kind]?.find((one) => one.name === name);
  return column && state.lang === "zh" ? column.zh : name;
}

// A word of a closed set as the form offers it.
function wordOf(kind, name, value) {
  const choice = columns[kind]?.find((one) => one.name === name)?.choices?.find(([word]) => word === value);
  if (choice && state.lang === "zh") return choice[1];
  const named = (code) => (NAMED[name] && code ? codeName(NAMED[name], code) : code);
  return plain(Array.isArray(value) ? value.map(named) : named(value));
}

function plain(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return t(value ? "registry.yes" : "registry.no");
  return Array.isArray(value) ? listed(value.map(String)) : String(value);
}

// --- a form of one entity, or a file

async function openForm(kind, id) {
  try {
    const asked = id ? `?id=${encodeURIComponent(id)}` : "";
    const answer = await ask(`${API}/forms/${kind}${asked}`);
    columns[kind] = answer.columns;
    form = { kind, id, columns: answer.columns };
    setText(byId("work-title"), id ? t("registry.changing", { what: `${kindName(kind)} ${id}` }) : t("registry.adding", { what: kindName(kind) }));
    byId("fields").replaceChildren(...answer.columns.map((column) => fieldOf(kind, column, answer.row[column.name] ?? "", id !== "")));
    openWork();
  } catch (error) {
    complain(error);
  }
}

function fieldOf(kind, column, value, known) {
  const isKey = column.name === columns[kind][0].name;
  const dated = /(_on|_from|_until)$/.test(column.name);
  const attributes = { name: `field-${column.name}`, required: column.required, readonly: isKey && known, maxlength: 500, autocomplete: "off" };
  const input = column.choices
    ? h("select", { name: attributes.name, required: column.required }, h("option", { value: "" }, "—"), ...column.choices.map(([word, zh]) => h("option", { value: word, selected: word === value }, state.lang === "zh" ? zh : word)))
    : h("input", { ...attributes, type: dated ? "date" : "text", value });
  return h("label", { dataset: { field: column.name } }, h("span", {}, `${state.lang === "zh" ? column.zh : column.name}${column.required ? " *" : ""}`), input, h("em", {}));
}

function openUpload() {
  const kinds = view.tab === "pack" ? ["pack"] : KINDS;
  form = { file: true };
  setText(byId("work-title"), t("registry.upload"));
  byId("fields").replaceChildren(
    h("label", {}, h("span", {}, t("registry.holds")), h("select", { name: "kind" }, ...kinds.map((name) => h("option", { value: name, selected: name === view.tab }, kindName(name))))),
    h("label", {}, h("span", {}, t("registry.file")), h("input", { name: "file", type: "file", required: true, accept: view.tab === "pack" ? ".yaml,.yml" : ".csv,.xlsx" })),
    ...(view.tab === "pack" ? [h("label", {}, h("span", {}, t("registry.from")), h("input", { name: "from", type: "date" }))] : []));
  openWork();
}

function openWork() {
  byId("hand").elements.reason.value = "";
  show(byId("detail"), false);
  show(byId("work"), true);
  byId("work").scrollIntoView({ block: "start" });
  byId("fields").querySelector("input:not([readonly]), select")?.focus();
}

async function handed() {
  const { elements } = byId("hand");
  const reason = elements.reason.value;
  if (!form.file) return { kind: form.kind, reason, row: Object.fromEntries(form.columns.map(({ name }) => [name, elements[`field-${name}`].value])) };
  const body = { kind: elements.kind.value, reason, ...(await encoded(elements.file.files[0])) };
  return elements.from?.value ? { ...body, valid_from: elements.from.value } : body;
}

// A file as it is sent.
async function encoded(file) {
  if (file.size > MAX_FILE) throw new Refused("too_large");
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Refused("internal"));
    reader.readAsDataURL(file);
  });
  return { file_name: file.name.slice(-120), content: url.slice(url.indexOf(",") + 1) };
}

async function preview(event) {
  event.preventDefault();
  say(t("registry.trying"));
  try {
    const body = await handed();
    await learn(body.kind);
    const answer = await patient(`${API}/preview`, body);
    say("");
    seen = { handed: body };
    showSeen(answer, t("registry.seen"));
  } catch (error) {
    complain(error);
  }
}

// --- what a proposal would change

function showSeen(answer, title) {
  const { report } = answer;
  const faulty = report.total_errors > 0;
  const changes = !faulty && answer.entities_total > 0;
  markFields(report);
  setText(byId("seen-title"), title);
  byId("seen-body").replaceChildren(...(faulty ? faults(report) : effects(answer)));
  byId("meant").checked = false;
  show(byId("meant-label"), Boolean(seen.handed) && report.asks);
  const { proposal } = seen;
  const may = proposal?.may ?? [];
  const approves = may.includes("approve") && changes && !answer.overtaken;
  show(byId("note-label"), may.includes("reject") || may.includes("withdraw"));
  byId("note").value = "";
  show(byId("seen-reject"), may.length > 0);
  setText(byId("seen-reject"), t(may.includes("withdraw") ? "adjustments.withdraw" : "adjustments.reject"));
  const yes = byId("seen-yes");
  setText(yes, proposal ? t("adjustments.approve") : t(answer.approvals_needed === 0 ? "registry.take" : "registry.send"));
  show(yes, proposal ? approves : changes || report.asks);
  yes.disabled = Boolean(seen.handed) && report.asks;
  byId("seen").show();
  byId("seen").focus();
}

function markFields(report) {
  for (const field of byId("fields").querySelectorAll("[data-field]")) {
    const wrong = report.errors.filter((error) => error.column === field.dataset.field);
    field.classList.toggle("bad", wrong.length > 0);
    setText(field.querySelector("em"), listed(wrong.map((error) => said(error.expected))));
  }
}

function faults(report) {
  const more = report.total_errors - report.errors.length;
  return [
    h("p", { class: "box-problem" }, t(report.asks ? "registry.asks" : "registry.faulty", { n: report.total_errors })),
    table(["registry.at", "registry.column", "registry.expected", "registry.found"], report.errors.map((error) =>
      [error.char ? `${error.row}:${error.char}` : error.row || "—", fieldName(error.column) || "—", said(error.expected), said(error.found)])),
    more > 0 ? h("p", { class: "quiet" }, t("registry.further", { n: more })) : "",
  ];
}

const fieldName = (name) => Object.keys(columns).map((kind) => columns[kind].find((one) => one.name === name)).filter(Boolean).map((one) => (state.lang === "zh" ? one.zh : one.name))[0] ?? name;

function effects(answer) {
  if (!answer.entities_total) return [h("p", {}, t("error.no_change"))];
  const rows = answer.differences.flatMap((one) => one.fields.map((field, at) => [
    at ? "" : `${one.id}${one.new ? ` (${t("registry.is_new")})` : ""}`, at ? "" : one.valid_from, fieldName(field.name), h("del", {}, field.before ?? "—"), h("ins", {}, field.after ?? "—"),
  ]));
  const more = answer.entities_total - new Set(answer.differences.map((one) => one.id)).size;
  return [
    answer.overtaken ? h("p", { class: "box-problem" }, t("registry.overtaken", { id: answer.overtaken })) : "",
    h("p", {}, h("span", { class: `badge ${answer.approvals_needed ? "requested" : "approved"}` }, t(answer.approvals_needed ? "registry.needs" : "registry.needs_nobody"))),
    ...answer.report.notes.map((note) => h("p", { class: "quiet" }, said(note))),
    h("h3", {}, t("registry.changes", { n: answer.entities_total })),
    table(["registry.id", "registry.from", "registry.column", "registry.before", "registry.after"], rows),
    more > 0 ? h("p", { class: "quiet" }, t("registry.further", { n: more })) : "",
    h("h3", {}, t("registry.effect")),
    h("pre", { class: "effect" }, answer.effect.map(said).join("\n")),
  ];
}

const table = (heads, rows) => h("table", { class: "changes" }, h("thead", {}, h("tr", {}, ...heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, typeof cell === "number" ? String(cell) : cell))))));

async function compare(row, former) {
  try {
    const { fields } = await ask(`${API}/packs/${row.pack_id}/${row.version}/since/${former}`);
    seen = {};
    setText(byId("seen-title"), `${row.pack_id} · ${former} → ${row.version}`);
    byId("seen-body").replaceChildren(fields.length ? table(["registry.column", "registry.before", "registry.after"], fields.map((field) => [field.name, h("del", {}, field.before ?? "—"), h("ins", {}, field.after ?? "—")])) : h("p", {}, t("error.no_change")));
    for (const id of ["meant-label", "note-label", "seen-reject", "seen-yes"]) show(byId(id), false);
    byId("seen").show();
  } catch (error) {
    complain(error);
  }
}

// --- proposals

function updateProposal(element, row) {
  const [text, acts] = element.children;
  const [what, middle, small] = text.children;
  what.replaceChildren(h("b", {}, `${kindName(row.kind)} · ${row.file_name}`), " ", h("span", { class: `badge ${row.state}` }, t(`adjustments.state.${row.state}`)));
  const more = row.entities_total - row.entities.length;
  setText(middle, listed([row.reason, row.note, `${row.entities.join(" ")}${more > 0 ? ` +${more}` : ""}`].filter(Boolean)));
  setText(small, t("adjustments.who", { id: row.proposal_id, by: row.requested_by, at: minute(row.requested_at), approved: row.approvals.length ? listed(row.approvals) : "—", n: row.approvals_needed }));
  const names = [t(row.state === "requested" ? "registry.look" : "registry.download"), row.proposal_id];
  if (acts.dataset.names === names.join()) return;
  acts.dataset.names = names.join();
  acts.replaceChildren(
    ...(row.state === "requested" ? [button(t("registry.look"), () => look(row), true)] : []),
    ...(whatIf.supposes && row.kind === "pack" && row.state === "requested" ? [button(t("what_if.ask"), () => whatIf.openWhatIf({ label: row.proposal_id, body: { proposal_id: row.proposal_id } }))] : []),
    h("a", { class: "ack", href: `${API}/proposals/${row.proposal_id}/file`, download: "" }, t("registry.download")));
}

async function look(row) {
  say(t("registry.trying"));
  try {
    await learn(row.kind);
    const answer = await patient(`${API}/proposals/${row.proposal_id}/preview`, {});
    say("");
    seen = { proposal: row };
    showSeen(answer, `${row.proposal_id} · ${kindName(row.kind)} · ${row.file_name}`);
  } catch (error) {
    complain(error);
  }
}

async function agree(event) {
  event.preventDefault();
  if (!seen?.handed && !seen?.proposal) return byId("seen").close();
  if (seen.proposal) return decide("approve");
  byId("seen").close();
  say(t("registry.trying"));
  try {
    const answer = await patient(`${API}/proposals`, { ...seen.handed, meant: byId("meant").checked });
    say(t(answer.state === "approved" ? "registry.taken" : "registry.sent", { id: answer.proposal_id }));
    show(byId("work"), false);
    const again = form?.id ? { kind: form.kind, id: form.id } : null;
    form = null;
    if (again) await open(again.kind, again.id);
  } catch (error) {
    complain(error);
  }
  await load();
}

async function decide(name) {
  const { proposal } = seen;
  if (name === "reject" && !byId("note").value.trim()) return byId("note").focus();
  byId("seen").close();
  say(t("registry.trying"));
  try {
    const { state: now } = await patient(`${API}/proposals/${proposal.proposal_id}/${name}`, { note: byId("note").value });
    say(t("adjustments.done", { id: proposal.proposal_id, state: t(`adjustments.state.${now}`) }));
  } catch (error) {
    complain(error);
  }
  await load();
}

preferences.start();
if (whatIf.supposes) whatIf.start({ encoded, faults, table });
on("language", () => {
  preferences.render();
  draw();
  drawEntity();
  if (whatIf.supposes) whatIf.draw();
});
let typing = null;
byId("search").value = view.q;
byId("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    Object.assign(view, { q: byId("search").value.trim(), limit: PAGE });
    keep();
    load();
  }, 250);
});
byId("more").addEventListener("click", () => {
  view.limit = Math.min(MAX, view.limit + PAGE);
  load();
});
byId("hand").addEventListener("submit", preview);
byId("cancel").addEventListener("click", () => {
  show(byId("work"), false);
  drawEntity();
});
byId("meant").addEventListener("change", () => {
  byId("seen-yes").disabled = !byId("meant").checked;
});
byId("seen").querySelector("form").addEventListener("submit", agree);
byId("seen-no").addEventListener("click", () => byId("seen").close());
byId("seen-reject").addEventListener("click", () => decide(seen.proposal.may.includes("withdraw") ? "withdraw" : "reject"));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("seen").open) byId("seen").close();
});
preferences.render();
try {
  state.sections.names = await ask("/api/v1/summary/names");
} catch {
  // categories and bodies are shown by their codes then
}
draw();
load();
if (view.id && KINDS.includes(view.tab)) open(view.tab, view.id);
session.start();
