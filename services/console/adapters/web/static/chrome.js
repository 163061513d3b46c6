// Frame of the live page: full screen, whose slice this is.

import { byId, setText } from "./dom.js";
import * as preferences from "./preferences.js";
import { account, on, state } from "./state.js";
import { named, nameOf, t } from "./text.js";

export function start() {
  preferences.start();
  byId("fullscreen").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => {});
  });
  on("second", () => setText(byId("slice"), slice()));
  const size = new ResizeObserver(uncover);
  for (const part of covering()) size.observe(part);
  addEventListener("scroll", uncover, { passive: true });
  addEventListener("resize", uncover);
}

const covering = () => [document.querySelector(".bar"), byId("stale"), byId("fires")];

// Drawer and box begin below the bar and the fires: what burns stays in sight and within reach.
function uncover() {
  const bottoms = covering().filter((part) => !part.hidden).map((part) => part.getBoundingClientRect().bottom);
  document.documentElement.style.setProperty("--covered", `${Math.max(0, ...bottoms)}px`);
}

function slice() {
  const district = named(state.sections.names?.district, "");
  if (!account.department) return district || t("bar.slice.whole");
  return t("bar.slice.own", { name: nameOf("bodies", account.department) });
}

export function render() {
  preferences.render();
  setText(byId("slice"), slice());
}
