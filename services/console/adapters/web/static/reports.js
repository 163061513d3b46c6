// Which reports there are of a district, street or department: closed periods, and those that are not closed yet.

import { ask, newestOf, worded } from "./api.js";
import { byId, h, say, show } from "./dom.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { on, state } from "./state.js";
import { named, t } from "./text.js";

const GROUPS = ["district", "town", "department"];
const KINDS = ["month", "week", "day", "quarter", "half_year", "year"];

const query = new URLSearchParams(location.search);
let subject = query.get("of") && query.get("value") ? `${query.get("of")}:${query.get("value")}` : "";
let known = { subjects: [], names: {}, district: null };
let periods = [];

const subjectName = (one) => (one.dimension === "district" ? named(known.district, one.value) : named(known.names[one.value], one.value));

function asked() {
  const [of, ...rest] = subject.split(":");
  return new URLSearchParams({ of, value: rest.join(":") });
}

async function begin() {
  try {
    known = await ask("/api/v1/history/subjects");
  } catch (error) {
    tell(error);
    return;
  }
  if (!subject && known.subjects.length) subject = `${known.subjects[0].dimension}:${known.subjects[0].value}`;
  controls();
  if (subject) load();
  else show(byId("empty"), true);
}

const fetched = newestOf(
  (answer) => {
    ({ periods } = answer);
    say("");
  },
  (error) => {
    periods = [];
    tell(error);
  },
);

async function load() {
  if (await fetched(`/api/v1/reports?${asked()}`)) draw();
}

const tell = (error) => say(worded(error), true);

function controls() {
  byId("subject").replaceChildren(...GROUPS.map((group) => [group, known.subjects.filter((one) => one.dimension === group)])
    .filter(([, members]) => members.length)
    .map(([group, members]) => h("optgroup", { label: t(`history.group.${group}`) }, members.map((one) => h("option", { value: `${one.dimension}:${one.value}` }, subjectName(one))))));
  byId("subject").value = subject;
}

function draw() {
  const lists = KINDS.map((kind) => [kind, periods.filter((one) => one.kind === kind)]).filter(([, found]) => found.length);
  byId("lists").replaceChildren(...lists.map(([kind, found]) => h("section", { class: "panel", "aria-labelledby": `kind-${kind}` },
    h("header", { class: "panel-head" }, h("h2", { id: `kind-${kind}` }, t(`report.kind.${kind}`))),
    h("ul", { tabindex: "0", "aria-labelledby": `kind-${kind}` }, found.map(line)))));
  show(byId("empty"), periods.length === 0);
}

function line(one) {
  const wanted = asked();
  wanted.set("period", one.kind);
  wanted.set("from", one.first);
  const word = one.revision === 0 ? "open" : one.revision === 1 ? "closed" : "revised";
  return h("li", { dataset: { kind: one.kind, first: one.first } },
    h("a", { href: `/reports/one?${wanted}` },
      h("span", { class: "num" }, one.first === one.last ? one.first : `${one.first} – ${one.last}`),
      h("span", { class: `badge ${word}` }, t(`reports.state.${word}`, { n: one.revision }))));
}

preferences.start();
on("language", () => {
  preferences.render();
  controls();
  draw();
});
byId("asked").addEventListener("submit", (event) => event.preventDefault());
byId("subject").addEventListener("change", (event) => {
  subject = event.target.value;
  history.replaceState(null, "", `?${asked()}`);
  load();
});
document.documentElement.dataset.lang = state.lang;
preferences.render();
session.start();
begin();
