// One room's history as plain values: events go in, in any order of pages, and what is shown comes
// out in the room's order. Called by room.js; tested under Node. It must not touch the document.

/** The most that is held; the oldest go. */
export const HELD_MAX = 10_000;
/** Reactions to messages that are not loaded, kept for when they are. */
const LOOSE_MAX = 5000;
/** Messages of one person this close together stand under one name. */
const GROUP_MS = 5 * 60_000;

export class Timeline {
  #byId = new Map();
  #reactions = new Map(); // message id → emoji → {users: Map(id → {on, seq}), guests, seqs}
  #head = 0;

  constructor({ isOwn = () => false } = {}) {
    this.items = [];
    this.isOwn = isOwn;
    this.trimmed = false;
  }

  get first() { return this.items.find(({ seq }) => seq >= 1)?.seq; }
  get head() { return this.#head; }
  byId(id) { return this.#byId.get(id); }

  /** Takes one event; gives the item that changed, or none. Twice is once. */
  apply(event) {
    this.#head = Math.max(this.#head, event.seq);
    const { type, id } = event;
    if (type === "chat_message") return this.#message(event);
    if (type === "member") return this.#place({ kind: "member", at: null, ...event });
    const item = this.#byId.get(id);
    if (type === "reaction") {
      this.#reaction(event);
      return item;
    }
    // A replayed message shows its present text: older edits have nothing to add.
    if (!item || event.seq <= item.textSeq) return undefined;
    item.textSeq = event.seq;
    if (type === "message_deleted") Object.assign(item, { deleted: true, text: "" });
    else if (!item.deleted) Object.assign(item, { text: event.message, edited: true });
    return item;
  }

  #message(event) {
    const known = this.#byId.get(event.id);
    if (known) return known;
    const { id, seq, message, sender, sender_id, nick_name, created_at, client_id, reply_to } = event;
    const item = {
      kind: "message", id, seq, text: message, client_id, reply_to,
      who: sender_id == null ? sender : nick_name || sender,
      user: sender_id, username: sender_id == null ? null : sender,
      at: new Date(created_at),
      edited: Boolean(event.edited_at), deleted: Boolean(event.deleted_at),
      textSeq: event.replay ? this.#head : seq,
      own: this.isOwn(event),
    };
    this.#byId.set(id, item);
    return this.#place(item);
  }

  /** Says that events between these two are not to be had. */
  gap(from, to, verdict) {
    return this.#place({ kind: "gap", seq: verdict === "reset" ? this.#head + 0.5 : from, to, verdict });
  }

  #place(item) {
    let at = this.items.length;
    while (at > 0 && this.items[at - 1].seq > item.seq) at -= 1;
    if (at > 0 && this.items[at - 1].seq === item.seq) return this.items[at - 1];
    this.items.splice(at, 0, item);
    return item;
  }

  /** Older events, oldest first: one insertion for the whole page. */
  prepend(events) {
    const held = this.items;
    const before = this.first ?? Infinity;
    this.items = [];
    for (const event of events) if (event.seq < before) this.apply(event);
    this.items = this.items.concat(held);
  }

  #reaction({ id, emoji, sender_id, on, seq }) {
    if (!this.#reactions.has(id) && this.#reactions.size > LOOSE_MAX + this.items.length) {
      this.#reactions.delete(this.#reactions.keys().next().value);
    }
    const of = this.#reactions.get(id) ?? new Map();
    this.#reactions.set(id, of);
    const one = of.get(emoji) ?? { users: new Map(), guests: 0, seqs: new Set() };
    of.set(emoji, one);
    if (sender_id != null) {
      if ((one.users.get(sender_id)?.seq ?? 0) < seq) one.users.set(sender_id, { on, seq });
    } else if (!one.seqs.has(seq)) {
      // Guests are not told apart: each event counts, and each once.
      one.seqs.add(seq);
      one.guests += on ? 1 : -1;
    }
  }

  /** Reactions to a message: [{emoji, count, users: [id]}]. */
  reactions(id) {
    const all = [];
    for (const [emoji, { users, guests }] of this.#reactions.get(id) ?? []) {
      const on = [...users].filter(([, state]) => state.on).map(([user]) => user);
      const count = on.length + Math.max(0, guests);
      if (count > 0) all.push({ emoji, count, users: on });
    }
    return all;
  }

  /** Lets the oldest go, but none from `keep` on; says how many went. */
  trim(keep = Infinity) {
    const over = Math.min(this.items.length - HELD_MAX, keep);
    if (over <= 0) return 0;
    for (const { id } of this.items.splice(0, over)) {
      this.#byId.delete(id);
      this.#reactions.delete(id);
    }
    this.trimmed = true;
    return over;
  }

  /** Forgets all, as when the room began anew. */
  clear() {
    this.items = [];
    this.#byId.clear();
    this.#reactions.clear();
    this.#head = 0;
  }
}

const DAY_MS = 86_400_000;
const day = (item) => item?.at && Math.floor((item.at - item.at.getTimezoneOffset() * 60_000) / DAY_MS);

/** How an item stands below the one before it: on a new day, and under a name of its own. */
export function standing(item, before) {
  const newDay = Boolean(item.at) && day(item) !== day(before);
  const same = before?.kind === "message" && item.kind === "message" && !newDay
    && before.user === item.user && before.who === item.who && item.at - before.at < GROUP_MS
    && before.own === item.own && !item.reply_to;
  return { newDay, leads: !same };
}
