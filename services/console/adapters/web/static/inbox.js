// What a department has to sign or answer, the first thing on its live page. The whole inbox is a page of its own.

import { ask } from "./api.js";
import { make, update } from "./document_rows.js";
import { byId, h, icon, patchList, setText, show } from "./dom.js";
import { number, t } from "./text.js";

const ROWS = 50;
const CALM_MS = 15000;
let page = null;
let failed = false;

export function start() {
  if (!byId("inbox")) return; // of this role's page it is no part
  document.addEventListener("visibilitychange", () => document.hidden || load());
  setInterval(() => document.hidden || load(), CALM_MS);
  load();
}

async function load() {
  try {
    page = await ask(`/api/v1/documents?only=todo&limit=${ROWS}`);
    failed = false;
  } catch {
    failed = true; // what was read before stays, and the note says that it is old
  }
  render();
}

export function render() {
  if (!byId("inbox")) return;
  show(byId("inbox-note"), failed);
  setText(byId("inbox-note"), failed ? t("inbox.failed") : "");
  if (!page) return;
  setText(byId("inbox-count"), number(page.counts.todo ?? 0));
  setText(byId("inbox-sub"), page.counts.overdue ? t("inbox.overdue", { n: page.counts.overdue }) : "");
  byId("inbox-sub").classList.toggle("late", Boolean(page.counts.overdue));
  const rows = page.rows.length ? page.rows : [{ document_id: "none", none: true }];
  patchList(byId("inbox"), rows, (row) => row.document_id, draw, (element, row) => (row.none ? setText(element.querySelector(".empty-title"), t("inbox.none")) : update(element, row)));
}

function draw(row) {
  if (row.none) return h("li", { class: "empty" }, icon("normal"), h("p", { class: "empty-title" }));
  return make(h("a", { class: "link", href: `/documents?id=${encodeURIComponent(row.document_id)}` }));
}
