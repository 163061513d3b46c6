// The rungs of a case's ladder: taken, where it stands, still to come.

import { h, patchList, setText, show } from "./dom.js";
import { t } from "./text.js";
import { stepName } from "./words.js";

export function ladder(list, row) {
  const taken = new Set(row.taken.map((step) => step.step));
  patchList(list, row.plan, (step) => step.code,
    (step) => h("li", {}, h("span", { class: "rung", "aria-hidden": "true" }), h("span", { class: "sr-only" })),
    (item, step) => {
      const stage = step.code === row.step ? "now" : taken.has(step.code) ? "done" : "todo";
      item.className = stage;
      item.title = `${stepName(row, step.code)} · ${t(`step.${stage}`)}`;
      setText(item.querySelector(".sr-only"), item.title);
    });
  show(list, row.plan.length > 1);
}
