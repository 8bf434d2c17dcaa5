// A room on the page: what its events mean for the list, what the reader's acts mean for the room.
// Called by app.js. It must not hold a connection: `hub` is hubbub.js, and the room outlives this view
// while messages of it wait.

import { Acts } from "./acts.js";
import { call } from "./api.js";
import { Composer } from "./composer.js";
import { button, el, icon, speak } from "./dom.js";
import { List } from "./list.js";
import { me, names } from "./me.js";
import { badge, notify, oneMore, unread } from "./notify.js";
import { draft, isMine, putBy, remember, sendOff, setDraft, strike, unmark, unsent } from "./outbox.js";
import { showPeople } from "./people.js";
import { row } from "./row.js";
import { Timeline } from "./timeline.js";

const PAGE = 100; // older events fetched at once
const TYPING_MS = 7000; // without a word, nobody types that long
const READ_MS = 1000;
const SPOKEN_MS = 1500;

export class RoomView {
  #off = [];
  #typing = new Map();
  #seen = new Map();
  #echoes = [];
  #unspoken = [];
  #older = false;
  #reading = 0;
  #missed = 0;
  #live = false;

  constructor(hub, name, title) {
    this.hub = hub;
    this.key = name;
    this.title = title ?? name;
    this.timeline = new Timeline({ isOwn: (event) => this.#isOwn(event) });
    this.#build();
    this.room = hub.join(name);
    const on = (event, then) => this.#off.push(this.room.on(event, then));
    on("joined", (frame) => this.#joined(frame));
    on("event", (event) => this.#event(event));
    on("live", () => this.#caughtUp());
    on("gap", (gap) => this.#gap(gap));
    on("presence", (frame) => this.#presence(frame));
    on("typing", (frame) => this.#types(frame));
    on("read", ({ user_id, seq }) => { this.#seen.set(user_id, seq); this.#tell(); });
    on("announcement", ({ message }) => this.announce(message));
    on("lost", ({ code, detail }) => this.#lost(code, detail));
    on("sent", ({ client_id, id, duplicate }) => this.#sent(client_id, id, duplicate));
    on("refused", () => setTimeout(() => this.#pend()));
    this.#off.push(hub.on("state", (state) => this.#state(state)));
    const look = () => { if (!document.hidden) this.#read(); };
    document.addEventListener("visibilitychange", look);
    this.#off.push(() => document.removeEventListener("visibilitychange", look));
    this.#state({ state: hub.state });
    sendOff(this.room, me.key);
    this.#pend();
  }

  #build() {
    this.heading = el("h2", { id: "room-title", text: this.title, dir: "auto", tabindex: "-1" });
    this.count = button("", () => showPeople(this), { class: "count", hidden: true });
    this.inner = el("div", { class: "messages" });
    this.log = el("div", { class: "log", role: "log", "aria-live": "off", tabindex: "0", "aria-labelledby": "room-title" }, this.inner);
    this.newest = button("", () => this.list.toEnd(), { class: "newest", hidden: true });
    this.line = el("p", { class: "line" });
    this.banner = el("div", { class: "banner", role: "status", hidden: true });
    this.composer = new Composer({
      say: (text, replyTo) => this.#say(text, replyTo),
      edit: (item, text) => { this.#try(this.room.edit(item.id, text), "That change"); },
      typing: (on) => this.room.typing(on),
      draft: (text) => setDraft(me.key, this.key, text),
      last: () => this.timeline.items.findLast((item) => item.own && !item.deleted),
    }, draft(me.key, this.key));
    this.element = el("section", { class: "room", "aria-labelledby": "room-title" },
      el("header", { class: "bar" },
        el("a", { href: "/", class: "back", "aria-label": "All rooms", text: "‹" }), this.heading, this.count,
        this.link = button("Share", () => this.#share(), { class: "count", title: "Copy the link to this room" })),
      el("div", { class: "stage" }, this.banner, this.log, this.newest), this.line, this.composer.element);
    this.list = new List(this.log, this.timeline, {
      row: (item, before, there) => row(item, before, there, this),
      older: () => this.#loadOlder(),
      seen: (below) => this.#below(below),
    });
    this.acts = new Acts(this);
  }

  /** Takes it off the page; the room is left once nothing waits for it any more. */
  close() {
    for (const off of this.#off) off();
    for (const timer of this.#typing.values()) clearTimeout(timer);
    this.list.close();
    unread(this.key, 0);
    const { room } = this;
    const leave = () => { if (!unsent(me.key, room.name).some((one) => !one.failed)) room.leave(); };
    leave();
    if (room.state !== "lost") room.on("sent", () => setTimeout(leave));
  }

  focus() {
    if (matchMedia("(pointer: coarse)").matches) this.heading.focus();
    else this.composer.focus();
  }

  // ---- what comes

  #isOwn({ id, sender_id, client_id }) {
    if (sender_id != null) return sender_id === me.user?.id;
    const mine = !me.user && (isMine(id) || this.pending?.has(client_id));
    if (mine) remember(id);
    return mine;
  }

  #joined(frame) {
    const { name, kind, active_users, seq, verdict } = frame;
    this.kind = kind;
    this.role = frame.me.role;
    this.rename(name && (kind === "chat" || this.title === this.key) ? name : this.title);
    this.count.hidden = false;
    this.link.hidden = kind === "pair"; // nobody else gets in
    this.#count(active_users);
    const was = frame.me.read_seq;
    if (verdict === "fresh" && kind !== "named" && was > 0 && was < seq) this.readBefore = was;
  }

  /** It is called this now. */
  rename(title) {
    this.title = title;
    this.heading.textContent = title;
    document.title = `${title} · Hubbub`;
    badge();
  }

  #event(event) {
    if (event.sender_id != null && event.sender) names.set(event.sender_id, event.sender);
    const item = this.timeline.apply(event);
    if (!item) return;
    if (event.type === "chat_message") this.#echoed(item, event);
    if (event.type === "message_deleted") this.composer.gone(item);
    if (event.type !== "chat_message" && event.type !== "member") return this.list.changed();
    if (!this.newFrom && this.readBefore && item.seq > this.readBefore && !item.own) this.newFrom = item.seq;
    const gone = this.list.following ? this.timeline.trim() : 0;
    if (gone) this.list.shifted(-gone);
    this.list.added(item.own && !event.replay);
    if (event.replay) this.#missed += 1;
    else if (item.kind === "message" && !item.own) this.#news(item);
    this.#read();
  }

  #news(item) {
    this.#stopsTyping(item.user ?? item.who);
    if (document.hidden) {
      oneMore(this.key);
      notify(`${item.who} · ${this.title}`, item.text, this.key);
    }
    if (!this.#unspoken.length) setTimeout(() => this.#speak(), SPOKEN_MS);
    this.#unspoken.push(item);
  }

  #speak() {
    const all = this.#unspoken.splice(0);
    if (all.length > 3) speak(`${all.length} new messages`);
    else speak(all.map(({ who, text }) => `${who}: ${text.slice(0, 200)}`).join(". "));
  }

  #caughtUp() {
    if (this.#live && this.#missed > 0) this.#calm(`Back. ${this.#missed} missed ${this.#missed === 1 ? "event is" : "events are"} here now.`);
    this.#live = true;
    this.#missed = 0;
    this.#older ||= this.room.more === false;
    this.list.draw();
    this.#read();
  }

  #gap({ from, to, verdict }) {
    if (verdict === "reset") this.timeline.clear();
    this.timeline.gap(from, to, verdict);
    this.list.draw();
  }

  #presence({ active_users, joined }) {
    for (const { user_id, username } of joined) if (user_id != null) names.set(user_id, username);
    this.#count(active_users);
    this.whoChanged?.();
  }

  #count(people) {
    this.count.textContent = `${people} here`;
    this.count.setAttribute("aria-label", `${people} here: show the people`);
  }

  #types({ user_id, nick_name, on }) {
    const who = user_id == null ? nick_name || "anonymous" : nick_name || names.get(user_id) || "somebody";
    const key = user_id ?? who;
    this.#stopsTyping(key);
    const myself = user_id == null ? !me.user && nick_name === me.nick : user_id === me.user?.id;
    if (on && !myself) {
      this.#typing.set(key, setTimeout(() => this.#stopsTyping(key), TYPING_MS));
      this.typists = { ...this.typists, [key]: who };
    }
    this.#tell();
  }

  #stopsTyping(key) {
    clearTimeout(this.#typing.get(key));
    if (this.#typing.delete(key)) this.#tell();
  }

  // Who types; else who has read the reader's last words.
  #tell() {
    const typing = [...this.#typing.keys()].map((key) => this.typists[key]);
    const last = this.timeline.items.findLast((item) => item.own);
    const seen = last ? [...this.#seen].filter(([id, seq]) => seq >= last.seq && id !== me.user?.id) : [];
    let words = "";
    if (typing.length > 3) words = `${typing.length} people are typing …`;
    else if (typing.length) words = `${typing.join(", ")} ${typing.length > 1 ? "are" : "is"} typing …`;
    else if (seen.length) words = `Seen by ${seen.map(([id]) => this.nameOf(id)).join(", ")}`;
    this.line.replaceChildren(el("bdi", { text: words }));
  }

  #lost(code, detail) {
    const words = {
      removed: "You were removed from here.", banned: "You were banned from here.", left: "You left.",
      unauthorized: "This room needs an account.", forbidden: "This room is not open to you.",
      not_found: "This room is gone.",
    };
    if (code === "left") return;
    const why = words[code] ?? (detail || "This room can't be entered.");
    this.#say_banner(detail && words[code] && code !== "unauthorized" ? `${words[code]} ${detail}` : why,
      code === "unauthorized" && el("a", { href: "/login", text: "Sign in" }));
    this.composer.element.hidden = true;
  }

  #state({ state, code, reason }) {
    this.#pend();
    if (this.room?.state === "lost" && state !== "stopped") return;
    if (state === "waiting") {
      this.#say_banner("No connection. What you write is kept and goes out later.", button("Try now", () => this.hub.wake()));
    } else if (state === "stopped" && code !== 1000) {
      this.#say_banner(code === 4401 ? "You were signed out." : reason || "The server closed the connection.",
        el("a", { href: code === 4401 ? "/login" : location.pathname, "data-reload": true, text: code === 4401 ? "Sign in" : "Try again" }));
    } else if (state === "open") this.banner.hidden = true;
  }

  #say_banner(words, ...more) {
    clearTimeout(this.calming);
    this.banner.replaceChildren(words, " ", ...more.filter(Boolean));
    this.banner.hidden = false;
  }

  #calm(words) {
    this.#say_banner(words);
    this.calming = setTimeout(() => { this.banner.hidden = true; }, 4000);
  }

  announce(message) { this.#say_banner(`An admin says: ${message}`, icon("✕", "Close", () => { this.banner.hidden = true; })); }

  #below(below) {
    this.newest.hidden = this.list.following;
    this.newest.textContent = below ? `${below} new below ↓` : "Newest ↓";
  }

  // ---- what the reader does

  #say(text, replyTo) {
    if (!putBy(me.key, this.key, text, replyTo)) {
      this.#say_banner("Too many messages wait to be sent; this one stays in its field.");
      return false;
    }
    sendOff(this.room, me.key);
    this.list.following = true;
    this.#pend();
    return true;
  }

  #pend() {
    const late = unsent(me.key, this.key).filter((one) => !this.#echoes.some((echo) => echo.client_id === one.client_id));
    const known = new Set(this.timeline.items.slice(-400).map((item) => item.client_id));
    const items = [...this.#echoes, ...late].filter((one) => !known.has(one.client_id));
    const before = this.pending ?? new Map();
    this.pending = new Map(items.map((one) => [one.client_id, Object.assign(before.get(one.client_id) ?? {}, {
      ...one, kind: "pending", seq: null, own: true, user: me.user?.id, who: me.name, at: new Date(one.at), failed: one.failed,
    })]));
    this.list.pending = [...this.pending.values()];
  }

  // Stored, but not yet come back: it stands where it stood until then.
  #sent(client_id, id, duplicate) {
    const one = this.pending?.get(client_id);
    const there = this.timeline.byId(id);
    if (there) there.own = true;
    else if (one && !duplicate) this.#echoes.push(one);
    setTimeout(() => this.#pend());
  }

  #echoed(item, { client_id }) {
    if (!client_id || !this.pending?.has(client_id)) return;
    this.#echoes = this.#echoes.filter((one) => one.client_id !== client_id);
    this.#pend();
  }

  retry({ client_id }) {
    unmark(client_id);
    sendOff(this.room, me.key);
    this.#pend();
  }

  discard({ client_id }) {
    strike(client_id);
    this.#pend();
  }

  #try(promise, what) {
    promise.catch((error) => this.#calm(error.code === "disconnected"
      ? `${what} needs a connection.` : `${what} was refused: ${error.message}`));
  }

  react(item, emoji, on) {
    if (!me.user) remember(`${item.id} ${emoji}`, on);
    this.#try(this.room.react(item.id, emoji, on), "That reaction");
  }

  hasReacted(item, emoji, users) {
    return me.user ? users.includes(me.user.id) : isMine(`${item.id} ${emoji}`);
  }

  remove(item) {
    const asAdmin = !item.own && !this.#rules();
    this.#try(asAdmin ? call("DELETE", `/api/admin/messages/${item.id}/`) : this.room.remove(item.id), "Deleting");
  }

  #rules() { return ["owner", "admin"].includes(this.role); }
  mayRemove(item) { return item.own || this.#rules() || Boolean(me.user?.is_superuser); }

  async goTo(id) {
    const item = this.timeline.byId(id);
    const element = item && await this.list.reveal(item);
    if (element) element.focus();
    else speak("That message is not loaded.");
  }

  async #loadOlder() {
    const before = this.timeline.first;
    if (this.#older || this.loading || !before || this.room.state !== "joined" || this.timeline.trimmed) return;
    this.loading = true;
    try {
      const { events, more } = await this.room.history({ before, limit: PAGE });
      const had = this.timeline.items.length;
      this.timeline.prepend(events);
      this.#older = !more;
      this.list.shifted(this.timeline.items.length - had);
    } catch { /* scrolling up again asks again */ } finally { this.loading = false; }
  }

  // Read is what stood on a page that somebody looks at.
  #read() {
    if (document.hidden || !this.list.following) return;
    unread(this.key, 0);
    if (this.kind === "named" || !this.room?.seq || this.#reading) return;
    this.#reading = setTimeout(() => {
      this.#reading = 0;
      this.room.read(this.room.seq);
    }, READ_MS);
  }

  nameOf(id) { return id === me.user?.id ? "you" : names.get(id) ?? "somebody"; }

  async #share() {
    const url = new URL(`/r/${encodeURIComponent(this.key)}`, location.origin).href;
    try {
      await navigator.clipboard.writeText(url);
      this.#calm("The link is copied.");
    } catch { this.#calm(url); }
    this.link.focus();
  }
}
