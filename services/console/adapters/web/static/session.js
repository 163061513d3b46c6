// All tabs of a browser share one sign-in: when a tab ends or replaces it, the others look whether theirs still holds.
// Where tabs cannot talk, the server ends the stream within seconds and refuses whatever the page asks for.

import { ask } from "./api.js";
import { hear, tell } from "./channel.js";
import { account } from "./state.js";

const look = () => ask("/api/v1/me").catch(() => {}); // `ask` leads to the door

export function start() {
  hear((session) => {
    if (session !== account.session) look();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) look();
  });
  tell(account.session);
}
