// The banner that says what of FireNet itself does not run, on every page and in both languages: Chinese first.
// It asks for itself, over short calls: what it tells of may be the very reason why the live stream is silent.

const EVERY_MS = 5000;
const catalogue = await (await fetch(new URL("catalogue.json", import.meta.url))).json();

// Both languages at once, [Chinese, English]; `values` are pairs as well.
function t(key, values = {}) {
  const text = catalogue[key];
  if (!text) return null;
  return ["zh", "en"].map((lang, n) => text[lang].replace(/\{(\w+)\}/g, (_, name) => values[name]?.[n] ?? ""));
}

const name = (part) => t(`parts.name.${part}`) ?? t("parts.name.other");
const cause = (word) => t(`parts.cause.${word}`) ?? t("parts.cause.other");
const join = (pairs) => [pairs.map((pair) => pair[0]).join("、"), pairs.map((pair) => pair[1]).join(", ")];

// What failed, each in a sentence of its own; then who waits for the same, in one.
function sentences(rows) {
  const lines = [];
  for (const row of rows) {
    if (row.state === "failed") {
      const means = t(`parts.means.${row.name}`) ?? ["", ""];
      const [zh, en] = t("parts.failed", { name: name(row.name), cause: cause(row.cause) });
      lines.push([zh + means[0], `${en} ${means[1]}`.trim()]);
    } else if (row.state === "shut") lines.push(t("parts.shut", { cause: cause(row.cause) }));
    else if (row.state === "starts") lines.push(t("parts.starts", { name: name(row.name) }));
  }
  const waiting = Map.groupBy
    ? Map.groupBy(rows.filter((row) => row.state === "waits"), (row) => row.waits_for.join())
    : new Map(rows.filter((row) => row.state === "waits").map((row) => [`${row.waits_for}${row.name}`, [row]]));
  for (const group of waiting.values()) {
    const names = join(group.map((row) => name(row.name)));
    lines.push(t("parts.waits", { names, missing: join(group[0].waits_for.map(name)) }));
  }
  return lines;
}

let bar = null;

function banner() {
  if (bar) return bar;
  bar = document.createElement("ul");
  bar.id = "parts";
  bar.className = "parts";
  bar.setAttribute("role", "status");
  bar.hidden = true;
  const place = document.getElementById("stale");
  if (place) place.after(bar);
  else document.body.prepend(bar);
  return bar;
}

function show(rows) {
  const lines = sentences(rows);
  const text = JSON.stringify(lines);
  if (banner().dataset.text === text) return;
  bar.dataset.text = text;
  bar.hidden = lines.length === 0;
  bar.replaceChildren(...lines.map(([zh, en]) => {
    const line = document.createElement("li");
    for (const [lang, words] of [["zh-CN", zh], ["en", en]]) {
      const part = document.createElement("span");
      part.lang = lang;
      part.textContent = words;
      line.append(part);
    }
    return line;
  }));
}

async function ask() {
  let again = true;
  try {
    const answer = await fetch("/api/v1/parts", { cache: "no-store", signal: AbortSignal.timeout(EVERY_MS) });
    if (answer.ok) {
      const found = await answer.json();
      again = found.watched;
      show(found.parts);
    }
  } catch {
    // the page's own server does not answer: what was last known stays
  }
  if (again) setTimeout(ask, EVERY_MS);
}

ask();
