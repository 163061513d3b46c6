// The keyboard: one key for each thing that a duty officer does all day, and a sheet that lists them.
// Off for whoever dictates to the machine or bumps into keys: the sheet has a switch.

import { openAcknowledge } from "./acknowledge.js";
import { answerOf } from "./answers.js";
import { chosenRows, toggle } from "./case_choice.js";
import { turn } from "./case_list.js";
import { order } from "./api.js";
import { byId, h, setText } from "./dom.js";
import { account, keep, kept } from "./state.js";
import { t } from "./text.js";

const KEYS = [["j", "next"], ["k", "previous"], ["Enter", "open"], ["x", "choose"], ["a", "acknowledge"], ["o", "own"], ["c", "comment"], ["n", "page.next"], ["p", "page.before"], ["/", "search"], ["f", "fires"], ["?", "help"], ["Esc", "close"]];
let on = true;

export function start() {
  on = kept("firenet_keys") !== "off";
  byId("keys-on").checked = on;
  byId("keys-on").addEventListener("change", (event) => {
    on = event.target.checked;
    keep("keys", on ? "on" : "off");
  });
  byId("keys-open").addEventListener("click", help);
  byId("keys-close").addEventListener("click", () => byId("keys").close());
  document.addEventListener("keydown", press);
}

export function render() {
  const shown = account.department ? KEYS.filter(([, name]) => name !== "own") : KEYS;
  byId("keys-list").replaceChildren(...shown.flatMap(([key, name]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(`keys.${name}`))]));
}

function help() {
  const box = byId("keys");
  if (box.open) return;
  render();
  box.show();
  byId("keys-close").focus();
}

const typing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
const rows = () => [...byId("cases").querySelectorAll(".case")];
const focused = () => document.activeElement?.closest?.(".case");

function press(event) {
  if (event.key === "Escape" && byId("keys").open) {
    event.preventDefault();
    byId("keys").close();
    return;
  }
  if (!on || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
  if (byId("ack").open || byId("keys").open) return;
  const act = ACTS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function move(by) {
  const all = rows();
  const at = all.indexOf(focused());
  const to = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
  to?.querySelector(".case-name").focus();
}

const ACTS = {
  j: () => move(1),
  k: () => move(-1),
  x: () => focused() && toggle(focused().row),
  a: () => {
    const row = focused()?.row;
    const many = chosenRows();
    if (many.length) openAcknowledge(many);
    else if (row && answerOf(row).wanted) openAcknowledge([row]);
  },
  o: () => {
    const row = focused()?.row;
    if (!row || account.department || row.state !== "open") return;
    const act = row.owner?.account === account.username ? "release" : "own";
    order(`/api/v1/cases/${encodeURIComponent(row.case_id)}/${act}`, {}).then(
      () => setText(byId("polite"), t(`work.${act}.done`)),
      (error) => setText(byId("polite"), t(`error.${error.code ?? "internal"}`)),
    );
  },
  c: () => {
    if (!byId("drawer").open) focused()?.querySelector(".case-name").click();
    waitFor("#comment-text");
  },
  n: () => turn(true),
  p: () => turn(false),
  "/": () => byId("case-search").focus(),
  f: () => byId("fires").querySelector("button, a")?.focus(),
  "?": help,
};

// The drawer is filled when its case has come.
function waitFor(selector, tries = 40) {
  const found = byId("drawer").querySelector(selector);
  if (found) found.focus();
  else if (tries > 0) setTimeout(() => waitFor(selector, tries - 1), 50);
}

