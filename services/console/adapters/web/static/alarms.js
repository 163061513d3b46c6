// What is to be known of kinds of cases that burn, or may burn. It draws nothing and opens nothing.

import { account } from "./state.js";

// What burns or may burn: they speak through the banner.
export const URGENT = ["fire", "unreadable_alarm", "unregistered_alarm"];

// Nothing that a device sends ends these: the acknowledgement does.
export const closesByAcknowledging = (row) => row.kind === "unreadable_alarm" || row.kind === "unregistered_alarm";

// Where what came is kept as it came; "" for those who may not look at it.
export function rawOf(row) {
  if (account.department || row.kind !== "unregistered_alarm") return "";
  const claimed = (row.unit_id ?? "").replace(/^\?/, "");
  return claimed ? `/refusals?gateway=${encodeURIComponent(claimed)}` : "/refusals?reason=unknown_gateway";
}
