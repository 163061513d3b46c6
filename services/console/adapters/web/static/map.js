// The map: a mark per unit, or per community where there are many. Shape and word say what colour says; the list beside it
// has the same marks for the keyboard. It is read anew when the live stream says that units changed.

import { newestOf, worded } from "./api.js";
import { byId, h, icon, patchList, say, setText, show } from "./dom.js";
import * as fresh from "./fresh.js";
import { fit, pixelOf, scheme, tilesOf, zoomed } from "./map_ground.js";
import * as preferences from "./preferences.js";
import * as session from "./session.js";
import { emit, on, state } from "./state.js";
import * as stream from "./stream.js";
import { nameOf, number, t, unitName } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const AGAIN_MS = 2000; // of a district where much happens: no sooner than this
const SETTLED_MS = 1200; // the server answers equal questions once a second: what it kept from before the change is gone then
const HEALTH = ["fire", "fault", "isolated", "partly_isolated"];
const ORDER = ["fire", "offline", "partly", "never_connected", "fault", "isolated", "partly_isolated", "unknown", "late", "commissioning", "online", "exempt"];
const WELL = ["online", "exempt"];
const PAN = 80;
const SEAM = 0.5; // that no line shows between tiles which are drawn at parts of a pixel
const NAME = 8; // letters of a community's name below its mark; the list has all of it
const query = new URLSearchParams(location.search);
const where = { town: query.get("town"), community: query.get("community") };
const ground = byId("ground");
const tiles = byId("main").dataset.tiles;
let found = null;
let picked = query.get("view");
let view = null;
let hot = null;
let token = "";
let waiting = null;
let readAt = 0;

const word = (shape) => (shape === "partly" ? t("connection.partly") : HEALTH.includes(shape) ? t(`health.${shape}`) : t(`connection.${shape}`));
const keyOf = (mark) => mark.unit_id ?? `${mark.town}/${mark.community}`;
const titleOf = (mark) => (mark.unit_id ? unitName(mark) : mark.community);
const unitsOf = (mark) => Object.values(mark.shapes).reduce((sum, n) => sum + n, 0);
const placed = () => found.marks.filter((mark) => mark.at);
const shown = () => picked ?? (tiles || found.placed * 2 >= Math.max(1, found.units) ? "place" : "scheme");

function remember() {
  const wanted = new URLSearchParams();
  for (const name of ["town", "community"]) if (where[name]) wanted.set(name, where[name]);
  if (picked) wanted.set("view", picked);
  const text = wanted.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

const fetched = newestOf(
  (answer) => {
    found = answer;
    say("");
    draw();
  },
  (error) => say(worded(error), true),
);

async function load() {
  readAt = performance.now();
  const asked = new URLSearchParams();
  for (const name of ["town", "community"]) if (where[name]) asked.set(name, where[name]);
  await fetched(`/api/v1/map?${asked}`);
}

// At most one reading is planned; a hidden page plans none, and looks again when it is seen.
function again() {
  if (document.hidden) return;
  waiting ??= setTimeout(() => {
    waiting = null;
    load();
  }, Math.max(SETTLED_MS, readAt + AGAIN_MS - performance.now()));
}

function go(change) {
  Object.assign(where, change);
  view = null;
  found = null;
  remember();
  load();
}

// --- the ground

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function text(x, y, name, what) {
  return svg("text", { x, y, class: name }, document.createTextNode(what));
}

const sprite = new URL("icons.svg", import.meta.url).pathname;

function drawMark(mark, [x, y], name = "") {
  const many = mark.unit_id === null, half = many ? 12 : 9;
  const well = WELL.includes(mark.worst);
  const group = svg("g", { class: `mark-sign s-${mark.worst}${well ? " well" : ""}${keyOf(mark) === hot ? " hot" : ""}`, transform: `translate(${Math.round(x)} ${Math.round(y)})` });
  group.append(svg("circle", { r: half + 3, class: "under" }), svg("use", { href: `${sprite}#${mark.worst}`, x: -half, y: -half, width: 2 * half, height: 2 * half }));
  if (many) group.append(text(0, half + 12, "mark-count num", well ? number(unitsOf(mark)) : t("map.of", { n: number(mark.shapes[mark.worst]), all: number(unitsOf(mark)) })));
  if (name) group.append(text(0, half + 26, "mark-name", name.length > NAME ? `${name.slice(0, NAME - 1)}…` : name));
  const title = svg("title", {});
  title.textContent = `${titleOf(mark)} · ${summary(mark)}`;
  group.append(title);
  group.addEventListener("click", () => open(mark));
  return group;
}

function drawPlaces(width, height) {
  view ??= fit(placed().map((mark) => mark.at), width, height);
  const left = view.middle[0] - width / 2, top = view.middle[1] - height / 2;
  const at = (position) => {
    const [x, y] = pixelOf(position, view.zoom);
    return [x - left, y - top];
  };
  const layers = [];
  if (tiles) {
    layers.push(svg("g", { class: "tiles" }, ...tilesOf(view, width, height).map((tile) =>
      svg("image", { href: tiles.replace("{z}", tile.z).replace("{x}", tile.x).replace("{y}", tile.y), x: tile.at[0], y: tile.at[1], width: tile.size + SEAM, height: tile.size + SEAM }))));
  }
  layers.push(...[...placed()].reverse().map((mark) => drawMark(mark, at(mark.at)))); // the worst on top
  if (!tiles) layers.push(...townNames(at));
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...layers);
}

