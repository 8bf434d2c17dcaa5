// The live rooms as a table: sorted, searched and paged by the server. Called by admin.js. It must not hold
// more than the page that it shows.

import { get } from "./api.js";
import { bytes, count, rate } from "./admin-plots.js";
import { button, el } from "./dom.js";

const ROWS = 50;
const REFRESH_MS = 3000;
const SORTS = { name: "Room", active_users: "People", messages_per_s: "Messages" };

export class Rooms {
  #sort = "active_users";
  #pages = [null]; // cursors of the pages up to this one
  #next = null;
  #asked = 0;
  #waiting = 0; // questions without an answer

  constructor(open) {
    this.open = open;
    this.rows = el("tbody");
    this.search = el("input", { type: "search", "aria-label": "Part of a room's name", placeholder: "Search", oninput: () => this.#from(null) });
    this.back = button("Back", () => { this.#pages.pop(); this.refresh(); });
    this.more = button("Next", () => { this.#pages.push(this.#next); this.refresh(); });
    this.where = el("p", { class: "hint" });
    this.head = el("tr");
    this.element = el("section", { "aria-labelledby": "rooms" }, el("h2", { id: "rooms", text: "Live rooms" }),
      el("form", { class: "inline", onsubmit: (event) => event.preventDefault() }, this.search, el("div", { class: "inline" }, this.back, this.more, this.where)),
      el("div", { class: "wide", tabindex: "0", role: "region", "aria-labelledby": "rooms" },
        el("table", {}, el("thead", {}, this.head), this.rows)));
    this.#heads();
    this.refresh();
    setInterval(() => { if (!document.hidden && this.element.isConnected && !this.#waiting) this.refresh(); }, REFRESH_MS);
  }

  #heads() {
    const sorted = (key) => el("th", { scope: "col", class: key !== "name" && "number", "aria-sort": this.#sort === key ? (key === "name" ? "ascending" : "descending") : null },
      button(SORTS[key], () => { this.#sort = key; this.#heads(); this.#from(null); }));
    const plain = (text) => el("th", { scope: "col", class: "number", text });
    this.head.replaceChildren(sorted("name"), el("th", { scope: "col", text: "Kind" }), sorted("active_users"), plain("Sessions"),
      sorted("messages_per_s"), plain("Deliveries"), plain("Fan-out p95 ms"), plain("Waiting"), plain("Slow"), plain("Events"));
  }

  #from(cursor) {
    this.#pages = [cursor];
    this.more.disabled = true; // until the next page of this order is known
    this.refresh();
  }

  async refresh() {
    const asked = this.#asked += 1;
    const query = new URLSearchParams({ sort: this.#sort, limit: ROWS });
    if (this.search.value.trim()) query.set("q", this.search.value.trim());
    const after = this.#pages.at(-1);
    if (after) query.set("after", after);
    let page;
    this.#waiting += 1;
    try { page = await get(`/api/admin/rooms/?${query}`); } catch (error) {
      this.where.textContent = error.message;
      return;
    } finally { this.#waiting -= 1; }
    if (asked !== this.#asked) return; // somebody has asked for another page meanwhile
    this.#next = page.next;
    this.back.disabled = this.#pages.length < 2;
    this.more.disabled = !page.next;
    this.where.textContent = `Page ${this.#pages.length}`;
    const at = this.rows.contains(document.activeElement) && document.activeElement.dataset.room;
    this.rows.replaceChildren(...page.rooms.map((room) => this.#row(room)));
    if (at) this.rows.querySelector(`[data-room="${CSS.escape(at)}"]`)?.focus();
    if (!page.rooms.length) this.rows.replaceChildren(el("tr", {}, el("td", { colspan: "10", text: "No live room." })));
  }

  #row(room) {
    const numbers = [count(room.active_users), count(room.sessions), rate(room.messages_per_s), rate(room.deliveries_per_s),
      room.fanout_ms.p95.toFixed(1), bytes(room.queued_bytes), count(room.slow_readers), count(room.seq)];
    return el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `/admin/?room=${room.room_id}`, "data-room": room.room_id, onclick: (event) => this.open(event, room.room_id) },
        el("bdi", { text: room.name ?? "a private chat" }))),
      el("td", { text: room.kind }), ...numbers.map((text) => el("td", { class: "number", text })));
  }
}
