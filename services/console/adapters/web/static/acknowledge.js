// Take cases or sign for them: a note and a confirmation, by mouse or keyboard alone.

import { answerOf } from "./answers.js";
import { order, worded } from "./api.js";
import { byId, setText, show } from "./dom.js";
import { listed, t } from "./text.js";
import { titleOf } from "./words.js";

const NAMED = 3;
const box = byId("ack");
let current = [];
let opener = null;

// One case, or many that the reader has ticked.
export function openAcknowledge(rows) {
  current = rows;
  const [first] = rows, answer = answerOf(first), many = rows.length > 1;
  setText(byId("ack-name"), many ? t("bulk.names", { n: rows.length, names: listed(rows.slice(0, NAMED).map(titleOf)) }) : `${t(`kind.${first.kind}`)} · ${titleOf(first)}`);
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
  if (!current.length || byId("ack-confirm").disabled) return;
  busy(true);
  const note = byId("ack-note").value;
  try {
    const said = current.length > 1 ? await sendAll(note) : await send(note);
    box.close();
    setText(byId("polite"), said);
  } catch (error) {
    setText(byId("ack-problem"), worded(error));
    show(byId("ack-problem"), true);
    busy(false);
    byId("ack-confirm").focus();
  }
}

async function send(note) {
  const [row] = current;
  await order(`/api/v1/cases/${encodeURIComponent(row.case_id)}/acknowledge`, { note });
  return t(answerOf(row).told, { name: titleOf(row) });
}

async function sendAll(note) {
  const { replies } = await order("/api/v1/cases/acknowledge", { case_ids: current.map((row) => row.case_id), note });
  const done = Object.values(replies).filter((reply) => reply === "done" || reply === "already").length;
  return t(done === current.length ? "bulk.done" : "bulk.done.some", { n: done, rest: current.length - done });
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
