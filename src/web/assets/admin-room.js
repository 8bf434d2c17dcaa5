// One live room with its people and sessions, and what can be done there. Called by admin.js. It must not
// keep anything once it is left.

import { acting } from "./admin-acts.js";
import { bytes, count, rate } from "./admin-plots.js";
import { get } from "./api.js";
import { button, el, field } from "./dom.js";

const ROWS = 100;
const REFRESH_MS = 2000;

const heads = (...names) => el("thead", {}, el("tr", {}, ...names.map((text) => el("th", { scope: "col", text }))));
const region = (label, ...children) => el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, ...children);

export class RoomPage {
  constructor(id, close) {
    this.id = id;
    this.after = null;
    this.heading = el("h2", { text: "Room", tabindex: "-1" });
    this.facts = el("p", { class: "hint" });
    this.users = el("tbody");
    this.sessions = el("tbody");
    this.more = button("Next", () => { this.after = this.next; this.refresh(); }, { hidden: true });
    this.acts = el("div", { class: "inline" }, button("All rooms", close),
      acting("Close room", "close this room for good", `/api/admin/rooms/${id}/close/`));
    this.element = el("section", {}, this.heading, this.facts, this.acts, announcing(id),
      el("h3", { text: "People" }), region("People", el("table", {}, heads("User", "Sessions", "Acts"), this.users)),
      el("h3", { text: "Sessions" }), region("Sessions",
        el("table", {}, heads("Who", "From", "Node", "Speaks", "Since", "Last heard", "Waiting", "Written / dropped", "Acts"), this.sessions)), this.more);
    this.refresh();
    this.timer = setInterval(() => {
      // Whoever is asked back keeps his button.
      if (!document.hidden && !this.element.querySelector("td .sure")) this.refresh();
    }, REFRESH_MS);
  }

  close() { clearInterval(this.timer); }

  async refresh() {
    let room;
    const cursor = this.after ? `&after=${encodeURIComponent(this.after)}` : "";
    try { room = await get(`/api/admin/rooms/${this.id}/?limit=${ROWS}${cursor}`); } catch (error) {
      this.facts.textContent = error.status === 404 ? "Nobody is in this room now." : error.message;
      for (const body of [this.users, this.sessions]) body.replaceChildren();
      return;
    }
    this.next = room.next;
    this.more.hidden = !room.next;
    this.heading.replaceChildren(el("bdi", { text: room.name ?? "A private chat" }));
    this.facts.textContent = `${room.kind} · ${count(room.active_users)} people, ${count(room.sessions)} sessions on ${room.nodes.join(", ")} · `
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
      const who = one.user_id == null ? "guest" : names.get(one.user_id) ?? `user ${one.user_id}`;
      const short = one.session.slice(-6);
      const time = (at) => new Date(at).toLocaleTimeString();
      return el("tr", {}, el("th", { scope: "row" }, el("bdi", { text: `${who} ${short}` })),
        ...[one.ip, one.node, one.dialect, time(one.since), time(one.last_seen), bytes(one.queued_bytes), `${count(one.ledger.written)} / ${count(one.ledger.dropped)}`].map((text) => el("td", { text })),
        el("td", {}, ...this.#acts(`${who} ${short}`, { session: one.session })));
    }));
    if (had && at) [...this.element.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === at)?.focus();
  }

  #acts(who, whom) {
    return [acting("Kick", `put ${who} out of this room`, `/api/admin/rooms/${this.id}/kick/`, whom),
      acting("Ban", `ban ${who} from this room`, `/api/admin/rooms/${this.id}/ban/`, whom)];
  }
}

/** A word to a room, or to everybody. */
export function announcing(room_id) {
  const text = field(room_id ? "A word to this room" : "A word to everybody", { name: room_id ? "room-word" : "word", maxlength: "500" });
  const body = { get message() { return text.input.value; }, ...(room_id ? { room_id } : {}) };
  return el("form", { class: "inline", onsubmit: (event) => event.preventDefault() }, ...text.box.childNodes,
    acting("Announce", room_id ? "announce this in the room" : "announce this to everybody", "/api/admin/announce/", body));
}
