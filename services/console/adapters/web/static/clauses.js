// Clauses by the names of their sources, as packs cite them: "003 street 14, 19; 004 一; proposal +1 h".
// The words of a clause are one click away; they come when somebody asks.

import { h } from "./dom.js";
import { state } from "./state.js";
import { has, t } from "./text.js";

const CITED = /^(\d{3}) ?([a-z][a-z ]*?)? ?((?:[一二三四五六七八九十]|\d|\().*)?$/;
let texts = null;

const load = () => (texts ??= fetch(new URL("clauses.json", import.meta.url)).then((answer) => answer.json()));

// { name, keys }: how people call it, and by which keys its words are found.
export function readClause(part) {
  const found = CITED.exec(part);
  if (!found || !has(`clause.source.${found[1]}`) || (found[2] && !has(`clause.block.${found[2]}`))) {
    const proposal = /^proposal:? ?(.+)$/.exec(part);
    return { name: proposal ? t("clause.proposal", { text: proposal[1] }) : part, keys: [] };
  }
  const [, source, block, rest = ""] = found;
  const last = rest.endsWith("last item");
  const items = itemsOf(rest.replace(/ ?last item$/, ""));
  const said = items.length ? t(last ? "clause.items.last" : "clause.items", { items: items.join("、") }) : "";
  const name = t("clause.cited", { source: t(`clause.source.${source}`), block: block ? ` ${t(`clause.block.${block}`)} ` : " ", items: said });
  const keys = items.map((item) => [source, block, item, last ? "last item" : ""].filter(Boolean).join(" "));
  return { name: name.trim(), keys };
}

// "14, 19" are two; so are "一(五)(六)", of the same part.
function itemsOf(text) {
  return text.split(",").map((one) => one.trim()).filter(Boolean).flatMap((one) => {
    const parts = /^([一二三四五六七八九十]+)((?:\([一二三四五六七八九十]+\))+)$/.exec(one);
    return parts ? [...parts[2].matchAll(/\([^)]+\)/g)].map(([sub]) => parts[1] + sub) : [one];
  });
}

export function clauses(text) {
  if (!text) return null;
  return h("ul", { class: "clauses" }, text.split(";").map((part) => part.trim()).filter(Boolean).map((part) => h("li", {}, clause(readClause(part)))));
}

function clause({ name, keys }) {
  if (!keys.length) return h("span", {}, name);
  const body = h("div", { class: "clause-text" });
  const details = h("details", { ontoggle: () => details.open && fill(body, keys) }, h("summary", {}, name), body);
  return details;
}

// The words in the reader's language where they are at hand, else in Chinese, and said to be.
function wording(text) {
  if (text === undefined) return [h("p", {}, t("clause.text.none"))];
  const zh = text.zh ?? text;
  if (state.lang === "zh") return [h("p", { lang: "zh-CN" }, zh)];
  return text.en ? [h("p", { lang: "en" }, text.en)] : [h("p", { class: "quiet" }, t("clause.text.chinese")), h("p", { lang: "zh-CN" }, zh)];
}

async function fill(body, keys) {
  if (body.childElementCount) return;
  try {
    const known = await load();
    body.replaceChildren(...keys.flatMap((key) => wording(known[key])));
  } catch {
    texts = null;
    body.replaceChildren(h("p", {}, t("clause.text.failed")));
  }
}
