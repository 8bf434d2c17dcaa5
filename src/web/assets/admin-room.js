// One room with its people, sessions, bans and messages, and what can be done there. Called by admin.js. It must not
// keep anything once it is left.

import { acting } from "./admin-acts.js";
import { delivery } from "./admin-delivery.js";
import { messages } from "./admin-messages.js";
import { bytes, count, rate } from "./admin-plots.js";
import { get } from "./api.js";
import { button, el, field } from "./dom.js";

const ROWS = 100;
const REFRESH_MS = 2000;
// How long a ban lasts, in hours; one without hours lasts until it is ended.
const BANS = [["good", ""], ["an hour", 1], ["a day", 24], ["a week", 168]];

const heads = (...names) => el("thead", {}, el("tr", {}, ...names.map((text) => el("th", { scope: "col", text }))));
const region = (label, ...children) => el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, ...children);

export class RoomPage {
  constructor(id, close) {
    this.id = id;
    this.pages = [null]; // cursors of the pages up to this one
    this.heading = el("h2", { text: "Room", tabindex: "-1" });
    this.facts = el("p", { class: "hint" });
    this.users = el("tbody");
    this.sessions = el("tbody");
    this.bans = el("tbody");
    this.back = button("Back", () => { this.pages.pop(); this.refresh(); }, { hidden: true });
    this.more = button("Next", () => { this.pages.push(this.next); this.refresh(); }, { hidden: true });
    this.lasts = el("select", { id: "ban-lasts" }, ...BANS.map(([text, value]) => el("option", { text, value })));
    this.acts = el("div", { class: "inline" }, button("All rooms", close),
      acting("Close room", "close this room for good", `/api/admin/rooms/${id}/close/`));
    this.element = el("section", {}, this.heading, this.facts, this.acts, announcing(id),
      el("h3", { text: "People" }), region("People", el("table", {}, heads("User", "Sessions", "Acts"), this.users)),
      el("h3", { text: "Sessions" }), region("Sessions",
        el("table", {}, heads("Who", "From", "Node", "Speaks", "Since", "Last heard", "Waiting", "Written / dropped", "Acts"), this.sessions)),
      el("div", { class: "inline" }, this.back, this.more, el("label", { for: "ban-lasts", text: "Ban for" }), this.lasts),
      el("h3", { text: "Bans" }), region("Bans", el("table", {}, heads("Whom", "Until", "Acts"), this.bans)), messages(id), delivery(id));
    this.refresh();
    this.timer = setInterval(() => {
      // Whoever is asked back keeps his button.
      if (!document.hidden && !this.waiting && !this.element.querySelector("td .sure")) this.refresh();
    }, REFRESH_MS);
  }

  close() { clearInterval(this.timer); }

