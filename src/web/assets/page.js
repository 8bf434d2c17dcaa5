// The page on /: chat as a guest in a named room. Text of others is only ever set as textContent.
"use strict";

const HISTORY = 200; // messages asked for
const SHOWN = 500; // messages kept on the page
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const COUNT_MS = 5000; // between looks at the counts
// Closes after which coming back by oneself would be wrong.
const FINAL = {
  4001: "You were signed out.",
  4403: "You were removed from this room.",
  4404: "This room was closed.",
};

const at = (id) => document.getElementById(id);
const status = at("status");
const messages = at("messages");
const text = at("text");

let nick = "";
let visit = null; // the room we are in; a new object a visit, so that late answers find out

const say = (words, trouble = false) => {
  status.textContent = words;
  status.classList.toggle("trouble", trouble);
};

const remembered = (key, value) => {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch { /* storage is off: nothing is remembered */ }
  return null;
};

const json = async (path) => {
  const answer = await fetch(path, { headers: { Accept: "application/json" }, credentials: "omit" });
  if (!answer.ok) throw Object.assign(new Error(path), { status: answer.status });
  return answer.json();
};

// ---- messages

// A message as a guest sees it: a text, or a text with a name.
const read = (value) => {
  if (typeof value === "string") return { who: "anonymous", said: value };
  if (value && typeof value.message === "string") {
    const name = typeof value.nick_name === "string" && value.nick_name.trim();
    return { who: name || "anonymous", said: value.message };
  }
  return null;
};

const same = (one, other) => one.who === other.who && one.said === other.said;
const atEnd = () => messages.scrollHeight - messages.scrollTop - messages.clientHeight < 60;

const toEnd = () => {
  messages.scrollTop = messages.scrollHeight;
  at("newest").hidden = true;
};

const row = ({ who, said, when }) => {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const time = document.createElement("time");
  const body = document.createElement("p");
  item.classList.toggle("own", who === nick);
  name.className = "who";
  name.dir = "auto";
  name.textContent = who;
  time.dateTime = when.toISOString();
  const today = when.toDateString() === new Date().toDateString();
  time.textContent = when.toLocaleString([], today
    ? { hour: "2-digit", minute: "2-digit" }
    : { dateStyle: "medium", timeStyle: "short" });
  body.dir = "auto";
  body.textContent = said;
  item.append(name, time, body);
  return item;
};

const add = (message) => {
  const follow = atEnd() || message.who === nick;
  messages.append(row(message));
  while (messages.childElementCount > SHOWN) messages.firstElementChild.remove();
  if (follow) toEnd();
  else at("newest").hidden = false;
};

// Newest first on the wire, oldest first here.
const history = async (room) => {
  const rows = await json(`/chat/history/${encodeURIComponent(room)}/?limit=${HISTORY}`);
  return rows.reverse().map((one) => ({
    seq: one.seq, who: one.sender || "anonymous", said: one.content, when: new Date(one.timestamp),
  }));
};

const showAll = (rows) => {
  // A screen reader is not to read two hundred lines out.
  messages.setAttribute("aria-live", "off");
  messages.replaceChildren(...rows.map(row));
  toEnd();
  requestAnimationFrame(() => messages.setAttribute("aria-live", "polite"));
};

// ---- the socket

