// Language and theme, on every page: what the reader chose is kept, and texts follow at once.

import { byId, icon, setText } from "./dom.js";
import { emit, keep, state } from "./state.js";
import { t } from "./text.js";

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
}

export function label(element, text) {
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
  for (const element of document.querySelectorAll("[data-zh]")) setText(element, (state.lang === "en" && element.dataset.en) || element.dataset.zh);
  byId("theme").replaceChildren(icon(THEME_ICON[state.theme]));
  label(byId("theme"), t(`bar.theme.${state.theme}`));
  byId("language").lang = state.lang === "zh" ? "en" : "zh-CN";
}
