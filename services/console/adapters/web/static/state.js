// What the page knows and what the reader chose. Filters live in the URL, preferences in cookies.

const cookie = (name) => document.cookie.split("; ").find((entry) => entry.startsWith(`${name}=`))?.split("=")[1];

export const state = {
  lang: document.documentElement.dataset.lang,
  theme: document.documentElement.dataset.theme,
  sound: true,
  sections: {},
  fresh: null,
  skew: 0,
  heardAt: performance.now(),
  lost: false,
  resting: false,
  view: readView(),
};

export const account = {
  role: document.body.dataset.role,
  department: document.body.dataset.department,
  csrf: document.body.dataset.csrf,
  session: document.body.dataset.session,
  username: document.body.dataset.username,
  administers: "administers" in document.body.dataset,
};

function readView() {
  const query = new URLSearchParams(location.search);
  return {
    conn: query.getAll("conn"), health: query.getAll("health"),
    town: query.get("town"), department: query.get("department"), category: query.get("category"),
    q: query.get("q") ?? "", all: query.get("list") === "all",
    cases: query.get("cases") ?? "open", sort: query.get("sort") ?? "pressing", kind: query.get("kind"), alarm: query.get("alarm"), step: query.get("step"),
    cq: query.get("cq") ?? "", after: query.get("after"),
    scope: query.get("scope"), of: query.get("of"), board: query.get("board") ?? "town",
    open: query.get("case") ? { kind: "case", id: query.get("case") } : query.get("unit") ? { kind: "unit", id: query.get("unit") } : null,
  };
}

export function writeView() {
  const { view } = state;
  const query = new URLSearchParams();
  for (const name of ["conn", "health"]) for (const value of view[name]) query.append(name, value);
  for (const name of ["town", "department", "category", "q", "scope", "of", "kind", "alarm", "step", "cq", "after"]) if (view[name]) query.set(name, view[name]);
  if (view.cases !== "open") query.set("cases", view.cases);
  if (view.sort !== "pressing") query.set("sort", view.sort);
  if (view.all) query.set("list", "all");
  if (view.board !== "town") query.set("board", view.board);
  if (view.open) query.set(view.open.kind, view.open.id);
  const text = query.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

// Well units are left out until the reader asks for something by name or state.
export const onlyTroubled = () => {
  const { view } = state;
  return !view.all && !view.conn.length && !view.health.length && !view.q && !view.of;
};

export function keep(name, value, seconds = 31536000) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `firenet_${name}=${value}; Path=/; Max-Age=${seconds}; SameSite=Lax${secure}`;
}

export const kept = cookie;

const listeners = new Map();
export function on(name, listener) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(listener);
}
export function emit(name) {
  for (const listener of listeners.get(name) ?? []) listener();
}

// A choice of the reader: URL first, then whoever shows it.
export function choose(change) {
  Object.assign(state.view, change);
  writeView();
  emit("view");
}
