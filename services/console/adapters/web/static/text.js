// The catalogue in the reader's language, and how figures and instants are written.

import { state } from "./state.js";

const catalogue = await (await fetch(new URL("catalogue.json", import.meta.url))).json();

export function t(key, values) {
  const text = catalogue[key]?.[state.lang] ?? key;
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// The keys of a family with their English sentences, as services write them.
export const keysOf = (family) => Object.keys(catalogue).filter((key) => key.startsWith(`${family}.`)).map((key) => [key, catalogue[key].en]);

// The same as patterns, by which such a sentence is known again; `what(name)`: what may stand in a place of it.
export function sentences(family, what) {
  const quoted = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  const pattern = (text) => new RegExp(`^${quoted(text).replace(/\{(\w+)\}/g, (_, name) => `(?<${name}>${what(name)})`)}$`, "s");
  return keysOf(family).map(([key, text]) => ({ key, pattern: pattern(text) }));
}

export const has = (key) => key in catalogue;

// A pair [zh, en] of the registry or the pack.
export const named = (pair, code) => (pair ? pair[state.lang === "en" ? 1 : 0] || pair[0] || code : code);

export function nameOf(kind, code) {
  return named(state.sections.names?.[kind]?.[code], code);
}

// A component as its controller calls it, with its address: both are needed to find it.
export function componentName(one) {
  const address = [one.system, one.address].filter(Boolean).join(" ");
  return one.label ? t("component.named", { label: one.label, address }) : address;
}

export const unitName = (row) => (state.lang === "en" && (row.name_en || row.unit_name_en)) || row.name || row.unit_name || row.unit_id;

export const addressOf = (row) => (state.lang === "en" && row.address_en) || row.address;

export const listed = (names) => names.join(state.lang === "zh" ? "、" : ", ");

// A declared event of an area: its days, and where. Who reads a figure of one of them has to know.
export const eventLine = (event, townName) => t("event.line", { name: named(event.name, ""), first: event.first, last: event.last, where: event.towns.length ? listed(event.towns.map(townName)) : named(event.within, "") || t("event.whole") });
export const eventsNow = () => (state.sections.names?.events ?? []).filter((event) => event.first <= dayNow() && dayNow() <= event.last).map((event) => eventLine(event, (code) => nameOf("bodies", code))).join(" ");

export function recipientName(code) {
  if (has(`recipient.${code}`)) return t(`recipient.${code}`);
  return nameOf("bodies", code);
}

export function causeOf(key) {
  const [kind, ...rest] = (key ?? "").split(":");
  const value = rest.join(":");
  if (kind === "town") return t("cause.town", { name: nameOf("bodies", value) });
  if (kind === "carrier") return t("cause.carrier", { name: value });
  if (kind === "district") return t("cause.district");
  return key ?? "";
}

const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

function split(instant) {
  const found = {};
  for (const part of parts.formatToParts(new Date(instant))) found[part.type] = part.value;
  return found;
}

export function clock(instant) {
  if (!instant) return "--:--:--";
  const at = split(instant);
  return `${at.hour}:${at.minute}:${at.second}`;
}

export function stamp(instant) {
  if (!instant) return "—";
  const at = split(instant);
  return `${at.year}-${at.month}-${at.day} ${at.hour}:${at.minute}:${at.second}`;
}

// Time of day when it is today in Shanghai, otherwise with its date.
export function brief(instant) {
  if (!instant) return "—";
  const at = split(instant), today = split(now());
  const time = `${at.hour}:${at.minute}`;
  if (at.year !== today.year) return `${at.year}-${at.month}-${at.day} ${time}`;
  return at.month === today.month && at.day === today.day ? time : `${at.month}-${at.day} ${time}`;
}

// Seconds as H:MM:SS; from a day on in days and hours, which do not tick.
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600), minutes = Math.floor((whole % 3600) / 60);
  if (days) return t("time.days.hours", { d: days, h: hours });
  const rest = hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${two(minutes)}:${two(whole % 60)}`;
  return rest;
}

export const now = () => Date.now() + state.skew;
export const dayNow = () => new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Shanghai" }).format(new Date(now()));
export const since = (instant) => (now() - new Date(instant).getTime()) / 1000;
export const until = (instant) => -since(instant);

export const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
