// Clauses by the names of their sources, as packs cite them: "003 street 14, 19; 004 一; proposal +1 h".
// The words of a clause are one click away; they come when somebody asks.

import { h } from "./dom.js";
import { state } from "./state.js";
import { has, keysOf, sentences, t } from "./text.js";

const CITED = /^(\d{3})(?: (.*))?$/;
const ITEMS = /^((?:措施)?[一二三四五六七八九十\d(][一二三四五六七八九十\d(),、 ]*?)(?= last item|:? [a-z]|$)/;
const blocks = keysOf("clause.block").map(([key]) => key.split(".").pop());
const remarks = sentences("clause_remark", () => "\\d+");
let texts = null;

const load = () => (texts ??= fetch(new URL("clauses.json", import.meta.url)).then((answer) => answer.json()));

// { name, keys }: how people call it, and by which keys its words are found.
export function readClause(part) {
  const proposal = /^proposal:? ?(.+)$/.exec(part);
  if (proposal) return { name: t("clause.proposal", { text: (cited(proposal[1]) ?? { name: remark(proposal[1]) }).name }), keys: [] };
  return cited(part) ?? { name: remark(part), keys: [] };
}

// What packs say in English beside their sources, in the reader's language where the word tables have it.
function remark(text) {
  if (state.lang === "en") return text;
  for (const { key, pattern } of remarks) {
    const found = pattern.exec(text);
    if (found) return t(key, found.groups);
  }
  return text;
}

function cited(part) {
  const [, source, after = ""] = CITED.exec(part) ?? [];
  if (!has(`clause.source.${source}`)) return null;
  const block = blocks.find((one) => after === one || after.startsWith(`${one} `));
  let rest = block ? after.slice(block.length).trim() : after;
  const found = ITEMS.exec(rest)?.[0] ?? "";
  rest = rest.slice(found.length).trim();
  const last = rest.startsWith("last item");
  const said = (last ? rest.slice("last item".length) : rest).replace(/^:? ?/, "").replace(/^\((.*)\)$/, "$1");
  const items = itemsOf(found);
  const name = t("clause.cited", {
    source: t(`clause.source.${source}`), block: block ? ` ${t(`clause.block.${block}`)} ` : " ",
    items: items.length ? t(last ? "clause.items.last" : "clause.items", { items: items.join("、") }) : "",
  }).trim();
  const keys = items.map((item) => [source, block, item, last ? "last item" : ""].filter(Boolean).join(" "));
  return { name: said ? t("clause.cited.remark", { cited: name, remark: remark(said) }) : name, keys };
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
