// Accounts: one's own password and sessions; for an administrator those of others. A password is shown once.

import { ask, order, worded } from "./api.js";
import { byId, h, patchList, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on } from "./state.js";
import { listed, named, number, stamp, t } from "./text.js";

const API = "/api/v1/accounts";
const DAYS = 365; // that a new key of a screen opens it
const SLOW_MS = 30000; // a password is hashed slowly, and others may be waiting too
const MARGIN = 4; // modules of white around a QR code, as its standard asks
const administers = byId("accounts") !== null;
let rows = [];
let editing = null; // the account that the form is about; null: a new one
let asked = null;
let pending = ""; // what the telephone is being shown, sealed

const complain = (error) => say(worded(error), true);
const minute = (instant) => stamp(instant).slice(0, 16);

async function changePassword(event) {
  event.preventDefault();
  const { current, new: fresh, again } = byId("password").elements;
  if (fresh.value !== again.value) return say(t("account.differ"), true);
  try {
    await order("/api/v1/account/password", { current: current.value, new: fresh.value }, SLOW_MS);
    if (document.querySelector("#said.bad")) return location.assign(byId("said").dataset.then);
    say(t("account.changed"));
  } catch (error) {
    complain(error);
  }
  byId("password").reset();
}

// --- the second factor: shown, confirmed with a first code, removed with a last one

