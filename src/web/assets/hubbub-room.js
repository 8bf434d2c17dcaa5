// One room of hubbub.js: its events in their order without a gap, its sends until they are stored.
// Made by Hubbub.join in hubbub.js, whose head says what pages may call; names that begin with _ are
// between these two files. It must not open connections of its own.

const DURABLE = new Set(["chat_message", "message_edited", "message_deleted", "reaction", "member"]);
const MAY_PASS = new Set(["busy", "rate_limited", "unknown_outcome", "internal", "disconnected"]);
const OUT_FOR_GOOD = new Set(["removed", "banned", "left"]);
const PAGE = 500; // the most events that the server gives at once
const ASIDE_MAX = 2000; // events that wait for what is missing before them; more are fetched again
const OUTBOX_MAX = 1000; // sends of a room that wait

export const fault = (code, detail) => Object.assign(new Error(detail || code), { code });
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Listeners by name. */
export class Emitter {
  #listeners = new Map();

  on(name, listener) {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(listener));
    return () => all.delete(listener);
  }

  emit(name, what) {
    for (const listener of this.#listeners.get(name) ?? []) {
      // One page's mistake must not cost the next event its turn.
      try { listener(what); } catch (error) { console.error(error); }
    }
  }
}

/** A room that is followed. Made by Hubbub.join. */
export class Room extends Emitter {
  #hub;
  #aside = new Map();
  #loading = false;
  #catching = false;
  #outbox = [];
  #sending = false;
  #last;

  constructor(hub, name, { after, epoch, last = 50 } = {}) {
    super();
    this.#hub = hub;
    this.#last = last;
    Object.assign(this, { name, id: null, seq: after, epoch, head: after ?? 0, me: null });
    this.state = "waiting"; // waiting | joined | lost
  }

  /** Every event up to this number has been handed on: what a later join resumes from. */
  get held() { return { after: this.seq, epoch: this.epoch }; }

  send(message, { client_id = newId(), reply_to } = {}) {
    const done = new Promise((resolve, reject) => {
      const full = this.#outbox.length >= OUTBOX_MAX;
      if (this.state === "lost" || full) {
        const code = full ? "outbox_full" : "not_joined";
        this.emit("refused", { client_id, code });
        return reject(fault(code));
      }
      this.#outbox.push({ frame: { type: "send", message, client_id, reply_to }, resolve, reject });
      this.#flush();
    });
    done.catch(() => {}); // "refused" says it too, to those who don't await
    return done;
  }

