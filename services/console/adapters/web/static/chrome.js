// Frame of the page: language, theme, sound, full screen, whose slice this is.

import { byId, icon, setText } from "./dom.js";
import { account, emit, keep, on, state } from "./state.js";
import { named, nameOf, t } from "./text.js";

const THEMES = ["auto", "light", "dark"];
const THEME_ICON = { auto: "auto", light: "sun", dark: "moon" };

export function start() {
  byId("language").addEventListener("click", () => {
    state.lang = state.lang === "zh" ? "en" : "zh";
    keep("lang", state.lang);
    document.documentElement.lang = state.lang === "zh" ? "zh-CN" : "en";
    document.documentElement.dataset.lang = state.lang;
    emit("language");
  });
  byId("theme").addEventListener("click", () => {
    state.theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
    keep("theme", state.theme);
    document.documentElement.dataset.theme = state.theme;
    render();
  });
  byId("sound").addEventListener("click", () => {
    state.sound = !state.sound;
    render();
    if (state.sound) emit("sound");
  });
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

function label(element, text) {
  element.setAttribute("aria-label", text);
  element.title = text;
}

export function render() {
  for (const element of document.querySelectorAll("[data-t]")) setText(element, t(element.dataset.t));
  for (const element of document.querySelectorAll("[data-t-label]")) {
    const text = t(element.dataset.tLabel);
    element.setAttribute("aria-label", text);
    if (element.tagName === "INPUT") element.placeholder = text;
    if (element.tagName === "BUTTON") element.title = text;
  }
  for (const element of document.querySelectorAll("[data-t-placeholder]")) element.placeholder = t(element.dataset.tPlaceholder);
  byId("theme").replaceChildren(icon(THEME_ICON[state.theme]));
  label(byId("theme"), t(`bar.theme.${state.theme}`));
  byId("sound").replaceChildren(icon(state.sound ? "sound_on" : "sound_off"));
  byId("sound").setAttribute("aria-pressed", String(state.sound));
  label(byId("sound"), t(state.sound ? "bar.sound.on" : "bar.sound.off"));
  byId("language").lang = state.lang === "zh" ? "en" : "zh-CN";
  setText(byId("slice"), slice());
}