async function beginFactor(event) {
  event.preventDefault();
  const form = byId("factor-begin");
  try {
    const shown = await order("/api/v1/account/second-factor", { current: form.elements.current.value }, SLOW_MS);
    ({ pending } = shown);
    const edge = shown.size + 2 * MARGIN, picture = byId("factor-picture");
    picture.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${edge} ${edge}`);
    picture.firstElementChild.setAttribute("d", shown.picture);
    setText(byId("factor-secret"), shown.secret.match(/.{1,4}/g).join(" "));
    say("");
    show(form, false);
    show(byId("factor-confirm"), true);
    byId("factor-confirm").elements.code.focus();
  } catch (error) {
    complain(error);
  }
  form.reset();
}

async function confirmFactor(event) {
  event.preventDefault();
  const form = byId("factor-confirm");
  try {
    const { recovery_codes: codes } = await order("/api/v1/account/second-factor/confirm", { pending, code: form.elements.code.value });
    pending = "";
    setText(byId("factor-secret"), "");
    show(form, false);
    say(t("factor.on"));
    byId("factor-list").replaceChildren(...codes.map((code) => h("li", {}, code)));
    show(byId("factor-codes"), true);
    byId("factor-codes").focus();
  } catch (error) {
    complain(error);
  }
  form.reset();
}

async function removeFactor(event) {
  event.preventDefault();
  const form = byId("factor-remove"), { current, code } = form.elements;
  try {
    await order("/api/v1/account/second-factor/remove", { current: current.value, code: code.value }, SLOW_MS);
    return location.reload();
  } catch (error) {
    complain(error);
  }
  form.reset();
}

// --- what an administrator does

async function load() {
  if (!administers) return;
  try {
    ({ rows } = await ask(API));
    draw();
  } catch (error) {
    complain(error);
  }
}

function draw() {
  setText(byId("total"), number(rows.length));
  patchList(byId("rows"), rows, (row) => row.username, makeRow, updateRow);
  form();
}

const makeRow = () => h("li", { class: "adjustment" }, h("div", {}, h("p", { class: "what" }), h("p", {}), h("small", {})), h("div", { class: "acts" }));

function updateRow(element, row) {
  const [text, acts] = element.children;
  const [what, middle, small] = text.children;
  what.replaceChildren(h("b", {}, `${named([row.display_name, row.display_name_en], "")} · ${row.username}`), " ", row.screen && !row.disabled ? "" : h("span", { class: `badge ${row.disabled ? "rejected" : "approved"}` }, t(row.disabled ? "account.disabled" : "account.active")));
  setText(middle, listed([t(`role.${row.role}`), row.department, row.administers && t("account.administrator")].filter(Boolean)));
  setText(small, listed([
    row.screen && !row.disabled && (row.opens_until ? t("screen.until", { at: minute(row.opens_until) }) : t("screen.ended")),
    row.second_factor && t("factor.short"),
    row.subject && t("account.linked", { subject: row.subject }),
    row.one_time_until && t("account.one_time_until", { at: minute(row.one_time_until) }),
    row.locked_until && t("account.locked_until", { at: minute(row.locked_until) }),
  ].filter(Boolean)));
  const names = row.own ? [] : row.screen ? (row.disabled ? ["renew"] : ["renew", "revoke"]) : row.disabled ? ["reset"] : ["edit", "reset", ...(row.second_factor ? ["second_factor_reset"] : []), ...(byId("subject") ? ["link"] : []), "sign_out", "disable"];
  acts.replaceChildren(...names.map((name) => h("button", { type: "button", class: "ack", dataset: { act: name }, onclick: () => (name === "edit" ? edit(row) : askFirst(name, row)) }, t(`account.act.${name}`))));
}

function askFirst(name, row) {
  asked = { name, row };
  setText(byId("sure-title"), t(`account.act.${name}`));
  setText(byId("sure-what"), `${row.display_name} · ${row.username}`);
  setText(byId("sure-yes"), t(`account.act.${name}`));
  show(byId("one-time"), false);
  show(byId("sure-no"), true);
  askSubject(name === "link" ? row : null);
  byId("sure").show();
  (name === "link" ? byId("subject") : byId("sure-yes")).focus();
}

function askSubject(row) {
  if (!byId("subject")) return;
  show(byId("subject-label"), row !== null);
  byId("subject").value = row?.subject ?? "";
}

async function act(event) {
  event.preventDefault();
  byId("sure").close();
  setText(byId("one-time"), "");
  const doing = asked;
  asked = null;
  if (!doing) return;
  const { name, row } = doing;
  try {
    if (name === "renew") {
      await makeScreen({ name: row.username, display_name: row.display_name, days: DAYS });
      return;
    }
    const path = (name === "revoke" ? "disable" : name).replaceAll("_", "-");
    const answer = await order(`${API}/${row.username}/${path}`, name === "link" ? { subject: byId("subject").value.trim() || null } : {}, SLOW_MS);
    if (answer.password) showOnce(row.username, answer.password);
    else say(t("account.done", { name: row.username }));
  } catch (error) {
    complain(error);
  }
  await load();
}

// The key is shown as the address that opens the wall; whoever has it sees the live picture of the district.
async function makeScreen(body) {
  const { key, until } = await order(`${API}/screens`, body, SLOW_MS);
  say("");
  showOnce(`${body.display_name} · ${t("screen.until", { at: minute(until) })}`, `${location.origin}/wall?key=${encodeURIComponent(key)}`, "screen.once");
  await load();
}

async function addScreen(event) {
  event.preventDefault();
  const { name, display_name, days } = byId("screen").elements;
  try {
    await makeScreen({ name: name.value, display_name: display_name.value, days: Number(days.value) });
    byId("screen").reset();
  } catch (error) {
    complain(error);
  }
}

function showOnce(about, secret, title = "account.once") {
  asked = null;
  setText(byId("sure-title"), t(title));
  setText(byId("sure-what"), about);
  setText(byId("one-time"), secret);
  askSubject(null);
  show(byId("one-time"), true);
  show(byId("sure-no"), false);
  setText(byId("sure-yes"), t("registry.close"));
  byId("sure").show();
}

function edit(row) {
  editing = row;
  const { elements } = byId("form");
  for (const name of ["username", "display_name", "display_name_en", "role", "department"]) elements[name].value = row[name] ?? "";
  elements.administers.checked = row.administers;
  draw();
  byId("form").scrollIntoView({ block: "nearest" });
  elements.display_name.focus();
}

function form() {
  const { elements } = byId("form");
  const role = elements.role.value;
  elements.username.readOnly = editing !== null;
  for (const label of byId("form").querySelectorAll("[data-for]")) show(label, label.dataset.for === role);
  elements.department.required = role === "department";
  setText(byId("form-title"), editing ? t("account.editing", { name: editing.username }) : t("account.add"));
  show(byId("cancel"), editing !== null);
}

function forget() {
  editing = null;
  byId("form").reset();
  form();
}

async function save(event) {
  event.preventDefault();
  const { elements } = byId("form");
  const role = elements.role.value;
  const body = { role, display_name: elements.display_name.value, display_name_en: elements.display_name_en.value, department: role === "department" ? elements.department.value : null, administers: role === "centre" && elements.administers.checked };
  const username = elements.username.value;
  try {
    if (editing) {
      await order(`${API}/${username}/edit`, body);
      say(t("account.done", { name: username }));
    } else {
      const { password } = await order(API, { ...body, username }, SLOW_MS);
      say("");
      showOnce(username, password);
    }
    forget();
  } catch (error) {
    complain(error);
  }
  await load();
}

preferences.start();
on("language", () => {
  preferences.render();
  left();
  if (administers) draw();
});
function left() {
  const has = byId("factor-has");
  if (has) setText(has, t("factor.has", { n: has.dataset.left }));
}

byId("password").addEventListener("submit", changePassword);
byId("factor-begin")?.addEventListener("submit", beginFactor);
byId("factor-confirm")?.addEventListener("submit", confirmFactor);
byId("factor-remove")?.addEventListener("submit", removeFactor);
byId("factor-done")?.addEventListener("click", () => location.assign("/account"));
byId("everywhere").addEventListener("click", async () => {
  try {
    await order("/api/v1/account/sign-out", {});
    location.assign("/login");
  } catch (error) {
    complain(error);
  }
});
byId("sure").querySelector("form").addEventListener("submit", act);
byId("sure-no").addEventListener("click", () => {
  setText(byId("one-time"), "");
  asked = null;
  byId("sure").close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("sure").open) byId("sure-no").click();
});
if (administers) {
  byId("form").addEventListener("submit", save);
  byId("form").elements.role.addEventListener("change", form);
  byId("cancel").addEventListener("click", forget);
  byId("screen").addEventListener("submit", addScreen);
}
preferences.render();
load();
if (!document.querySelector("#said.bad")) session.start();
