// Who may answer a case, and how: brigade and centre take it, a department or street signs for what it was told.
// Neither silences the other. It draws nothing and opens nothing.

import { closesByAcknowledging } from "./alarms.js";
import { account } from "./state.js";
import { brief, listed, nameOf, t } from "./text.js";

const ownReceipts = (row) => row.receipts.filter((one) => one.body_code === account.department);

// `wanted`: something is left to answer; `again`: for a further step. `button` and `what` are keys of the catalogue.
export function answerOf(row) {
  const open = row.state === "open";
  if (account.department) {
    const own = ownReceipts(row), done = own.some((one) => one.step === (row.step ?? ""));
    const again = own.length > 0 && !done;
    return { wanted: open && !done, again, done, title: "sign.title", what: "sign.what", confirm: "sign.confirm", told: "sign.done", button: again ? "sign.again" : "sign.button" };
  }
  const taken = Boolean(row.acknowledged_at), again = open && taken && row.acknowledged_step !== row.step;
  return {
    wanted: open ? !taken || again : isEndedUntaken(row), again, done: taken && !again,
    title: "ack.title", confirm: "ack.confirm", told: "ack.done",
    what: !open ? (row.kind === "fire" ? "ack.what.ended" : "ack.what.returned") : closesByAcknowledging(row) ? "ack.what.closes" : "ack.what",
    button: again ? "case.ack.again" : open && row.kind === "fire" ? "case.take" : "case.ack",
  };
}

// Came back to normal before anybody took it: in sight until somebody does.
export const isEndedUntaken = (row) => row.alarm_state === "returned_unacknowledged";

// Each body that has signed with its newest receipt, and that nobody has taken the case yet.
export function signedBy(row) {
  const newest = new Map(row.receipts.map((one) => [one.body_code, one]));
  if (!newest.size) return "";
  const said = listed([...newest.values()].map((one) => t("case.signed", { who: nameOf("bodies", one.body_code), at: brief(one.at) })));
  return row.acknowledged_at ? said : said + t(row.kind === "fire" ? "case.untaken.fire" : "case.untaken");
}
