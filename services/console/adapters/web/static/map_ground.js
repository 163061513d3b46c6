// Where marks stand on the ground: by degrees on a web map, or street by street where nobody said where. It draws nothing.

export const TILE = 256;
const MAX_ZOOM = 18;
const MIN_ZOOM = 3;
const EDGE = 80; // pixels that a view leaves free around its marks, both sides together
const CELL = [26, 26]; // of the mark of a unit in the scheme
const WIDE = [104, 62]; // of that of a community, with its name and count below
const GAP = 14;
const HEAD = 24; // the name above a street or community
const LETTER = 13; // wide, at the least a street's name needs its letters

// A position as pixels of the whole world at a zoom (Web Mercator, as tiles are cut).
export function pixelOf([longitude, latitude], zoom) {
  const size = TILE * 2 ** zoom, sine = Math.sin((latitude * Math.PI) / 180);
  return [((longitude + 180) / 360) * size, (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * size];
}

// The view in which all positions are in sight, as near as that can be: its middle in pixels of the world, and the zoom.
export function fit(positions, width, height) {
  if (!positions.length) return { zoom: MIN_ZOOM, middle: [0, 0] };
  const all = positions.map((at) => pixelOf(at, 0));
  const [left, right] = [Math.min(...all.map(([x]) => x)), Math.max(...all.map(([x]) => x))];
  const [top, bottom] = [Math.min(...all.map(([, y]) => y)), Math.max(...all.map(([, y]) => y))];
  const times = Math.min((width - EDGE) / (right - left || 1e-9), (height - EDGE) / (bottom - top || 1e-9));
  const zoom = Math.max(MIN_ZOOM, Math.min(MAX_ZOOM, Math.log2(Math.max(times, 1))));
  return { zoom, middle: [(left + right) / 2, (top + bottom) / 2].map((part) => part * 2 ** zoom) };
}

// One step nearer or farther, around the middle.
export function zoomed(view, by) {
  const zoom = Math.max(MIN_ZOOM, Math.min(MAX_ZOOM, view.zoom + by));
  const factor = 2 ** (zoom - view.zoom);
  return { zoom, middle: view.middle.map((part) => part * factor) };
}

// The tiles that a view of this size shows, each with the place of its corner and its size in it. Tiles are cut for whole
// zooms: those of the nearest one are drawn larger or smaller.
export function tilesOf(view, width, height) {
  const z = Math.round(view.zoom), size = TILE * 2 ** (view.zoom - z), last = 2 ** z - 1;
  const left = view.middle[0] - width / 2, top = view.middle[1] - height / 2;
  const found = [];
  for (let x = Math.max(0, Math.floor(left / size)); x <= Math.min(last, Math.floor((left + width) / size)); x += 1) {
    for (let y = Math.max(0, Math.floor(top / size)); y <= Math.min(last, Math.floor((top + height) / size)); y += 1) {
      found.push({ x, y, z, at: [x * size - left, y * size - top], size });
    }
  }
  return found;
}

// Streets as boxes from left to right, in each its communities, in each its marks: { boxes, places, height }.
// `nameOf` gives the name of a street; `places` says where each mark stands, in the order of `marks`.
export function scheme(marks, width, nameOf) {
  const [cellWidth, cellHeight] = marks.some((mark) => !mark.unit_id) ? WIDE : CELL;
  const towns = new Map();
  // By name, not by state: a mark stays where the reader learned that it is.
  const key = (mark) => `${mark.community} ${mark.unit_id ?? ""}`;
  const order = marks.map((_, index) => index).sort((one, other) => (key(marks[one]) < key(marks[other]) ? -1 : 1));
  for (const index of order) {
    const mark = marks[index];
    const communities = towns.get(mark.town) ?? towns.set(mark.town, new Map()).get(mark.town);
    const name = mark.unit_id ? mark.community : "";
    (communities.get(name) ?? communities.set(name, []).get(name)).push(index);
  }
  const boxes = [], places = [];
  let x = GAP, y = GAP, tallest = 0;
  for (const [town, communities] of [...towns].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const name = nameOf(town), most = Math.max(...[...communities.values()].map((found) => found.length));
    const inside = width - 4 * GAP;
    const per = Math.max(1, Math.min(Math.floor(inside / cellWidth), Math.max(cellWidth === CELL[0] ? 4 : 1, Math.ceil(Math.sqrt(most * 2)))));
    const wide = Math.min(inside, Math.max(per * cellWidth, name.length * LETTER));
    if (x + wide + GAP > width - GAP && x > GAP) {
      x = GAP;
      y += tallest + GAP;
      tallest = 0;
    }
    const box = { town, name, x, y, width: wide + GAP, height: 0, labels: [] };
    let at = HEAD;
    for (const [community, indices] of communities) {
      if (community) {
        box.labels.push({ text: community, y: at + HEAD / 2 });
        at += HEAD - 4;
      }
      indices.forEach((index, number) => {
        places[index] = [x + GAP / 2 + (number % per) * cellWidth + cellWidth / 2, y + at + Math.floor(number / per) * cellHeight + CELL[1] / 2];
      });
      at += Math.ceil(indices.length / per) * cellHeight + 4;
    }
    box.height = at + 4;
    boxes.push(box);
    tallest = Math.max(tallest, box.height);
    x += box.width + GAP;
  }
  return { boxes, places, height: y + tallest + GAP };
}