// Without a map below, the names of streets say where one looks.
function townNames(at) {
  const towns = new Map();
  for (const mark of placed()) towns.set(mark.town, [...(towns.get(mark.town) ?? []), at(mark.at)]);
  return [...towns].map(([town, places]) => {
    const x = places.reduce((sum, place) => sum + place[0], 0) / places.length;
    return text(Math.round(x), Math.round(Math.min(...places.map((place) => place[1])) - 20), "town-name", nameOf("bodies", town));
  });
}

function drawScheme(width) {
  const { boxes, places, height } = scheme(found.marks, width, (town) => nameOf("bodies", town));
  const frames = boxes.map((box) => svg("g", { class: "town" }, svg("rect", { x: box.x, y: box.y, width: box.width, height: box.height, rx: 8 }), text(box.x + 7, box.y + 17, "town-name", box.name),
    ...box.labels.map((label) => text(box.x + 7, box.y + label.y + 2, "community-name", label.text))));
  const marks = found.marks.map((mark, index) => drawMark(mark, places[index], mark.unit_id ? "" : mark.community));
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...frames, ...marks);
}

function drawGround() {
  const kind = shown();
  ground.dataset.view = kind;
  show(byId("zoom"), kind === "place");
  patchList(byId("views"), ["place", "scheme"], (name) => name, (name) => h("button", { type: "button", onclick: () => {
    picked = name;
    remember();
    draw();
  } }), (button, name) => {
    setText(button, t(`map.view.${name}`));
    button.setAttribute("aria-pressed", String(name === kind));
  });
  const width = Math.max(200, ground.clientWidth - 2), height = Math.max(200, ground.clientHeight - 2);
  ground.replaceChildren(kind === "place" ? drawPlaces(width, height) : drawScheme(width - 16));
}

// --- words beside it

function summary(mark) {
  if (mark.unit_id) return word(mark.worst);
  return ORDER.filter((shape) => mark.shapes[shape]).map((shape) => `${word(shape)} ${number(mark.shapes[shape])}`).join(" · ");
}

