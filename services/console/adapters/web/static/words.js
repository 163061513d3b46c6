// What cases and units are called, and the sign that stands for them. It draws nothing and opens nothing.

import { causeOf, nameOf, named, t, unitName, until } from "./text.js";

export const KIND_ICON = { connection_lost: "offline", never_connected: "never_connected", fire: "fire", fault: "fault", isolation: "isolated", common_cause: "common_cause", unreadable_alarm: "alarm", unregistered_alarm: "alarm" };

export const titleOf = (row) => (row.kind === "common_cause" ? causeOf(row.cause_key) : unitName(row));

export function stepName(row, code) {
  if (!code) return "";
  const planned = row.plan.find((step) => step.code === code);
  const name = planned ? named([planned.name_zh, planned.name_en], "") : nameOf("steps", code);
  return name && name !== code ? `${code} ${name}` : code;
}

export function shapeOf(row) {
  if (row.health === "fire") return "fire";
  if (row.partly_connected) return "partly";
  if (row.connection !== "online" && row.connection !== "exempt") return row.connection;
  return ["normal", "unknown"].includes(row.health) ? row.connection : row.health;
}

// A line that drops and comes back: connected, and said to be unstable for as long as it goes on.
export const lineOf = (row, key) => (row.line_drops && row.unstable_until && until(row.unstable_until) > 0 ? t(key, { n: row.line_drops }) : "");
