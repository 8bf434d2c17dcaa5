// The chat page's start: who it is, which address, and so which view. The only module that the page
// names; everything else is imported from here down. It must not show messages itself: room.js does.

import { all, post } from "./api.js";
import { kept } from "./dom.js";
import { home, invited, login, nothing, registration } from "./forms.js";
import { Hubbub } from "./hubbub.js";
import { me, recall, renewCookie, setGuestToken } from "./me.js";
import { sendOff, unsent } from "./outbox.js";
import { RoomView } from "./room.js";
import { Side } from "./side.js";

const main = document.getElementById("main");
let hub;
let side;
let view = null;

function show(element, title) {
  document.title = title ? `${title} · Hubbub` : "Hubbub";
  main.replaceChildren(element);
  document.body.classList.toggle("in-room", Boolean(view));
}

function enter(name, title) {
  hub.nick = me.user ? undefined : me.nick;
  view = new RoomView(hub, name, title);
  view.room.on("joined", () => side.update());
  side.open(name);
  show(view.element, view.title);
  view.focus();
}

async function enterChat(username) {
  if (!me.user) return location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  const path = location.pathname;
  try {
    const people = await all("/api/users/", 100_000);
    const other = people.find((one) => one.username === username);
    if (!other) return show(nothing("Nobody of that name", `There is no account called ${username}.`));
    const chat = await post("/api/chats/private/", { other_user_id: other.id });
    if (location.pathname === path) enter(chat.id, username);
  } catch (error) { show(nothing("This chat can't be opened now", error.message, () => route())); }
}

function route() {
  view?.close();
  view = null;
  side.open(null);
  const path = location.pathname.replace(/\/$/, "");
  side.at(path);
  const [, kind, given] = path.split("/");
  let name;
  try { name = decodeURIComponent(given ?? "").normalize("NFC"); } catch { name = ""; }
  if (kind === "login") show(login(), "Sign in");
  else if (kind === "register") show(registration(), "Register");
  else if (kind === "r" && name) {
    if (me.user || kept.get("nick")) enter(name);
    else show(invited(name, () => enter(name)), name);
  } else if (kind === "chat" && name) enterChat(name);
  else show(home(go));
}

function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  route();
}

// Own links change the view and not the page.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.target || link.origin !== location.origin || link.dataset.reload) return;
  if (!/^\/($|r\/|chat\/|login|register)/.test(link.pathname)) return;
  event.preventDefault();
  document.querySelector("dialog[open]")?.close();
  go(link.pathname + link.search);
});
globalThis.addEventListener("popstate", route);

// What was written elsewhere and is not stored yet goes out, whatever is shown.
function sendRest() {
  for (const name of new Set(unsent(me.key).filter((one) => !one.failed).map((one) => one.room))) {
    if (view?.key === name) continue;
    const room = hub.join(name, { last: 0 });
    sendOff(room, me.key);
    room.on("sent", () => setTimeout(() => {
      if (view?.key !== name && !unsent(me.key, name).length) room.leave();
    }));
  }
}

async function start() {
  try { await recall(); } catch (error) {
    return show(nothing("No answer from the server", error.message, () => location.reload()));
  }
  hub = new Hubbub({ nick: me.nick, guestToken: me.user ? undefined : me.guestToken, renew: renewCookie, account: Boolean(me.user) });
  hub.on("guest", ({ guest_token }) => setGuestToken(guest_token));
  hub.on("announcement", ({ message }) => view?.announce(message));
  hub.on("hello", ({ user }) => {
    // Signed in or out elsewhere in this browser: the page is to be another one.
    if ((user?.id ?? null) === (me.user?.id ?? null)) return;
    kept.set("signed_in", user ? true : null);
    hub.close();
    location.reload();
  });
  side = new Side(hub, go);
  document.getElementById("side").replaceWith(side.element);
  route();
  sendRest();
}

start();
