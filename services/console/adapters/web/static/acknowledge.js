// Take a case or sign for it: a note and a confirmation, by mouse or keyboard alone.

import { answerOf } from "./answers.js";
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
  const answer = answerOf(row);
  say("ack-title", answer.title);
  say("ack-what", answer.what);
  byId("ack-confirm").dataset.t = answer.confirm;
  byId("ack-note").value = "";
  show(byId("ack-problem"), false);
  busy(false);
  opener = document.activeElement;
  // Not modal: a modal dialog would make the fire banner mute and dead.
  box.show();
  byId("ack-note").focus();
}

// Marked with its key: a switch of the language changes it in place.
function say(id, key) {
  byId(id).dataset.t = key;
  setText(byId(id), t(key));
}

function busy(waiting) {
  byId("ack-confirm").disabled = waiting;
  setText(byId("ack-confirm"), t(waiting ? "ack.sending" : byId("ack-confirm").dataset.t));
}

async function confirm(event) {
  event.preventDefault();
  if (!current || byId("ack-confirm").disabled) return;
  busy(true);
  try {
    await order(`/api/v1/cases/${encodeURIComponent(current.case_id)}/acknowledge`, { note: byId("ack-note").value });
    box.close();
    setText(byId("polite"), t(answerOf(current).told, { name: titleOf(current) }));
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