function draw() {
  if (!found) return;
  const town = where.town ? nameOf("bodies", where.town) : "";
  setText(byId("map-title"), where.community ? `${town} ${where.community}` : town || t("map.all"));
  show(byId("back"), Boolean(where.town));
  drawGround();
  byId("legend").replaceChildren(...ORDER.filter((shape) => found.shapes[shape]).map((shape) => h("li", { class: `s-${shape}` }, icon(shape), h("span", {}, word(shape)), h("b", { class: "num" }, number(found.shapes[shape])))));
  const notes = [];
  if (shown() === "place" && found.placed < found.units) notes.push(t("map.unplaced", { n: number(found.units - found.placed) }));
  if (found.left_out) notes.push(t("map.left_out", { n: number(found.left_out) }));
  show(byId("note"), notes.length > 0);
  setText(byId("note"), notes.join(" "));
  setText(byId("total"), number(found.units));
  patchList(byId("marks"), found.marks.length ? found.marks : [{ none: true, town: "", community: "none" }], keyOf, make, update);
}

function make(mark) {
  if (mark.none) return h("li", { class: "empty" }, h("p", { class: "quiet" }));
  return h("li", {}, h("button", { type: "button", class: "mark-row", onclick: (event) => open(event.currentTarget.mark), onfocus: (event) => light(event.currentTarget.mark), onmouseenter: (event) => light(event.currentTarget.mark) },
    h("span", { class: "mark-icon" }), h("span", { class: "mark-name" }), h("span", { class: "mark-where quiet" }), h("span", { class: "mark-what" })));
}

function update(element, mark) {
  if (mark.none) return setText(element.querySelector("p"), t("boards.none"));
  const button = element.firstElementChild;
  button.mark = mark;
  const sign = button.querySelector(".mark-icon");
  if (sign.dataset.shape !== mark.worst) {
    sign.dataset.shape = mark.worst;
    sign.className = `mark-icon s-${mark.worst}${WELL.includes(mark.worst) ? " well" : ""}`;
    sign.replaceChildren(icon(mark.worst));
  }
  setText(button.querySelector(".mark-name"), titleOf(mark));
  setText(button.querySelector(".mark-where"), [nameOf("bodies", mark.town), mark.unit_id ? mark.community : ""].filter(Boolean).join(" · "));
  setText(button.querySelector(".mark-what"), summary(mark));
}

function light(mark) {
  if (hot === keyOf(mark)) return;
  hot = keyOf(mark);
  drawGround();
}

function open(mark) {
  if (mark.unit_id) location.assign(`/?unit=${encodeURIComponent(mark.unit_id)}`);
  else go({ town: mark.town, community: mark.community });
}

// --- moving about

function move(dx, dy) {
  if (shown() !== "place" || !view) return;
  view.middle = [view.middle[0] + dx, view.middle[1] + dy];
  drawGround();
}

function zoom(by) {
  if (shown() !== "place" || !view) return;
  view = zoomed(view, by);
  drawGround();
}

ground.addEventListener("keydown", (event) => {
  const acts = { ArrowLeft: () => move(-PAN, 0), ArrowRight: () => move(PAN, 0), ArrowUp: () => move(0, -PAN), ArrowDown: () => move(0, PAN), "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1) };
  if (!acts[event.key] || shown() !== "place" || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  acts[event.key]();
});
let held = null;
ground.addEventListener("pointerdown", (event) => {
  if (shown() === "place" && event.button === 0 && !event.target.closest(".mark-sign")) held = [event.clientX, event.clientY];
});
addEventListener("pointermove", (event) => {
  if (!held) return;
  move(held[0] - event.clientX, held[1] - event.clientY);
  held = [event.clientX, event.clientY];
});
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { held = null; });
byId("in").addEventListener("click", () => zoom(1));
byId("out").addEventListener("click", () => zoom(-1));
byId("fit").addEventListener("click", () => {
  view = null;
  draw();
});
byId("back").addEventListener("click", () => go({ town: null, community: null }));
new ResizeObserver(() => found && drawGround()).observe(ground);

on("tally", () => {
  if (state.sections.tally.token === token) return;
  token = state.sections.tally.token;
  again();
});
on("fires", again);
on("names", draw);
on("language", () => {
  preferences.render();
  fresh.render();
  draw();
});
document.addEventListener("visibilitychange", again);
preferences.start();
fresh.start();
preferences.render();
setInterval(() => emit("second"), 1000);
load();
stream.start();
session.start();
