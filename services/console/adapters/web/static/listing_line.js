// The line of a case about its listing for supervision, and for who may the form that proposes one.

import { ask, order, worded } from "./api.js";
import { h } from "./dom.js";
import { account } from "./state.js";
import { t } from "./text.js";

const LISTABLE = ["connection_lost", "never_connected", "fault", "isolation"];

// Returns a section that fills itself once the listings of the case are known; `known` keeps them over a new drawing.
const known = new Map();

export function listing(row) {
  if (!LISTABLE.includes(row.kind)) return null;
  const box = h("div", { class: "listing-line", dataset: { role: "listing" } });
  const fill = () => box.replaceChildren(...content(row, known.get(row.case_id), fill));
  fill();
  if (!known.has(row.case_id)) load(row.case_id).then(fill, () => undefined);
  return box;
}

async function load(caseId) {
  known.clear(); // of the case that is open only
  known.set(caseId, await ask(`/api/v1/listings?case=${encodeURIComponent(caseId)}`));
}

function content(row, found, fill) {
  if (!found) return [];
  const lines = found.rows.map((one) => h("p", {}, h("span", { class: "badge" }, t(`listings.state.${one.state}`)), " ",
    h("a", { href: `/listings?id=${encodeURIComponent(one.listing_id)}` }, one.document || t("listings.title")), one.deadline ? ` · ${t("listings.deadline")} ${one.deadline}` : "",
    one.overdue ? ` · ${t("listings.overdue")}` : ""));
  const free = row.state === "open" && found.may.includes("propose") && !found.rows.some((one) => !one.ended_at);
  return free && !account.department ? [...lines, proposing(row, fill)] : lines;
}

function proposing(row, fill) {
  const reason = h("input", { id: "listing-reason", required: true, maxlength: "1000", autocomplete: "off" });
  const send = async (event) => {
    event.preventDefault();
    const form = event.target;
    try {
      await order("/api/v1/listings", { case_id: row.case_id, reason: reason.value });
      await load(row.case_id);
      fill();
    } catch (error) {
      form.querySelector(":scope > .box-problem")?.remove();
      form.append(h("p", { class: "box-problem", role: "alert" }, worded(error)));
    }
  };
  return h("details", {}, h("summary", {}, t("listings.act.propose")),
    h("form", { onsubmit: send }, h("label", { for: "listing-reason" }, t("listings.reason")), reason, h("button", { class: "ack", type: "submit" }, t("listings.act.propose"))));
}
