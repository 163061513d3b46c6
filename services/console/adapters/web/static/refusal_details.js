// Why a message was refused, in the reader's language. The log has one English sentence, as ingest wrote it.

import { state } from "./state.js";
import { has, sentences, t } from "./text.js";

const MORE = /^(.*); (\d+) more like it came before and were only counted$/s;
const WORD = new Set(["code", "fault", "field"]);
const known = sentences("refusal_detail", (name) => (WORD.has(name) ? "[\\w.]+" : ".+?"));

const named = (groups) => (groups?.code ? { ...groups, code: t(`frame_error.${groups.code}`) } : groups);

export function detailOf(sentence) {
  if (state.lang === "en" || !sentence) return sentence;
  const more = MORE.exec(sentence);
  const [said, n] = more ? [more[1], more[2]] : [sentence, ""];
  for (const { key, pattern } of known) {
    const found = pattern.exec(said);
    if (found?.groups?.code && !has(`frame_error.${found.groups.code}`)) continue;
    if (found) return t(key, named(found.groups)) + (n ? t("refusals.detail.more", { n }) : "");
  }
  return sentence;
}
