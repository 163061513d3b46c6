// A tone for what burns or may burn, again and again until somebody has taken it. On unless the reader switched it off.
// A browser lets no page sound before the first click or key on it: until then the button says so, in words.

import { byId, icon } from "./dom.js";
import { label } from "./preferences.js";
import { account, keep, kept, on, state } from "./state.js";
import { t } from "./text.js";

const EVERY_MS = 8000;
const TONES = 3;
const SHIFT_S = 12 * 3600; // who switched it off does so for himself, not for who comes after him
let audio = null;
let ringing = false;

export function start() {
  // whoever only signs for papers works no fire: silent unless asked for
  state.sound = kept("firenet_sound") ? kept("firenet_sound") === "on" : !account.department;
  // not on pointerdown: the button shrinks then, and what was pressed is no longer under the pointer when it is released
  for (const gesture of ["click", "keydown"]) addEventListener(gesture, unlock, { capture: true });
  byId("sound").addEventListener("click", () => {
    state.sound = !state.sound;
    keep("sound", state.sound ? "on" : "off", SHIFT_S);
    render();
    if (state.sound) beep(660, 0.12, 0);
  });
  on("fires", ring);
  setInterval(ring, EVERY_MS);
}

const audible = () => audio?.state === "running";

function unlock(event) {
  const asked = Boolean(event.target.closest?.("#sound"));
  if (!state.sound || audible() || (asked && event.type === "keydown")) return;
  audio ??= new AudioContext();
  audio.resume().then(() => {
    render();
    ring();
  });
  if (asked) event.stopPropagation(); // the click that asks for sound must not switch it off in the same breath
}

function ring() {
  const waiting = (state.sections.fires ?? []).some((fire) => !fire.acknowledged_at && !fire.ended_at);
  if (waiting && !ringing) render();
  ringing = waiting;
  if (waiting && state.sound && audible()) for (let i = 0; i < TONES; i += 1) beep(880, 0.25, i * 0.4);
}

function beep(frequency, seconds, delay) {
  audio ??= new AudioContext();
  const tone = audio.createOscillator(), volume = audio.createGain();
  const begin = audio.currentTime + delay;
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0.15, begin);
  volume.gain.exponentialRampToValueAtTime(0.0001, begin + seconds);
  tone.connect(volume).connect(audio.destination);
  tone.start(begin);
  tone.stop(begin + seconds);
}

export function render() {
  const button = byId("sound");
  const silent = !state.sound || !audible();
  const word = !state.sound ? t("bar.sound.off") : audible() ? "" : t("bar.sound.locked");
  button.classList.toggle("silent", silent && !account.department); // silence is no danger where no fire is worked
  button.setAttribute("aria-pressed", String(state.sound));
  button.replaceChildren(icon(silent ? "sound_off" : "sound_on"), Object.assign(document.createElement("span"), { textContent: word, hidden: !word || Boolean(account.department) }));
  label(button, t(!state.sound ? "bar.sound.off" : audible() ? "bar.sound.on" : "bar.sound.locked"));
}
