// Remembers the language that was chosen at the door, and tells the other tabs that somebody stands at it.

import { tell } from "./channel.js";

tell("");

for (const link of document.querySelectorAll("[data-lang-link]")) {
  link.addEventListener("click", () => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `firenet_lang=${link.dataset.langLink}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  });
}