  edit(id, message) { return this.#ask({ type: "edit", id, message }); }
  remove(id) { return this.#ask({ type: "delete", id }); }
  react(id, emoji, on = true) { return this.#ask({ type: "react", id, emoji, on }); }
  history({ before, after, limit } = {}) { return this.#ask({ type: "history", before, after, limit }); }
  who(after) { return this.#ask({ type: "who", after }); }
  typing(on = true) { this.#tell({ type: "typing", on }); }
  read(seq) { this.#tell({ type: "read", seq }); }

  leave() {
    this.#tell({ type: "leave" });
    this._lose("left", "");
    this.#hub._forget(this);
  }

  #ask(frame) {
    if (this.state !== "joined") return Promise.reject(fault("disconnected"));
    return this.#hub.request({ ...frame, room: this.id });
  }

  #tell(frame) {
    if (this.state === "joined") this.#hub._write({ ...frame, room: this.id });
  }

  // What follows is for Hubbub alone.

  _enter() {
    const { after, epoch } = this.held;
    const frame = { type: "join", room: this.id ?? this.name, after, epoch, nick_name: this.#hub.nick };
    this.#hub._ask(frame, (joined) => this.#joined(joined), (error) => {
      if (!MAY_PASS.has(error.code)) this._lose(error.code, error.message);
      else if (error.code !== "disconnected") this.#hub._later(error.wait, () => this._enter());
    });
  }

  #joined(frame) {
    const { verdict, seq, from } = frame;
    Object.assign(this, { id: frame.chat_id, epoch: frame.epoch, me: frame.me, kind: frame.kind });
    this.title = frame.name;
    this.state = "joined";
    this.#sending = this.#catching = this.#loading = false;
    this.#hub._seated(this, frame);
    const anew = verdict === "fresh" || verdict === "reset";
    if (anew) {
      this.#aside.clear();
      this.head = this.seq = seq;
    }
    if (verdict === "reset") this.emit("gap", { verdict, from: 1, to: seq });
    if (verdict === "partial") this.#skipTo(from);
    this.head = Math.max(this.head, seq);
    this.emit("joined", frame);
    if (anew) this.#load(seq + 1);
    this.#flush();
  }

  // The newest events, before any that comes live.
  async #load(before) {
    if (this.#last > 0 && before > 1) {
      this.#loading = true;
      try {
        const { events, more } = await this.#patient(() => this.history({ before, limit: this.#last }));
        this.more = more;
        for (const event of events) this.#hand(event);
      } catch {
        return; // the connection went, and the next join is fresh again
      }
      this.#loading = false;
    }
    this.emit("live", { seq: this.seq });
    this.#drain();
  }

  _lost() {
    if (this.#loading) this.seq = this.epoch = undefined;
    if (this.state !== "lost") this.state = "waiting";
  }

  _void() {
    this.seq = this.epoch = undefined;
    this.emit("gap", { verdict: "reset", from: 1, to: this.head });
  }

  _lose(code, detail) {
    if (this.state === "lost") return;
    this.state = "lost";
    this.emit("lost", { code, detail });
    for (const { frame, reject } of this.#outbox.splice(0)) {
      this.emit("refused", { client_id: frame.client_id, code, detail });
      reject(fault(code, detail));
    }
  }

  _frame(frame) {
    const { type } = frame;
    if (DURABLE.has(type)) this.#take(frame);
    else if (type === "live") {
      if (this.#loading) return; // said once the newest events are here
      if (this.seq < this.head) this.#catchUp();
      else this.emit("live", frame);
    } else if (type === "lag") {
      this.head = Math.max(this.head, frame.seq);
      this.#catchUp().then((whole) => { if (whole) this._enter(); });
    } else this.emit(type, frame);
  }

  #take(frame) {
    const { seq } = frame;
    this.head = Math.max(this.head, seq);
    if (seq <= this.seq) return;
    if (this.#loading || seq > this.seq + 1) {
      if (this.#aside.size < ASIDE_MAX) this.#aside.set(seq, frame);
      if (!this.#loading) this.#catchUp();
      return;
    }
    this.#step(frame);
    this.#drain();
  }

  #drain() {
    for (let next; (next = this.#aside.get(this.seq + 1));) {
      this.#aside.delete(next.seq);
      this.#step(next);
    }
    if (this.seq < this.head) this.#catchUp();
  }

  #step(frame) {
    this.seq = frame.seq;
    this.#hand(frame);
  }

  #hand(frame) {
    this.emit("event", frame);
    this.emit(frame.type, frame);
    const mine = this.me?.user_id != null && frame.user_id === this.me.user_id;
    if (frame.type === "member" && mine && !frame.replay && OUT_FOR_GOOD.has(frame.action)) {
      this._lose(frame.action, "");
    }
  }

  // Reads what is missing up to the head, page by page; true when nothing is.
  async #catchUp() {
    if (this.#catching) return false;
    this.#catching = true;
    try {
      while (this.seq < this.head) {
        const after = this.seq;
        const { events } = await this.#patient(() => this.history({ after, limit: PAGE }));
        // Where a page begins later, what lies between is kept no longer.
        if (this.seq === after) this.#skipTo(events.length ? events[0].seq : this.head + 1);
        for (const event of events) if (event.seq === this.seq + 1) this.#step(event);
        for (const seq of this.#aside.keys()) if (seq <= this.seq) this.#aside.delete(seq);
      }
    } catch {
      return false; // the connection went; the next join takes it up
    } finally {
      this.#catching = false;
    }
    this.#drain();
    this.emit("live", { seq: this.seq });
    return true;
  }

  #skipTo(first) {
    if (first <= this.seq + 1) return;
    this.emit("gap", { verdict: "partial", from: this.seq + 1, to: first - 1 });
    this.seq = first - 1;
  }

  // Asks again while the server is only busy.
  async #patient(ask) {
    for (;;) {
      try { return await ask(); } catch (error) {
        if (error.code === "disconnected" || !MAY_PASS.has(error.code)) throw error;
        await pause(error.wait);
      }
    }
  }

  // One at a time: so they keep their order even when one has to be sent again.
  #flush() {
    if (this.#sending || this.state !== "joined" || !this.#outbox.length) return;
    this.#sending = true;
    const [{ frame, resolve, reject }] = this.#outbox;
    const next = (what) => {
      this.#outbox.shift();
      this.#sending = false;
      what();
      this.#flush();
    };
    const { client_id } = frame;
    this.#hub._ask({ ...frame, room: this.id }, (ok) => next(() => {
      this.emit("sent", { ...ok, client_id });
      resolve(ok);
    }), (error) => {
      if (error.code === "disconnected") return;
      if (MAY_PASS.has(error.code)) {
        this.#hub._later(error.wait, () => { this.#sending = false; this.#flush(); });
        return;
      }
      next(() => {
        this.emit("refused", { client_id, code: error.code, detail: error.message });
        reject(error);
      });
    });
  }
}

/** A client_id that nobody else has; pages without TLS have no crypto.randomUUID. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
