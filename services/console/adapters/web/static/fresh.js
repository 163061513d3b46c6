// The permanent freshness mark, and the banner that says when the page must not be believed.

import { byId, icon, setText, show } from "./dom.js";
import { on, state } from "./state.js";
import { LOST_AFTER_S, silentFor } from "./stream.js";
import { clock, span, stamp, t, until } from "./text.js";

const ICON = { live: "online", connecting: "clock", impaired: "late", ahead: "clock" };
// Without trust the figures are hatched; with part of it only the banner speaks.
const TRUST = { live: "full", connecting: "full", impaired: "part", partly_blind: "part", ahead: "part" };

export function start() {
  on("fresh", render);
  on("second", render);
}

function condition() {
  if (silentFor() > LOST_AFTER_S) return "lost";
  return state.fresh?.state ?? "connecting";
}

export function render() {
  const now = condition();
  const mark = byId("fresh");
  if (mark.dataset.state !== now) {
    mark.dataset.state = now;
    byId("fresh-icon").replaceChildren(icon(ICON[now] ?? "signal_lost"));
  }
  state.lost = now === "lost";
  document.documentElement.dataset.stream = state.lost ? "lost" : "there";
  document.documentElement.dataset.trust = TRUST[now] ?? "none";
  setText(byId("fresh-word"), t(`fresh.${now}`));
  const time = byId("fresh-time");
  setText(time, clock(state.fresh?.as_of));
  if (state.fresh?.as_of) time.dateTime = state.fresh.as_of;
  banner(now);
}

function banner(now) {
  const bar = byId("stale");
  const speaks = now !== "live" && now !== "connecting";
  if (speaks) {
    const at = state.fresh?.as_of ? stamp(state.fresh.as_of) : t("fresh.never");
    // Steps of ten seconds: a screen reader should not hear every one of them.
    const s = Math.floor(silentFor() / 10) * 10;
    const ahead = now === "ahead" ? span(Math.ceil(until(state.fresh.as_of) / 10) * 10) : "";
    const text = t(`stale.${now}`, { s, at, ahead, n: state.fresh?.blind, all: state.fresh?.partitions });
    if (bar.dataset.text !== text) {
      bar.dataset.text = text;
      bar.dataset.state = now;
      const word = document.createElement("span");
      word.textContent = text;
      bar.replaceChildren(icon(ICON[now] ?? "signal_lost"), word);
    }
  } else {
    delete bar.dataset.text;
    bar.replaceChildren();
  }
  show(bar, speaks);
}
