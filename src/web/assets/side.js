// The list beside the room: public rooms with their live counts, one's chats with what is unread, people
// and who of them is online, the theme, oneself. Called by app.js. It must not open rooms itself: it links.

import { all, get, post } from "./api.js";
import { ago, button, el, kept } from "./dom.js";
import { me, names, signOut } from "./me.js";
import { ask, canAsk, notify, unread } from "./notify.js";

const COUNT_MS = 5000;
const REFRESH_MS = 500;
const THEMES = ["system", "light", "dark", "terminal"];

export class Side {
  #chats = new Map();
  #people = new Map();
  #refreshing = 0;
  invited = [];

  constructor(hub, go) {
    this.go = go;
    this.rooms = el("ul", { class: "places rooms", "aria-label": "Public rooms" });
    this.chats = el("ul", { class: "places", "aria-label": "Your chats" });
    this.people = el("ul", { class: "places", "aria-label": "People" });
    this.trouble = el("p", { class: "trouble", role: "alert" });
    this.element = el("nav", { id: "side", "aria-label": "Rooms, chats and people" },
      el("h1", {}, el("a", { href: "/", text: "Hubbub" })),
      this.trouble,
      el("h2", { text: "Rooms" }), this.rooms, this.#maker("New room", "Room's name", (name) => this.#newRoom(name)),
      me.user && el("h2", { text: "Chats" }), me.user && this.chats,
      me.user && this.#maker("New group", "Group's name", (name) => this.#newGroup(name)),
      me.user && el("h2", { text: "People" }), me.user && this.people,
      el("footer", {},
        el("p", { class: "me" }, this.name = el("bdi", { text: me.name }), !me.user && el("small", { class: "guest", text: "guest" })),
        me.user ? button("Sign out", () => signOut().then(() => location.assign("/")))
          : el("span", {}, el("a", { href: "/login", text: "Sign in" }), " or ", el("a", { href: "/register", text: "register" })),
        me.user?.is_superuser && el("a", { href: "/admin/", text: "Control room" }), this.#themes(), this.#bell()));
    this.#count();
    setInterval(() => { if (!document.hidden) this.#count(); }, COUNT_MS);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#count(); });
    if (!me.user) return;
    this.#refresh();
    document.addEventListener("hubbub-chats", () => this.#refresh());
    hub.watch();
    hub.on("chats", (frame) => this.#activity(frame));
    hub.on("people", ({ online, offline }) => {
      for (const { id, username } of online) {
        names.set(id, username);
        this.#people.set(id, { ...this.#people.get(id), id, username, online: true });
      }
      for (const id of offline) {
        const known = this.#people.get(id);
        if (known) this.#people.set(id, { ...known, online: false, last_seen: new Date().toISOString() });
      }
      this.#draw();
    });
    hub.on("hello", () => this.#refresh());
  }

  /** The reader gave himself a name, or entered a room: both are to be seen at once. */
  update() {
    this.name.textContent = me.name;
    this.#count();
  }

  /** Marks where the reader is. */
  at(path) {
    this.path = path;
    for (const link of this.element.querySelectorAll("ul a")) {
      if (link.pathname.replace(/\/$/, "") === path) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  async #count() {
    let rooms;
    try { rooms = await all("/list_rooms/", 500); } catch { return; }
    this.#list(this.rooms, rooms.map(({ name, active_members }) => place(`/r/${encodeURIComponent(name)}`, name, active_members || "",
      active_members === 1 ? "1 person here" : `${active_members} people here`)));
    if (!rooms.length) this.rooms.replaceChildren(el("li", { class: "hint", text: "Nobody is in a public room just now." }));
  }

  // Whoever stands on one of these with the keyboard keeps his place.
  #list(into, rows) {
    const at = into.contains(document.activeElement) && document.activeElement.getAttribute("href");
    into.replaceChildren(...rows);
    if (at) into.querySelector(`[href="${CSS.escape(at)}"]`)?.focus();
    this.at(this.path);
  }

  #activity({ chat_id, action, unread: number }) {
    const chat = this.#chats.get(chat_id);
    if (!chat || action !== "activity") this.#refreshing ||= setTimeout(() => this.#refresh(), REFRESH_MS);
    if (!chat || chat_id === this.room) return;
    if (number > chat.unread && document.hidden) notify(chat.title, "Something new", chat_id);
    chat.unread = number;
    unread(chat_id, number);
    this.#draw();
  }

  async #refresh() {
    this.#refreshing = 0;
    try {
      const [chats, people, { rooms }] = await Promise.all([all("/api/chats/"), all("/api/users/", 1000), get("/rooms/")]);
      this.invited = rooms;
      this.#people = new Map(people.map((one) => [one.id, one]));
      for (const { id, username } of people) names.set(id, username);
      this.#chats = new Map(chats.map((chat) => [chat.id, this.#chat(chat)]));
      for (const { id, unread: number } of chats) if (id !== this.room) unread(id, number);
      this.#draw();
    } catch (error) { this.trouble.textContent = navigator.onLine ? error.message : ""; }
  }

  #chat(chat) {
    const other = chat.members.find(({ id }) => id !== me.user.id);
    const title = chat.is_group ? chat.name : other?.username ?? "";
    const path = chat.is_group ? `/r/${chat.id}` : `/chat/${encodeURIComponent(title)}`;
    return { ...chat, title, path, other: chat.is_group ? null : other?.id };
  }

  #draw() {
    const here = (id) => id === this.room;
    this.#list(this.chats, [...this.#chats.values()].map(({ id, title, path, unread: number, other }) =>
      place(path, title, here(id) ? "" : number || "", `${number} unread`, other && this.#people.get(other)))
      .concat(this.invited.map(({ room_id, room_name }) => place(`/r/${room_id}`, room_name, ""))));
    this.#list(this.people, [...this.#people.values()]
      .sort((a, b) => b.online - a.online || a.username.localeCompare(b.username))
      .map((one) => place(`/chat/${encodeURIComponent(one.username)}`, one.username, "", "", one)));
  }

  /** The room that is open: what comes there is read, not unread. */
  open(room) {
    this.room = room;
    const chat = this.#chats.get(room);
    if (chat) chat.unread = 0;
    unread(room, 0);
    this.#draw();
  }

  #maker(label, hint, then) {
    const input = el("input", { "aria-label": hint, placeholder: label, maxlength: "100", autocomplete: "off", spellcheck: "false" });
    return el("form", { class: "inline", onsubmit: async (event) => {
      event.preventDefault();
      const name = input.value.normalize("NFC").trim();
      if (!name) return input.focus();
      this.trouble.textContent = "";
      try { await then(name); input.value = ""; } catch (error) {
        this.trouble.textContent = Object.values(error.fields ?? {})[0] ?? error.message;
      }
    } }, input, el("button", { text: "+", "aria-label": label }));
  }

  async #newRoom(name) {
    const made = await post("/create_room/", { name });
    this.go(`/r/${encodeURIComponent(made.name)}`);
    this.#count();
  }

  async #newGroup(name) {
    const { id } = await post("/api/chats/group/", { name, member_ids: [] });
    this.go(`/r/${id}`);
    this.#refresh();
  }

  #themes() {
    const choose = ({ target }) => {
      const theme = target.value === "system" ? null : target.value;
      if (theme) document.documentElement.dataset.theme = theme;
      else delete document.documentElement.dataset.theme;
      try { localStorage.setItem("hubbub.theme", theme ?? ""); } catch { /* for this visit, then */ }
    };
    const now = document.documentElement.dataset.theme ?? "system";
    return el("select", { "aria-label": "Theme", onchange: choose },
      ...THEMES.map((theme) => el("option", { value: theme, text: theme, selected: theme === now })));
  }

  #bell() {
    if (!canAsk() || kept.get("no_bell")) return null;
    const made = button("Notify me", () => ask().then(() => made.remove()));
    return made;
  }
}

function place(href, name, number, words, person) {
  const seen = person && (person.online ? "online" : person.last_seen ? `last seen ${ago(person.last_seen)}` : "never here");
  return el("li", {}, el("a", { href },
    person && el("span", { class: person.online ? "dot on" : "dot", "aria-hidden": "true" }),
    el("bdi", { text: name }),
    person && el("small", { class: person.online ? "unseen" : "seen", text: seen }),
    number !== "" && el("span", { class: "number", "aria-hidden": "true", text: number }),
    number !== "" && el("span", { class: "unseen", text: words })));
}
