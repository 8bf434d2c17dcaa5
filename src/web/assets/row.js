// One item of a room as an element: a message with its name, time, text, reactions and state, or a
// note. Called by room.js through list.js. It must not ask the server: `room` has the verbs.

import { button, el } from "./dom.js";
import { body } from "./text.js";
import { standing } from "./timeline.js";

const TINTS = 6;

/** A person's colour: the same everywhere, one of a few that can be read on every theme. */
export function tint(name) {
  let sum = 0;
  for (const sign of name) sum = (sum * 31 + sign.codePointAt(0)) % 9973;
  return `tint-${sum % TINTS}`;
}

// Made once: a format is a thousand times dearer than its use.
const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium" });
const clock = (at) => CLOCK.format(at);

function date(at) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 864e5);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return at.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

/** What an element was drawn from: where this is the same, nothing is to be done. */
const drawnFrom = new WeakMap();

/** The item's element: the one that is there, when nothing about it has changed. */
export function row(item, before, there, room) {
  const { newDay, leads } = standing(item, before);
  const reactions = item.kind === "message" ? room.timeline.reactions(item.id) : [];
  const state = [newDay, leads, item.text, item.edited, item.deleted, item.own, item.failed,
    item.seq === room.newFrom, reactions.map(({ emoji, count }) => emoji + count).join()].join("\u0000");
  if (there && drawnFrom.get(there) === state) return there;
  const made = item.kind === "message" || item.kind === "pending"
    ? message(item, { newDay, leads, reactions, room }) : note(item, room);
  drawnFrom.set(made, state);
  if (there?.contains(document.activeElement)) queueMicrotask(() => made.focus());
  return made;
}

function note(item, room) {
  const words = item.kind === "gap" ? gap(item) : member(item, room);
  return el("p", { class: `note ${item.kind}`, text: words, dir: "auto" });
}

const gap = ({ seq, to, verdict }) => verdict === "reset"
  ? "This room began anew on the server. What was said before can't be shown any more."
  : `${to - seq + 1} older events are no longer kept by the server and can't be shown.`;

function member({ action, user_id, by }, room) {
  const who = room.nameOf(user_id);
  const whom = by && by !== user_id ? ` by ${room.nameOf(by)}` : "";
  const said = { joined: "joined", left: "left", added: `was added${whom}`, removed: `was removed${whom}`,
    promoted: `may now look after this room`, banned: `was banned${whom}` };
  return `${who} ${said[action] ?? action}`;
}

function message(item, { newDay, leads, reactions, room }) {
  const { who, at, own, edited, deleted, failed, kind } = item;
  const waiting = kind === "pending";
  const text = deleted ? el("div", { class: "body gone", text: "This message was deleted." }) : body(item.text);
  if (edited && !deleted) text.append(el("small", { class: "edited", text: " (edited)" }));
  const head = el("div", { class: "head" },
    el("bdi", { class: `who ${tint(who)}`, text: who }),
    item.user == null && !waiting && el("small", { class: "guest", text: "guest" }),
    el("time", { datetime: at.toISOString(), text: waiting ? "waiting" : clock(at), title: `${FULL.format(at)}${item.seq ? `, event ${item.seq}` : ""}` }));
  const state = failed && el("p", { class: "fate", text: `Not sent: ${failed}` });
  if (failed) {
    state.append(" ", button("Try again", () => room.retry(item)), " ", button("Discard", () => room.discard(item)));
  }
  const classes = ["message", own && "own", leads && "leads", waiting && "waiting"];
  return el("article", {
    class: classes.filter(Boolean).join(" "), tabindex: "-1", "data-seq": item.seq, "data-id": item.id,
    "aria-label": `${who}, ${clock(at)}`, "data-at": leads ? null : clock(at),
  },
  newDay && el("h3", { class: "day", text: date(at) }),
  item.seq === room.newFrom && el("p", { class: "new", text: "New since your last visit" }),
  el("div", { class: "bubble" }, leads && head, item.reply_to && quote(item.reply_to, room), text,
    reactions.length > 0 && tally(item, reactions, room), state));
}

function quote(id, room) {
  const said = room.timeline.byId(id);
  const words = !said ? "an earlier message" : said.deleted ? "a deleted message" : said.text;
  const short = words.length > 140 ? `${words.slice(0, 140)} …` : words;
  return el("button", { type: "button", class: "quote", dir: "auto", onclick: () => room.goTo(id) },
    said && el("bdi", { class: `who ${tint(said.who)}`, text: said.who }), said && " ", short);
}

function tally(item, reactions, room) {
  const own = ({ emoji, users }) => room.hasReacted(item, emoji, users);
  return el("div", { class: "tally" }, ...reactions.map((one) => button(`${one.emoji} ${one.count}`,
    () => room.react(item, one.emoji, !own(one)),
    { "aria-pressed": String(own(one)), "aria-label": `${one.emoji}, ${one.count}` })));
}
