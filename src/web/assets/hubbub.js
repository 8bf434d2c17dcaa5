// hubbub.js: a client of hubbub.v1 (docs/PROTOCOL.md), for any page and for Node. The server's own
// pages stand on it. It connects, comes back by itself, and hands each room's events on in their
// order, each once. It must not touch the document, nor keep anything beyond the page's life.
//
//   import { Hubbub } from "https://chat.example/hubbub.js";
//   const room = new Hubbub({ nick: "Ann" }).join("lobby");
//   room.on("chat_message", (said) => console.log(said.sender, said.message));
//   room.send("hello");
//
// new Hubbub(options). All may be left out:
//   url         where: "wss://chat.example/ws/". Else the server that this file came from
//   nick        a guest's name
//   token       an access token, or a function that gives one (or its promise)
//   ticket      a function that fetches a one-use ticket (POST /api/ws-ticket/)
//   guestToken  what the event "guest" gave before: keeps the guest the same person
//   renew       called before the token ends and when it was refused. Resolve with a newer token;
//               with true when a cookie was renewed; with false when there is none to be had
//   account     true where the proof is a cookie: a socket that opens without a user is not used, but
//               answered with `renew`, as one that was refused
//   WebSocket   the class to use where there is no global one
//
// Events of a Hubbub, by on(name, listener), which returns what takes the listener off again:
//   state {state: "connecting" | "open" | "waiting" | "stopped", code, reason, retry_in}
//   guest {guest_token} · hello · chats · people · announcement     as the frames of those names
//
// join(room, {after, epoch, last = 50}) gives a Room at once; `last` events are brought when nothing
// is held yet. Events of a Room:
//   event       each durable event; also under its type: chat_message, message_edited,
//               message_deleted, reaction, member. `replay` is true for what is not new
//   joined      the frame · live: all that was missed has come
//   gap {from, to, verdict}   events that the server no longer has ("partial"), or the room began
//               anew and all that was held is void ("reset")
//   presence · typing · read · announcement                          as the frames of those names
//   lost {code, detail}       this room is not for us, or no longer
//   sent {client_id, id, seq, …} · refused {client_id, code, detail}  what became of a send
//
// Methods of a Room: send(text, {client_id, reply_to}) resolves once it is stored, over any number
// of reconnects, once; edit(id, text), remove(id), react(id, emoji, on), history({before, after,
// limit}) and who(after) resolve with the answer and reject with an Error that has a `code`
// ("disconnected" when the connection went first); typing(on), read(seq); leave().

import { Emitter, Room, fault } from "./hubbub-room.js";

export { Room, newId } from "./hubbub-room.js";

const BACK_OFF_MS = 500;
const BACK_OFF_MAX_MS = 20_000;
const HELD_MS = 5000; // a socket that holds so long has ended the back-off
const HELLO_MS = 15_000; // a connection without a hello by then is none
const RENEWED_MAX = 3; // proofs that were got and refused in a row
const PROBE_MS = 4000; // an answer that takes longer when the page wakes

/** One connection, any number of rooms. */
export class Hubbub extends Emitter {
  #options;
  #socket = null;
  #rooms = new Map(); // by the name that was asked for
  #byId = new Map();
  #asked = new Map(); // ref → what awaits its answer
  #ref = 0;
  #tries = 0;
  #renewed = 0;
  #timers = new Set();
  #heard = 0;
  #bye = null;
  #greeted = false;
  #watching = false;