  async refresh() {
    let room;
    this.#showBans();
    const after = this.pages.at(-1);
    const cursor = after ? `&after=${encodeURIComponent(after)}` : "";
    this.waiting = true; // a question without an answer
    try { room = await get(`/api/admin/rooms/${this.id}/?limit=${ROWS}${cursor}`); } catch (error) {
      this.facts.textContent = error.status === 404 ? "Nobody is in this room now." : error.message;
      for (const body of [this.users, this.sessions]) body.replaceChildren();
      return;
    } finally { this.waiting = false; }
    this.next = room.next;
    this.more.hidden = !room.next;
    this.back.hidden = this.pages.length < 2;
    this.heading.replaceChildren(el("bdi", { text: room.name ?? "A private chat" }));
    // A room stays for a moment after the last one has left.
    this.facts.textContent = !room.sessions ? "Nobody is in this room now." : `${room.kind} · ${count(room.active_users)} people, ${count(room.sessions)} sessions on ${room.nodes.join(", ")} · `
      + `event ${count(room.seq)} · ${rate(room.messages_per_s)} messages, ${rate(room.deliveries_per_s)} deliveries · ${bytes(room.queued_bytes)} waiting · `
      + `ledger: ${count(room.ledger.due)} due, ${count(room.ledger.written)} written, ${count(room.ledger.dropped)} dropped, ${room.ledger.imbalance} unexplained`;
    const at = document.activeElement?.getAttribute("aria-label");
    const had = this.element.contains(document.activeElement);
    this.users.replaceChildren(...room.users.map(({ id, username, sessions }) => el("tr", {},
      el("th", { scope: "row" }, el("bdi", { text: username })), el("td", { text: sessions }),
      el("td", {}, ...this.#acts(username, { user_id: id }), acting("Sign out", `sign ${username} out everywhere`, `/api/admin/users/${id}/sign-out/`),
        acting("Disable", `turn the account of ${username} off`, `/api/admin/users/${id}/disable/`)))));
    const names = new Map(room.users.map(({ id, username }) => [id, username]));
    this.sessions.replaceChildren(...room.session_list.map((one) => {
      const who = one.user_id == null ? one.nick_name ?? "guest" : names.get(one.user_id) ?? `user ${one.user_id}`;
      const short = one.session.slice(-6);
      const time = (at) => new Date(at).toLocaleTimeString();
      return el("tr", {}, el("th", { scope: "row" }, el("bdi", { text: who }), ` ${short}`, one.nick_name && one.user_id == null && el("small", { text: " guest" })),
        ...[one.ip, one.node, one.dialect, time(one.since), time(one.last_seen), bytes(one.queued_bytes), `${count(one.ledger.written)} / ${count(one.ledger.dropped)}`].map((text) => el("td", { text })),
        el("td", {}, ...this.#acts(`${who} ${short}`, { session: one.session })));
    }));
    if (had && at) [...this.element.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === at)?.focus();
  }

  async #showBans() {
    let bans;
    // A room that is closed has none.
    try { bans = await get(`/api/admin/rooms/${this.id}/ban/`); } catch { bans = []; }
    if (this.bans.querySelector(".sure")) return;
    const row = ({ subject, username, until }) => {
      const [kind, whom] = [subject.slice(0, subject.indexOf(":")), subject.slice(subject.indexOf(":") + 1)];
      const name = username ?? (kind === "g" ? `guest ${whom.slice(-6)}` : whom);
      const body = { u: { user_id: Number(whom) }, g: { guest: whom }, ip: { ip: whom } }[kind];
      return el("tr", {}, el("th", { scope: "row" }, el("bdi", { text: name })), el("td", { text: until ? new Date(until).toLocaleString() : "for good" }),
        el("td", {}, acting("Unban", `let ${name} into this room again`, `/api/admin/rooms/${this.id}/unban/`, body)));
    };
    this.bans.replaceChildren(...bans.length ? bans.map(row) : [el("tr", {}, el("td", { colspan: "3", text: "Nobody is banned here." }))]);
  }

  #acts(who, whom) {
    const { lasts } = this;
    const ban = { ...whom, get until() { return lasts.value ? new Date(Date.now() + lasts.value * 36e5).toISOString() : undefined; } };
    return [acting("Kick", `put ${who} out of this room`, `/api/admin/rooms/${this.id}/kick/`, whom),
      acting("Ban", `ban ${who} from this room`, `/api/admin/rooms/${this.id}/ban/`, ban)];
  }
}

/** A word to a room, or to everybody. */
export function announcing(room_id) {
  const text = field(room_id ? "A word to this room" : "A word to everybody", { name: room_id ? "room-word" : "word", maxlength: "500" });
  const body = { get message() { return text.input.value; }, ...(room_id ? { room_id } : {}) };
  return el("form", { class: "inline", onsubmit: (event) => event.preventDefault() }, ...text.box.childNodes,
    acting("Announce", room_id ? "announce this in the room" : "announce this to everybody", "/api/admin/announce/", body));
}
