// What the reader may do with a case in the drawer beside answering it: work on it, say what was found, write beside it.

import { URGENT } from "./alarms.js";
import { order } from "./api.js";
import { byId, h, setText, show } from "./dom.js";
import { account } from "./state.js";
import { nameOf, stamp, t, until } from "./text.js";
import { foundOf, titleOf } from "./words.js";

const SHELVE_MINUTES = [60, 240, 480, 1440];
// The causes of each finding, as in the words of the kernel.
const FINDINGS = {
  true_alarm: ["electrical", "open_flame", "cooking", "hot_work", "arson_suspected", "other", "unknown"],
  false_alarm: ["fumes", "insect", "device_fault", "works", "pressed_by_mistake", "unannounced_test", "other", "unknown"],
};
const path = (row, act) => `/api/v1/cases/${encodeURIComponent(row.case_id)}/${act}`;

// Runs an order; what went wrong is said beside the button that was pressed.
async function act(button, problem, send, done) {
  button.disabled = true;
  show(problem, false);
  try {
    await send();
    done();
  } catch (error) {
    const said = t(`error.${error.code ?? "internal"}`);
    if (problem.isConnected) {
      setText(problem, said);
      show(problem, true);
    } else setText(byId("polite"), said);
  } finally {
    button.disabled = false;
  }
}

// The drawer may have been drawn anew meanwhile, with the draft in a new field.
function sent(ids, changed) {
  for (const field of ids.map(byId)) if (field) field.value = "";
  changed();
}

const problemLine = () => h("p", { class: "box-problem", role: "alert", hidden: true });

export function ownership(row, changed) {
  if (row.state !== "open" || account.department) return null;
  const mine = row.owner?.account === account.username, problem = problemLine();
  const press = (name) => (event) => act(event.currentTarget, problem, () => order(path(row, name), {}), changed);
  const button = mine
    ? h("button", { type: "button", class: "ack", dataset: { role: "own" }, onclick: press("release") }, t("work.release"))
    : h("button", { type: "button", class: "ack", dataset: { role: "own" }, onclick: press("own") }, t(row.owner ? "work.over" : "work.own"));
  const said = mine ? t("work.mine", { at: stamp(row.owner.until) }) : row.owner ? t("work.owner", { who: nameOf("people", row.owner.name) }) : t("work.nobody");
  return h("div", { class: "work-line" }, h("span", {}, said), button, problem);
}

// Where the case stands in the queue: out of sight for a while, its next step now, one of those of a common cause.
export function queue(row, causes, changed) {
  if (row.state !== "open" || account.department || URGENT.includes(row.kind)) return null;
  const problem = problemLine(), lines = [];
  const press = (name, body, done = changed) => (event) => act(event.currentTarget, problem, () => order(path(row, name), body()), done);
  const line = (...parts) => lines.push(h("div", { class: "work-line" }, ...parts));
  const choice = (role, label, pairs) => h("select", { "aria-label": t(label), dataset: { role } }, pairs.map(([value, text]) => h("option", { value }, text)));
  if (row.shelved) {
    line(h("span", {}, t("shelve.until", { who: row.shelved.by, at: stamp(row.shelved.until) })),
      h("button", { type: "button", class: "ack", dataset: { role: "shelve" }, onclick: press("unshelve", () => ({})) }, t("shelve.end")));
  } else {
    const minutes = choice("shelve-for", "shelve.for", SHELVE_MINUTES.map((n) => [n, t("shelve.hours", { n: n / 60 })]));
    line(minutes, h("button", { type: "button", class: "ack", dataset: { role: "shelve" }, onclick: press("shelve", () => ({ minutes: Number(minutes.value) })) }, t("shelve.button")));
  }
  if (row.next_step_at && !(row.held_until && until(row.held_until) > 0)) line(h("span", { class: "quiet" }, t("escalate.what")), h("button", { type: "button", class: "ack", dataset: { role: "escalate" }, onclick: press("escalate", () => ({ step: row.next_step })) }, t("escalate.button")));
  if (row.kind === "connection_lost" && causes.length) {
    const into = choice("merge-into", "merge.into", causes.map((one) => [one.case_id, titleOf(one)]));
    line(into, h("button", { type: "button", class: "ack", dataset: { role: "merge" }, onclick: press("merge", () => ({ into: into.value })) }, t("merge.button")));
  }
  return h("div", { class: "queue no-print" }, ...lines, problem);
}

export function verification(detail, changed) {
  const row = detail.case;
  if (!URGENT.includes(row.kind)) return null;
  const found = h("ul", { class: "receipts" }, detail.verifications.map((one) =>
    h("li", {}, t("verify.by", { who: nameOf("people", one.by), at: stamp(one.at), finding: foundOf(one) }), one.note ? h("q", {}, one.note) : null)));
  if (account.department) return detail.verifications.length ? found : null;
  const problem = problemLine();
  const note = h("input", { type: "text", id: "verify-note", class: "text-field", maxlength: "500", autocomplete: "off", dataset: { role: "verify-note", draft: "verify-note" } });
  const causeId = (finding) => `cause-of-${finding}`;
  const fields = ["verify-note", ...Object.keys(FINDINGS).map(causeId)];
  const buttons = Object.entries(FINDINGS).map(([finding, causes]) => {
    // chosen before, it stays when the same is found once more; an empty one is never asked for
    const said = row.verified?.finding === finding ? row.verified.cause : null;
    const cause = h("select", { id: causeId(finding), "aria-label": t("verify.cause", { finding: t(`verify.${finding}`) }), dataset: { role: causeId(finding), draft: causeId(finding) } },
      h("option", { value: "" }, t("verify.cause.none")), causes.map((one) => h("option", { value: one, selected: one === said }, t(`cause.${one}`))));
    return h("span", { class: "work-line" }, h("button", {
      type: "button", class: "ack", dataset: { role: finding },
      onclick: (event) => act(event.currentTarget, problem, () => order(path(row, "verify"), { finding, note: note.value, cause: cause.value || null }), () => sent(fields, changed)),
    }, t(`verify.${finding}`)), cause);
  });
  return h("div", { class: "verify" }, detail.verifications.length ? found : null,
    h("div", { class: "no-print" }, h("p", { class: "quiet" }, t("verify.what")), h("p", { class: "quiet" }, t("verify.later")), h("label", { for: "verify-note" }, t("verify.note")), note, h("div", { class: "verify-buttons" }, buttons), problem));
}

export function comments(detail, changed) {
  const row = detail.case, problem = problemLine();
  const text = h("textarea", { id: "comment-text", rows: "2", maxlength: "500", dataset: { role: "comment", draft: "comment" } });
  const button = h("button", { type: "submit", class: "ack", dataset: { role: "comment-send" } }, t("comments.send"));
  const send = (event) => {
    event.preventDefault();
    if (!text.value.trim() || button.disabled) return;
    act(button, problem, () => order(path(row, "comments"), { text: text.value }), () => sent(["comment-text"], changed));
  };
  text.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event));
  return h("div", { class: "comments" },
    detail.comments.length ? h("ul", {}, detail.comments.map((one) =>
      h("li", {}, h("p", { class: "quiet" }, [nameOf("people", one.by), one.body_code ? nameOf("bodies", one.body_code) : "", stamp(one.at)].filter(Boolean).join(" · ")), h("p", { class: "comment-said" }, one.text)))) : h("p", { class: "quiet" }, t("comments.none")),
    h("form", { class: "no-print", onsubmit: send }, h("label", { for: "comment-text" }, t("comments.write")), text, h("div", { class: "work-line" }, h("span", { class: "quiet" }, t("comments.hint")), button), problem));
}
