// One report, as the server has worded it: the same words as in its PDF and its workbook.

import { Refused, newestOf, worded } from "./api.js";
import { byId, h, say, setText, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { account, on, state } from "./state.js";
import { number, t } from "./text.js";

const LONG = 10; // characters: a cell with more may break
const query = new URLSearchParams(location.search);

function asked(more = {}) {
  const wanted = new URLSearchParams({ lang: state.lang, ...more });
  for (const name of ["of", "value", "period", "from"]) wanted.set(name, query.get(name) ?? "");
  return wanted;
}

const fetched = newestOf(
  (sheet) => {
    say("");
    draw(sheet);
  },
  (error) => say(worded(error), true),
);

async function load() {
  const list = new URLSearchParams({ of: query.get("of") ?? "", value: query.get("value") ?? "" });
  byId("all").href = `/reports?${list}`;
  for (const format of ["pdf", "xlsx"]) byId(format).href = `/api/v1/reports/export?${asked({ format })}`;
  await fetched(`/api/v1/reports/one?${asked()}`);
}

function draw(sheet) {
  setText(byId("title"), sheet.title);
  document.title = sheet.title;
  const [, period, standing] = sheet.head;
  setText(byId("lead"), period[1]);
  setText(byId("provisional"), sheet.state === "provisional" ? standing[1] : "");
  show(byId("provisional"), sheet.state === "provisional");
  byId("head").replaceChildren(...sheet.head.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
  byId("sections").replaceChildren(...sheet.sections.map(section));
  byId("foot").replaceChildren(...sheet.foot.map((text) => h("li", {}, text)));
}

function section(one) {
  return h("section", { class: "panel", "aria-labelledby": `s-${one.key}`, dataset: { section: one.key } },
    h("header", { class: "panel-head" }, h("h2", { id: `s-${one.key}` }, one.heading)),
    one.notes.length ? h("ul", { class: "report-notes" }, one.notes.map((text) => h("li", {}, text))) : null,
    one.table ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `s-${one.key}` }, table(one.table)) : null);
}

function table(one) {
  const side = (column) => (one.numeric.includes(column) ? "num right" : "");
  const cell = (value, column) => h("td", { class: `${side(column)} ${String(value).length > LONG && !one.numeric.includes(column) ? "long" : ""}`.trim() }, typeof value === "number" ? number(value) : value);
  return h("table", { class: "figures" },
    h("thead", {}, h("tr", {}, one.columns.map((name, column) => h("th", { scope: "col", class: side(column) }, name)))),
    h("tbody", {}, one.rows.map((row) => h("tr", {}, row.map(cell)))));
}

// The PDF is another service's: whether it came is known before anything is saved, and else said in words.
async function savePdf(event) {
  event.preventDefault();
  try {
    const answer = await fetch(byId("pdf").href, { credentials: "same-origin", headers: { "X-Session": account.session } });
    if (!answer.ok) throw new Refused((await answer.json()).error?.code ?? "internal");
    const made = URL.createObjectURL(await answer.blob());
    h("a", { href: made, download: `${document.title}.pdf` }).click();
    setTimeout(() => URL.revokeObjectURL(made), 60_000);
    say("");
  } catch (error) {
    say(t(`error.${error instanceof Refused ? error.code : "network"}`), true);
  }
}

preferences.start();
byId("pdf").addEventListener("click", savePdf);
on("language", () => {
  preferences.render();
  load();
});
document.documentElement.dataset.lang = state.lang;
preferences.render();
session.start();
load();
