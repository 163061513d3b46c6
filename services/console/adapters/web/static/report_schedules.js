// Reports that are sent by mail: which, to whom, what came of it, and, for who may, a form to make and change them.

import { ask, newestOf, order, worded } from "./api.js";
import { byId, h, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { listed, named, number, stamp, t } from "./text.js";

const CALM_MS = 15000;
const GROUPS = ["district", "town", "department"];

let known = { subjects: [], names: {}, district: null };
let page = { rows: [], may: false, sends: true };
let contacts = [];
let changed = null; // the schedule whose recipients the form has; null: a new one
let removed = null;
let timer = null;

const minute = (instant) => stamp(instant).slice(0, 16);
const bodyName = (code) => named(known.names[code], code);
const subjectName = (one) => (one.dimension === "district" ? named(known.district, one.value) : bodyName(one.value));
const span = (first, last) => (first === last ? first : `${first} – ${last}`);
const complain = (error) => say(worded(error), true);

const fetched = newestOf((answer) => {
  page = answer;
  draw();
}, complain);

async function load() {
  clearTimeout(timer);
  if (await fetched("/api/v1/report-schedules")) timer = setTimeout(load, CALM_MS);
}

function draw() {
  show(byId("unsent"), !page.sends);
  byId("rows").replaceChildren(...page.rows.map(row));
  show(byId("empty"), page.rows.length === 0);
  show(byId("new"), page.may);
  titles();
}

function titles() {
  setText(byId("new-title"), changed ? t("schedules.change") : t("schedules.new"));
  setText(byId("save"), changed ? t("schedules.save") : t("schedules.create"));
  show(byId("cancel"), changed !== null);
  for (const name of ["subject", "period"]) byId("form").elements[name].disabled = changed !== null;
}

function row(one) {
  const next = one.paused ? t("schedules.paused") : t("schedules.next", { period: span(one.next_first, one.next_last) });
  const last = one.last_sent_at ? t("schedules.last", { period: one.last_from, at: minute(one.last_sent_at) }) : t("schedules.never");
  const over = one.passed_over ? [t("schedules.passed_over", { n: number(one.passed_over) })] : [];
  const acts = page.may ? buttons(one) : [];
  return h("li", { class: "adjustment", dataset: { schedule: one.schedule_id } },
    h("div", {},
      h("p", { class: "what" }, h("b", {}, `${subjectName(one.subject)} · ${t(`report.kind.${one.kind}`)}`), " ", one.paused ? h("span", { class: "badge withdrawn" }, t("schedules.paused")) : null),
      h("p", {}, listed([next, last, ...over])),
      h("ul", { class: "recipients" }, one.recipients.map(recipient)),
      h("small", {}, t("schedules.by", { by: one.created_by }))),
    h("div", { class: "acts" }, acts));
}

function recipient(one) {
  const word = one.stopped ? "stopped" : one.state ?? "none";
  const badge = { sent: "approved", failed: "rejected", waiting: "requested" }[word] ?? "withdrawn";
  const what = {
    sent: () => t(one.edition > 1 ? "schedules.mail.corrected" : "schedules.mail.sent", { period: one.period_from, at: minute(one.sent_at) }),
    failed: () => t(`schedules.trouble.${one.trouble}`),
    waiting: () => (one.trouble ? t("schedules.mail.again", { why: t(`schedules.trouble.${one.trouble}`), at: minute(one.next_try_at) }) : ""),
  }[word];
  return h("li", {}, h("span", { class: `badge ${badge}` }, t(`schedules.state.${word}`)), " ",
    [one.name || one.contact_id, one.body && bodyName(one.body)].filter(Boolean).join(" · "), what ? ` ${what()}` : "");
}

function buttons(one) {
  const button = (name, act) => h("button", { type: "button", class: "ack", dataset: { act: name }, onclick: act }, t(`schedules.${name}`));
  const failed = one.recipients.some((each) => each.state === "failed" && !each.stopped);
  return [
    failed ? button("retry", () => act(one, "retry")) : null,
    button("change", () => change(one)),
    one.paused ? button("resume", () => act(one, "resume")) : button("pause", () => act(one, "pause")),
    button("remove", () => sure(one)),
  ];
}

async function act(one, name) {
  try {
    await order(`/api/v1/report-schedules/${one.schedule_id}/${name}`, {});
    say(t("schedules.done"));
  } catch (error) {
    complain(error);
  }
  await load();
}

// --- the form

async function change(one) {
  changed = one;
  byId("form").elements.subject.value = `${one.subject.dimension}:${one.subject.value}`;
  byId("form").elements.period.value = one.kind;
  titles();
  await offer(new Set(one.recipients.filter((each) => !each.stopped).map((each) => each.contact_id)));
  byId("new").scrollIntoView({ block: "start" });
  byId("new").querySelector("input, button").focus();
}

function fresh() {
  changed = null;
  titles();
  return offer(new Set());
}

const offered = newestOf((answer) => {
  ({ contacts } = answer);
}, complain);

async function offer(chosen) {
  const [of, ...rest] = byId("form").elements.subject.value.split(":");
  if (!of || !page.may) return;
  if (!(await offered(`/api/v1/report-schedules/contacts?${new URLSearchParams({ of, value: rest.join(":") })}`))) return;
  byId("contacts").replaceChildren(...contacts.map((one) => h("label", {},
    h("input", { type: "checkbox", name: "contacts", value: one.contact_id, checked: chosen.has(one.contact_id) }), " ",
    `${one.name} · ${bodyName(one.body)} · ${one.address}`)));
  show(byId("nobody"), contacts.length === 0);
}

async function save(event) {
  event.preventDefault();
  const form = byId("form");
  const [of, ...rest] = form.elements.subject.value.split(":");
  const chosen = [...form.querySelectorAll("input[name=contacts]:checked")].map((one) => one.value);
  if (!chosen.length) {
    say(t("error.bad_recipients"), true);
    return;
  }
  try {
    if (changed) await order(`/api/v1/report-schedules/${changed.schedule_id}/recipients`, { contacts: chosen });
    else await order("/api/v1/report-schedules", { of, value: rest.join(":"), period: form.elements.period.value, contacts: chosen });
    say(t("schedules.done"));
    await fresh();
  } catch (error) {
    complain(error);
  }
  await load();
}

function sure(one) {
  removed = one;
  setText(byId("sure-what"), `${subjectName(one.subject)} · ${t(`report.kind.${one.kind}`)}`);
  byId("sure").show();
  byId("sure-yes").focus();
}

function subjects() {
  const chosen = byId("form").elements.subject.value;
  byId("form").elements.subject.replaceChildren(...GROUPS.map((group) => [group, known.subjects.filter((one) => one.dimension === group)])
    .filter(([, members]) => members.length)
    .map(([group, members]) => h("optgroup", { label: t(`history.group.${group}`) }, members.map((one) => h("option", { value: `${one.dimension}:${one.value}` }, subjectName(one))))));
  if (chosen) byId("form").elements.subject.value = chosen;
}

async function begin() {
  try {
    known = await ask("/api/v1/history/subjects");
  } catch (error) {
    complain(error);
    return;
  }
  subjects();
  await load();
  await fresh();
}

preferences.start();
on("language", () => {
  preferences.render();
  subjects();
  draw();
});
byId("form").addEventListener("submit", save);
byId("form").elements.subject.addEventListener("change", () => offer(new Set()));
byId("cancel").addEventListener("click", fresh);
byId("sure").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("sure").close();
  act(removed, "remove");
});
byId("sure-no").addEventListener("click", () => byId("sure").close());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("sure").open) byId("sure").close();
});
document.documentElement.dataset.lang = state.lang;
preferences.render();
session.start();
begin();