  constructor(options = {}) {
    super();
    this.#options = options;
    this.nick = options.nick;
    this.guestToken = options.guestToken;
    this.user = null;
    this.state = "connecting";
    if (globalThis.document) {
      globalThis.addEventListener("online", () => this.wake());
      globalThis.addEventListener("offline", () => this.wake());
      globalThis.addEventListener("pageshow", () => this.wake());
      globalThis.addEventListener("pagehide", () => this.#rest());
      document.addEventListener("visibilitychange", () => { if (!document.hidden) this.wake(); });
    }
    queueMicrotask(() => this.#open());
  }

  /** Follows a room, named as in the protocol; the same Room when it is followed already. */
  join(name, options) {
    let room = this.#rooms.get(name);
    if (!room || room.state === "lost") {
      room = new Room(this, name, options);
      this.#rooms.set(name, room);
      if (this.state === "open") room._enter();
    }
    return room;
  }

  /** Sends a frame and resolves with its answer; rejects with an Error that has a `code`. */
  request(frame) {
    return new Promise((resolve, reject) => { this._ask(frame, resolve, reject); });
  }

  /** Has "people" frames come, over reconnects too. */
  watch() {
    this.#watching = true;
    if (this.state === "open") this._write({ type: "watch", people: true });
  }

  /** Looks at once whether the connection still is one; connects at once when it waits. */
  wake() {
    if (this.state === "waiting") this.#open();
    else if (this.state === "open") this.#probe(PROBE_MS);
  }

  /** Ends it for good. */
  close() { this.#stop(1000, "closed"); }

  /** Connects anew with another proof: after signing in, for instance. */
  reconnect() {
    this.#drop();
    this.#ended();
    this.state = "connecting";
    this.#open();
  }

  // A page that is left may be kept by the browser, to come back at once: nobody sits in its rooms.
  #rest() {
    if (this.state !== "connecting" && this.state !== "open") return;
    this.#drop();
    this.#ended();
    this.#say("waiting");
  }

  #say(state, more = {}) {
    this.state = state;
    this.emit("state", { state, ...more });
  }

  _later(ms, what) {
    const timer = setTimeout(() => { this.#timers.delete(timer); what(); }, ms);
    this.#timers.add(timer);
  }

  async #open() {
    if (this.#socket || this.state === "stopped") return;
    this.#clearTimers();
    this.#say("connecting");
    const { token, ticket } = this.#options;
    const mark = (this.#socket = {}); // taken, while proofs are fetched
    const url = new URL(this.#options.url ?? new URL("/ws/", import.meta.url));
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = ["hubbub.v1"];
    try {
      const shown = typeof token === "function" ? await token() : token;
      if (shown) protocols.push(`hubbub.token.${shown}`);
      else if (ticket) url.searchParams.set("ticket", await ticket());
    } catch {
      if (this.#socket === mark) this.#closed(1006, "");
      return;
    }
    if (this.#socket !== mark) return;
    let socket;
    try {
      socket = new (this.#options.WebSocket ?? WebSocket)(url.href, protocols);
    } catch (error) {
      this.#closed(4401, error.message); // a token of signs that no token has
      return;
    }
    const live = (then) => (event) => { if (this.#socket === socket) then(event); };
    this.#socket = socket;
    this.#bye = null;
    this.#greeted = false;
    socket.onmessage = live(({ data }) => this.#frame(JSON.parse(data)));
    socket.onclose = live(({ code, reason }) => this.#closed(code, reason));
    socket.onerror = () => {};
    this._later(HELLO_MS, () => { if (this.state === "connecting") this.#closed(1006, ""); });
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#clearTimers();
    if (socket?.close) socket.close();
  }

  #clearTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #ended() {
    for (const room of this.#rooms.values()) room._lost();
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { fail } of asked) fail(fault("disconnected"));
  }

  async #closed(code, reason) {
    const after = this.#bye?.after_ms ?? 0;
    reason = this.#bye?.reason || reason;
    this.#drop();
    this.#ended();
    if (code === 4101) for (const room of this.#rooms.values()) room._void();
    const asGuest = code === 4401 && this.#greeted && this.guestToken && !this.user;
    if (asGuest) this.#guest(undefined);
    else if (code === 4100 || code === 4401) {
      const renewed = await this.#renew(code === 4401 && !this.#options.renew);
      if (renewed === false) return this.#stop(code, reason);
    } else if (code >= 4400 && code < 4600) return this.#stop(code, reason);
    if (this.#socket || this.state === "stopped") return;
    const ceiling = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** this.#tries);
    this.#tries += 1;
    const retry_in = Math.max(after, Math.random() * ceiling);
    this.#say("waiting", { code, reason, retry_in });
    this._later(retry_in, () => this.#open());
  }

  // A newer proof; false when there is none to be had, undefined when that can't be told now.
  async #renew(hopeless) {
    const { renew } = this.#options;
    if (hopeless || !renew || this.#renewed >= RENEWED_MAX) return false;
    try {
      const renewed = await renew();
      this.#renewed += 1;
      if (typeof renewed === "string") this.#options = { ...this.#options, token: renewed };
      return renewed || false;
    } catch { return undefined; }
  }

  #stop(code, reason) {
    this.#drop();
    this.#ended();
    this.#say("stopped", { code, reason });
  }

  #guest(guest_token) {
    this.guestToken = guest_token;
    this.emit("guest", { guest_token });
  }

  #probe(within) {
    const asked = Date.now();
    this._write({ type: "ping" });
    this._later(within, () => { if (this.#heard < asked) this.#closed(1006, ""); });
  }

  #beat(every) {
    this._later(every, () => { this.#probe(every); this.#beat(every); });
  }

  #hello(frame) {
    this.user = frame.user;
    this.#greeted = true;
    // The cookie has run out: nothing may be said as a guest that was meant as somebody.
    if (!frame.user && this.#options.account) return this.#closed(4401, "");
    const begin = () => {
      this.#clearTimers();
      this._later(HELD_MS, () => { this.#tries = this.#renewed = 0; });
      this.#beat(frame.ping_interval_ms);
      this.#say("open", { user: this.user });
      this.emit("hello", frame);
      if (this.state !== "open") return; // closed by who heard it
      if (this.#watching && this.user) this._write({ type: "watch", people: true });
      for (const room of this.#rooms.values()) if (room.state === "waiting") room._enter();
    };
    if (frame.user || !this.guestToken) return begin();
    const auth = { type: "auth", guest_token: this.guestToken };
    this._ask(auth, (ok) => { this.#guest(ok.guest_token ?? this.guestToken); begin(); }, () => {});
  }

  #frame(frame) {
    this.#heard = Date.now();
    const { type, ref, chat_id } = frame;
    const asked = this.#asked.get(ref);
    if (asked) {
      this.#asked.delete(ref);
      if (type !== "error") return asked.done(frame);
      const wait = frame.retry_after_ms ?? BACK_OFF_MS + Math.random() * BACK_OFF_MS;
      return asked.fail(Object.assign(fault(frame.code, frame.detail), { wait }));
    }
    const room = this.#byId.get(chat_id);
    if (type === "hello") this.#hello(frame);
    else if (type === "bye") this.#bye = frame;
    else if (type === "expiring") this.#expiring();
    else if (type === "error") room?._lose(frame.code, frame.detail);
    else if (type === "chats" || !room) this.emit(type, frame);
    else if (room.state === "joined") room._frame(frame);
  }

  async #expiring() {
    const socket = this.#socket;
    const renewed = await this.#renew(false);
    if (!renewed || this.#socket !== socket) return; // the close that comes says the rest
    if (renewed === true) this.reconnect();
    else this._write({ type: "auth", token: renewed });
  }

  _ask(frame, done, fail) {
    const ref = String(++this.#ref);
    if (!this._write({ ...frame, ref })) return fail(fault("disconnected"));
    this.#asked.set(ref, { done, fail });
  }

  _write(frame) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  _seated(room, { chat_id, guest_token }) {
    this.#byId.set(chat_id, room);
    if (guest_token) this.#guest(guest_token);
  }

  _forget(room) {
    if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
    if (this.#byId.get(room.id) === room) this.#byId.delete(room.id);
  }
}
