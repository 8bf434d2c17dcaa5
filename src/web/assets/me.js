// Who sits before this page: a user by his cookie, or a guest with a name and a token that keeps him
// the same. Called by app.js, forms.js, side.js and room.js. It must not hold a token of a user: that is the
// HttpOnly cookie's.

import { call, get, post, renew } from "./api.js";
import { kept } from "./dom.js";

const NICK_MAX = 40;

export const me = {
  user: null,
  nick: kept.get("nick") ?? `guest-${Math.floor(1000 + Math.random() * 9000)}`,
  guestToken: kept.get("guest") ?? undefined,
  /** Whose unsent messages and drafts are whose. */
  get key() { return this.user ? `u${this.user.id}` : "guest"; },
  get name() { return this.user?.username ?? this.nick; },
};

/** Names of users by id, as far as this page has met them. */
export const names = new Map();

/** Finds out who it is. A guest costs no round trip. */
export async function recall() {
  if (!kept.get("signed_in")) return;
  try {
    me.user = await get("/api/me/");
  } catch (error) {
    if (error.status !== 401) throw error;
    await forget();
  }
}

export async function signIn(name, password) {
  const by = name.includes("@") ? "email" : "username";
  await post("/login/", { [by]: name, password });
  kept.set("signed_in", true);
  await recall();
}

export async function register(username, password, email) {
  await post("/register/", { username, password, ...(email ? { email } : {}) });
  await signIn(username, password);
}

export async function signOut() {
  await call("POST", "/logout/").catch(() => {});
  me.user = null;
  kept.set("signed_in", null);
}

/** The login is over: its cookies go too, or they would be refused as a guest's. */
const forget = signOut;

export function setNick(nick) {
  me.nick = nick.trim().slice(0, NICK_MAX) || me.nick;
  kept.set("nick", me.nick);
}

export function setGuestToken(token) {
  me.guestToken = token;
  kept.set("guest", token);
}

/** For hubbub.js: true with a newer cookie, false when the login is over. */
export async function renewCookie() {
  const renewed = me.user ? await renew() : true;
  // A cookie of another time would be in a guest's way as well.
  if (!me.user || !renewed) await forget();
  return renewed;
}
