// Acknowledge: a note and a confirmation, by mouse or keyboard alone.

import { closesByAcknowledging } from "./alarms.js";
import { Refused, order } from "./api.js";
import { byId, setText, show } from "./dom.js";
import { t } from "./text.js";
import { titleOf } from "./words.js";

const box = byId("ack");
let current = null;
let opener = null;

export function openAcknowledge(row) {
  current = row;
  setText(byId("ack-name"), `${t(`kind.${row.kind}`)} · ${titleOf(row)}`);
  const what = byId("ack-what");
  what.dataset.t = closesByAcknowledging(row) ? "ack.what.closes" : "ack.what";
  setText(what, t(what.dataset.t));
  byId("ack-note").value = "";
  show(byId("ack-problem"), false);
  busy(false);
  opener = document.activeElement;
  // Not modal: a modal dialog would make the fire banner mute and dead.
  box.show();
  byId("ack-note").focus();
}

function busy(waiting) {
  byId("ack-confirm").disabled = waiting;
  setText(byId("ack-confirm"), t(waiting ? "ack.sending" : "ack.confirm"));
}

async function confirm(event) {
  event.preventDefault();
  if (!current || byId("ack-confirm").disabled) return;
  busy(true);
  try {
    await order(`/api/v1/cases/${encodeURIComponent(current.case_id)}/acknowledge`, { note: byId("ack-note").value });
    box.close();
    setText(byId("polite"), t("ack.done", { name: titleOf(current) }));
  } catch (error) {
    setText(byId("ack-problem"), t(`error.${error instanceof Refused ? error.code : "internal"}`));
    show(byId("ack-problem"), true);
    busy(false);
    byId("ack-confirm").focus();
  }
}

box.querySelector("form").addEventListener("submit", confirm);
byId("ack-cancel").addEventListener("click", () => box.close());
// Enter in the note makes a line; with Ctrl it confirms.
byId("ack-note").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) confirm(event);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !box.open) return;
  event.preventDefault();
  box.close();
});
box.addEventListener("close", () => {
  // The button is gone once the case is acknowledged; its list takes over.
  const next = opener?.isConnected && !opener.hidden ? opener : byId("cases");
  next.focus();
});
