// A list that grows, and one of its rows in a drawer with acts upon it: pages of documents, mails and listings.

import { ask, worded } from "./api.js";
import { byId, h } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on, state } from "./state.js";

// `view`: { id, limit } of the page. `shown` returns the row in the drawer, `take` sets it, `opener` returns what had the focus before.
export function listWithDrawer({ view, step, most, draw, sheet, remember, load, open, shown, take, opener }) {
  // Does it, shows what stands then, and says how it ended. What was typed stays where it was refused.
  async function act(event, done, work) {
    event.preventDefault();
    const form = event.target.closest("form") ?? event.target;
    const buttons = form.matches("button") ? [form] : [...form.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    try {
      take(await work(form));
      sheet(done);
      byId("drawer").querySelector("[data-role=close]").focus();
    } catch (error) {
      for (const button of buttons) button.disabled = false;
      form.querySelector(":scope > .said")?.remove();
      const problem = h("p", { class: "said bad", role: "alert" }, worded(error));
      if (form.matches("button")) form.after(problem);
      else form.append(problem);
    }
    await load();
  }

  async function start() {
    preferences.start();
    on("language", () => {
      preferences.render();
      draw();
      if (shown() && byId("drawer").open) sheet();
    });
    byId("more").addEventListener("click", () => {
      view.limit = Math.min(most, view.limit + step);
      load();
    });
    byId("drawer").addEventListener("close", () => {
      view.id = null;
      remember();
      if (opener()?.isConnected) opener().focus();
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && byId("drawer").open) byId("drawer").close();
    });
    session.start();
    preferences.render();
    try {
      state.sections.names = await ask("/api/v1/summary/names");
    } catch {
      // bodies are shown by their codes then
    }
    await load();
    if (view.id) open(view.id);
  }

  return { act, start };
}
