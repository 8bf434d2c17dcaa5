// What is written and not yet said: drafts, and messages that the server has not stored. Kept in this
// browser, so that a reload or a lost network costs nobody a word; a message goes with its client_id
// and is stored once however often it is sent. Called by room.js and app.js. It must not grow beyond its
// bounds, nor send one person's words as another.

import { kept } from "./dom.js";
import { newId } from "./hubbub.js";

const WAITING_MAX = 200;
const DRAFTS_MAX = 50;
const OWN_MAX = 500;

const waiting = () => kept.get("outbox") ?? [];

/** Messages of this person that wait, of one room or of all. */
export const unsent = (as, room) =>
  waiting().filter((one) => one.as === as && (room === undefined || one.room === room));

/** Puts a message by; none when there is no place left. */
export function putBy(as, room, text, reply_to) {
  const all = waiting();
  const one = { as, room, text, reply_to, client_id: newId(), at: Date.now() };
  if (all.length >= WAITING_MAX || !kept.set("outbox", [...all, one])) return null;
  return one;
}

/** It is stored, or given up. */
export function strike(client_id) {
  const all = waiting();
  const left = all.filter((one) => one.client_id !== client_id);
  if (left.length < all.length) kept.set("outbox", left);
}

function mark(client_id, failed) {
  kept.set("outbox", waiting().map((one) => one.client_id === client_id ? { ...one, failed } : one));
}

const own = new Set(kept.get("own") ?? []);

/** A guest's messages and reactions are known by this browser alone: by their ids. */
export const isMine = (mark) => own.has(mark);

export function remember(mark, is = true) {
  own[is ? "add" : "delete"](mark);
  kept.set("own", [...own].slice(-OWN_MAX));
}

const handed = new WeakMap(); // room → client_ids that it has in hand

/** Gives a room what waits for it, each message once; those that were refused stay, marked. */
export function sendOff(room, as) {
  const mine = handed.get(room) ?? new Set();
  handed.set(room, mine);
  for (const { client_id, text, reply_to, failed } of unsent(as, room.name)) {
    if (failed || mine.has(client_id)) continue;
    mine.add(client_id);
    room.send(text, { client_id, reply_to }).then(({ id }) => {
      if (as === "guest") remember(id);
      strike(client_id);
    }, (error) => {
      mine.delete(client_id);
      if (error.code !== "left" && error.code !== "outbox_full") mark(client_id, error.message);
    });
  }
}

/** Has a refused message tried again. */
export const unmark = (client_id) => mark(client_id, undefined);

/** What was being written in a room. */
export const draft = (as, room) => (kept.get("drafts") ?? []).find((one) => one.key === `${as} ${room}`)?.text ?? "";

export function setDraft(as, room, text) {
  const key = `${as} ${room}`;
  const others = (kept.get("drafts") ?? []).filter((one) => one.key !== key);
  if (text) others.unshift({ key, text });
  kept.set("drafts", others.slice(0, DRAFTS_MAX));
}
