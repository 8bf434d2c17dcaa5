// The control room's start: the figures as they stream in, the rooms, one room, accounts, the record of acts.
// The only module that admin.html names. It must not show anything to whom the server refuses.

import { acting, onAct } from "./admin-acts.js";
import { Plots } from "./admin-plots.js";
import { RoomPage, announcing } from "./admin-room.js";
import { Rooms } from "./admin-rooms.js";
import { get } from "./api.js";
import { button, el } from "./dom.js";
import { me, recall } from "./me.js";

const AUDIT_ROWS = 20;
const FOUND_MAX = 20;
const SILENT_MS = 5000;

const main = document.getElementById("main");
const live = document.getElementById("live");
const plots = new Plots();
const told = el("p", { role: "status", class: "hint" });
let rooms;
let page = null;

function say(words, trouble = false) {
  live.textContent = words;
  live.classList.toggle("trouble", trouble);
}

// The stream comes back by itself; what is shown is said to be old when it stays away.
function watch() {
  const source = new EventSource("/api/admin/stats/stream/");
  let silent = 0;
  const heard = () => {
    clearTimeout(silent);
    silent = setTimeout(() => say("No figures for some seconds; trying again …", true), SILENT_MS);
  };
  heard();
  source.onmessage = ({ data }) => {
    heard();
    const snapshot = JSON.parse(data);
    say(`as of ${new Date(snapshot.as_of).toLocaleTimeString()}`);
    plots.show(snapshot);
  };
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    // The server said no: the cookie may have run out, which REST renews by itself.
    clearTimeout(silent);
    setTimeout(() => get("/api/me/").then(watch, () => say("You were signed out.", true)), 1000);
  };
}

function accounts() {
  const found = el("tbody");
  const search = el("input", { type: "search", "aria-label": "Part of a user's name", placeholder: "Search" });
  const show = async (event) => {
    event.preventDefault();
    let rows = [];
    try { rows = await get(`/api/users/?limit=${FOUND_MAX}&q=${encodeURIComponent(search.value.trim())}`); } catch (error) { told.textContent = error.message; }
    found.replaceChildren(...rows.map(({ id, username, email, online }) => el("tr", {},
      el("th", { scope: "row" }, el("bdi", { text: username })), el("td", { text: email }), el("td", { text: online ? "online" : "" }),
      el("td", {}, ...[["Sign out", "sign-out", `sign ${username} out everywhere`], ["Disable", "disable", `turn the account of ${username} off`],
        ["Enable", "enable", `turn the account of ${username} on`]].map(([label, path, what]) => acting(label, what, `/api/admin/users/${id}/${path}/`))))));
    if (!rows.length) found.replaceChildren(el("tr", {}, el("td", { colspan: "4", text: "Nobody of that name." })));
  };
  return el("section", { "aria-labelledby": "accounts" }, el("h2", { id: "accounts", text: "Accounts" }),
    el("form", { class: "inline", onsubmit: show }, search, el("button", { text: "Find" })),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-labelledby": "accounts" }, el("table", {},
      el("thead", {}, el("tr", {}, ...["Name", "E-mail", "Now", "Acts"].map((text) => el("th", { scope: "col", text })))), found)));
}

function audit() {
  const rows = el("tbody");
  const short = (value) => value == null ? "" : JSON.stringify(value).slice(0, 80);
  const row = (one) => el("tr", { "data-id": one.id }, el("td", { text: new Date(one.at).toLocaleString() }), el("td", {}, el("bdi", { text: one.actor_name ?? "command line" })),
    el("td", { text: one.action }), el("td", { text: one.target }), el("td", { text: `${short(one.before)} → ${short(one.after)}` }), el("td", { text: one.ip ?? "" }));
  const load = async (before) => {
    try {
      const found = await get(`/api/admin/audit/?limit=${AUDIT_ROWS}${before ? `&before=${before}` : ""}`);
      if (before) rows.append(...found.map(row));
      else rows.replaceChildren(...found.map(row));
      older.hidden = found.length < AUDIT_ROWS;
    } catch (error) { told.textContent = error.message; }
  };
  const older = button("Older acts", () => load(rows.lastElementChild?.dataset.id), { hidden: true });
  load();
  return { load: () => load(), element: el("section", { "aria-labelledby": "audit" }, el("h2", { id: "audit", text: "What admins did" }),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-labelledby": "audit" }, el("table", {},
      el("thead", {}, el("tr", {}, ...["When", "Who", "Act", "To", "Before → after", "From"].map((text) => el("th", { scope: "col", text })))), rows)), older) };
}

let rest;

function route() {
  page?.close();
  const id = new URLSearchParams(location.search).get("room");
  page = id ? new RoomPage(id, () => go("/admin/")) : null;
  const parts = page ? [page.element] : [plots.element, plots.table, rooms.element, announcing(), rest.accounts, rest.audit.element];
  main.replaceChildren(told, ...parts);
  if (page) page.heading.focus();
}

function go(path) {
  history.pushState(null, "", path);
  route();
}

async function start() {
  try { await recall(); } catch (error) { return say(error.message, true); }
  if (!me.user?.is_superuser) {
    const words = me.user ? `${me.user.username} is no admin here.` : "The control room is for admins.";
    return main.replaceChildren(el("div", { class: "card" }, el("h2", { text: "Not for everybody" }), el("p", { text: words }),
      el("a", { href: "/login?next=/admin/", text: "Sign in" })));
  }
  rooms = new Rooms((event, id) => { event.preventDefault(); go(`/admin/?room=${id}`); });
  rest = { accounts: accounts(), audit: audit() };
  onAct((words, trouble) => {
    told.textContent = words;
    told.classList.toggle("trouble", Boolean(trouble));
    rest.audit.load();
    (page ?? rooms).refresh();
  });
  globalThis.addEventListener("popstate", route);
  route();
  watch();
}

start();