// Live frames carry no number. So the history is read before the socket opens and again after:
// what is new in the second may come once more as a frame, and is dropped then.
const connect = async (mine) => {
  let known = 0;
  mine.timer = 0;
  say("connecting …");
  try {
    const rows = await history(mine.room);
    if (visit !== mine) return;
    known = rows.length ? rows[rows.length - 1].seq : 0;
    showAll(rows);
  } catch (why) {
    if (visit !== mine) return;
    if (why.status === 401 || why.status === 403) return stop(mine, "This room needs an account.");
    if (why.status >= 400 && why.status < 500) return stop(mine, "There is no room of that name.");
    return again(mine);
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const path = `/ws/chat/${encodeURIComponent(mine.room)}/`;
  const socket = new WebSocket(`${scheme}//${location.host}${path}`);
  let early = []; // frames that came before the second look at the history
  let doubles = []; // messages of the second look that may still come as frames
  mine.socket = socket;

  const take = (message) => {
    const double = doubles.findIndex((one) => same(one, message));
    if (double >= 0) doubles.splice(double, 1);
    else add(message);
  };

  socket.onopen = async () => {
    if (visit !== mine) return socket.close(1000);
    mine.tries = 0;
    mine.open = true;
    say("connected");
    count();
    try {
      const rows = (await history(mine.room)).filter((one) => one.seq > known);
      if (visit !== mine || mine.socket !== socket) return;
      rows.forEach(add);
      doubles = rows;
      setTimeout(() => { doubles = []; }, 3000);
    } catch { /* frames come all the same; the next connection reads it again */ }
    const waiting = early || [];
    early = null;
    waiting.forEach(take);
  };

  socket.onmessage = ({ data }) => {
    let message = null;
    try { message = read(JSON.parse(data).message); } catch { /* not for us */ }
    if (visit !== mine || !message) return;
    message.when = new Date();
    if (early) early.push(message);
    else take(message);
  };

  socket.onclose = ({ code }) => {
    if (visit !== mine || mine.socket !== socket) return;
    mine.open = false;
    if (FINAL[code]) stop(mine, FINAL[code]);
    else again(mine);
  };
};

const again = (mine) => {
  const pause = RETRY_MS[Math.min(mine.tries, RETRY_MS.length - 1)];
  mine.tries += 1;
  say("not connected, trying again …", true);
  // A little chance, so that everybody does not come back at once.
  mine.timer = setTimeout(() => connect(mine), pause * (0.75 + Math.random() / 2));
};

const stop = (mine, why) => {
  if (visit === mine) leave();
  say(why, true);
};

// ---- in and out

const enter = (room) => {
  leave();
  visit = { room, tries: 0, open: false, socket: null, timer: 0 };
  document.title = `${room} · Hubbub`;
  at("chat-title").textContent = room;
  at("chat-title").dir = "auto";
  at("lobby").hidden = true;
  at("chat").hidden = at("leave").hidden = false;
  document.body.classList.add("in-room");
  messages.replaceChildren();
  showInAddress(room);
  text.focus();
  connect(visit);
};

const leave = () => {
  const left = visit;
  visit = null;
  if (!left) return;
  clearTimeout(left.timer);
  if (left.socket) left.socket.close(1000);
  document.title = "Hubbub";
  at("lobby").hidden = false;
  at("chat").hidden = at("leave").hidden = at("newest").hidden = true;
  document.body.classList.remove("in-room");
  say("");
  showInAddress("");
  at("room").focus();
  count();
};

// The room stands behind # in the address, so that one can pass it on.
const showInAddress = (room) => {
  const hash = room ? `#${encodeURIComponent(room)}` : "";
  window.history.replaceState(null, "", location.pathname + hash);
};

const count = async () => {
  let rooms;
  try { rooms = await json("/list_rooms/?limit=50"); } catch { return; }
  const mine = visit && rooms.find((one) => one.name === visit.room);
  if (visit) {
    if (visit.open && mine) say(`connected · ${mine.active_members} here`);
    return;
  }
  const items = rooms.map(({ name, active_members }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${name} · ${active_members}`;
    button.setAttribute("aria-label", `Choose the room ${name}, people in it: ${active_members}`);
    button.addEventListener("click", () => {
      at("room").value = name;
      at("enter").requestSubmit();
    });
    item.append(button);
    return item;
  });
  // Whoever stands on a button with the keyboard keeps his place.
  if (!at("live").contains(document.activeElement)) at("live").replaceChildren(...items);
  at("nobody").hidden = items.length > 0;
};

const roomName = () => {
  const field = at("room");
  const name = field.value.normalize("NFC").trim();
  const wrong = !name || name.includes("/") || name === "." || name === "..";
  field.setCustomValidity(wrong ? "A room's name is 1 to 100 characters without a slash." : "");
  return wrong ? null : name;
};

at("room").addEventListener("input", roomName);
at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = roomName();
  const name = at("nick").value.trim();
  if (!room) return at("room").reportValidity();
  if (!name) return at("nick").focus();
  nick = name;
  remembered("hubbub.nick", nick);
  enter(room);
});

at("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said || !visit) return;
  if (!visit.open) return say("not connected: your message waits in its field", true);
  visit.socket.send(JSON.stringify({ message: { message: said, nick_name: nick } }));
  text.value = "";
  text.focus();
});

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("write").requestSubmit();
});

at("leave").addEventListener("click", leave);
at("newest").addEventListener("click", toEnd);
messages.addEventListener("scroll", () => { if (atEnd()) at("newest").hidden = true; });
window.addEventListener("online", () => {
  if (!visit || visit.open || !visit.timer) return;
  clearTimeout(visit.timer);
  connect(visit);
});
setInterval(() => { if (!document.hidden) count(); }, COUNT_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) count(); });

at("nick").value = remembered("hubbub.nick") || `guest-${Math.floor(1000 + Math.random() * 9000)}`;
at("socket-url").textContent = `${location.origin.replace(/^http/, "ws")}/ws/chat/lobby/`;
if (location.hash.length > 1) {
  try { at("room").value = decodeURIComponent(location.hash.slice(1)); } catch { /* not a name */ }
}
count();
