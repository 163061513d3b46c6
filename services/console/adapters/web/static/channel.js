// What tabs of one browser tell each other: which sign-in a page was made for, "" at the door. Not every browser has it.

const channel = "BroadcastChannel" in window ? new BroadcastChannel("firenet.session") : null;

export const tell = (session) => channel?.postMessage(session);

export const hear = (listener) => channel?.addEventListener("message", (event) => listener(event.data));
