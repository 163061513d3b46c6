// Numbers to call, for those who may: a link that a telephone, or a computer with one, dials.

import { h } from "./dom.js";
import { t } from "./text.js";

// 0591-87654321-801 is dialled with its extension; 400-123-4567 has none.
function dial(number) {
  const parts = number.split("-");
  const plain = number.startsWith("0") && parts.length === 3;
  return plain ? `tel:${parts[0]}-${parts[1]};ext=${parts[2]}` : `tel:${number}`;
}

export function callLink(phone, extra = "") {
  const who = t(`phones.${phone.role}`);
  return h("a", { class: `call ${extra}`, href: dial(phone.number), "aria-label": t("phones.call", { who: [who, phone.name].filter(Boolean).join(" "), number: phone.number }) }, h("span", { class: "call-who" }, phone.name ? `${who} ${phone.name}` : who), " ", h("b", { class: "num" }, phone.number));
}

export const phoneList = (phones) => h("ul", { class: "phones" }, phones.map((phone) => h("li", {}, callLink(phone))));
