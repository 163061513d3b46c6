// What cases and units are called, and the sign that stands for them. It draws nothing and opens nothing.

import { brief, causeOf, has, listed, nameOf, named, recipientName, t, unitName, until } from "./text.js";

export const KIND_ICON = { connection_lost: "offline", never_connected: "never_connected", fire: "fire", fault: "fault", isolation: "isolated", test_overdue: "clock", runaway_component: "fault", common_cause: "common_cause", unreadable_alarm: "alarm", unregistered_alarm: "alarm" };

export const titleOf = (row) => (row.kind === "common_cause" ? causeOf(row.cause_key) : unitName(row));

// What somebody found on looking, with its cause where one was said.
export const foundOf = (one) => (one.cause ? t("verify.because", { finding: t(`verify.${one.finding}`), cause: t(`cause.${one.cause}`) }) : t(`verify.${one.finding}`));
export const foundBy = (one) => t("verify.pill", { finding: foundOf(one), who: nameOf("people", one.by), at: brief(one.at) });

export function stepName(row, code) {
  if (!code) return "";
  const planned = row.plan.find((step) => step.code === code);
  const point = /^.+\.p(\d+)$/.exec(code);
  if (point) return t("step.point", { n: point[1] });
  return (planned ? named([planned.name_zh, planned.name_en], "") : nameOf("steps", code)) || code;
}

// Why a step told nobody, by the codes of alerts.
export function whyNobody(codes) {
  return listed(codes.split(";").map((code) => {
    const [name, roles] = code.split(":");
    if (name === "no_contact") return t("nobody.no_contact", { who: listed((roles ?? "").split(",").filter(Boolean).map(recipientName)) });
    return has(`nobody.${name}`) ? t(`nobody.${name}`) : code;
  }));
}

export function shapeOf(row) {
  if (row.health === "fire") return "fire";
  if (row.partly_connected) return "partly";
  if (row.connection !== "online" && row.connection !== "exempt") return row.connection;
  return ["normal", "unknown"].includes(row.health) ? row.connection : row.health;
}

// A line that drops and comes back: connected, and said to be unstable for as long as it goes on.
export const lineOf = (row, key) => (row.line_drops && row.unstable_until && until(row.unstable_until) > 0 ? t(key, { n: row.line_drops }) : "");
