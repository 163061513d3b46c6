// Small tools to build and patch elements. Text goes in as text nodes only: nothing from the data becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const sprite = new URL("icons.svg", import.meta.url).pathname;

export const byId = (id) => document.getElementById(id);

export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name === "class") element.className = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === false || value === null || value === undefined) continue;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

// Writes only what differs, so that a live region speaks once and a selection survives.
export function setText(element, text) {
  const wanted = text ?? "";
  if (element.textContent !== wanted) element.textContent = wanted;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

// The line of a page that says what became of what the reader did; "" takes it away.
export function say(text, bad = false) {
  byId("said").className = bad ? "said bad" : "said";
  setText(byId("said"), text);
  show(byId("said"), text !== "");
}

// Keeps one child per key, in order; `make` builds it, `update` brings it up to date.
export function patchList(container, items, key, make, update) {
  const have = new Map([...container.children].map((child) => [child.dataset.key, child]));
  let place = container.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = have.get(name);
    if (child) have.delete(name);
    else {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else container.insertBefore(child, place);
    update(child, item);
  }
  for (const child of have.values()) child.remove();
}
