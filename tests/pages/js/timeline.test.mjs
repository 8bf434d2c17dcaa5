// The page's plain parts under Node: the timeline and its order. No server is needed.
import assert from "node:assert/strict";
import test from "node:test";

import { HELD_MAX, Timeline, standing } from "../../../src/web/assets/timeline.js";

const at = (minute) => new Date(Date.UTC(2026, 0, 1, 12, minute)).toISOString();
const said = (seq, more = {}) => ({
  type: "chat_message", id: `m${seq}`, seq, message: `text ${seq}`, sender: "ann", sender_id: 1, created_at: at(seq), ...more,
});
const texts = (timeline) => timeline.items.map(({ text }) => text);

test("events stand in the room's order, each once", () => {
  const timeline = new Timeline();
  for (const seq of [3, 1, 2, 3, 1]) timeline.apply(said(seq));
  assert.deepEqual(timeline.items.map(({ seq }) => seq), [1, 2, 3]);
});

test("a page of older events comes before what is there", () => {
  const timeline = new Timeline();
  for (const seq of [11, 12]) timeline.apply(said(seq));
  timeline.prepend([said(8), { type: "reaction", id: "m8", seq: 9, emoji: "x", sender_id: 2, on: true }, said(10)]);
  assert.deepEqual(timeline.items.map(({ seq }) => seq), [8, 10, 11, 12]);
  assert.equal(timeline.reactions("m8")[0].count, 1);
});

test("a replayed message's text is newer than the edits that are replayed with it", () => {
  const timeline = new Timeline();
  timeline.apply(said(9));
  timeline.prepend([
    said(1, { replay: true, message: "third", edited_at: at(5) }),
    { type: "message_edited", id: "m1", seq: 2, message: "second", replay: true },
  ]);
  assert.equal(texts(timeline)[0], "third");
  timeline.apply({ type: "message_edited", id: "m1", seq: 10, message: "fourth" });
  assert.equal(texts(timeline)[0], "fourth");
  timeline.apply({ type: "message_deleted", id: "m1", seq: 11 });
  timeline.apply({ type: "message_edited", id: "m1", seq: 12, message: "fifth" });
  assert.deepEqual([timeline.items[0].deleted, timeline.items[0].text], [true, ""]);
});

test("reactions are counted in whatever order they are read", () => {
  const events = [
    { type: "reaction", id: "m1", seq: 2, emoji: "x", sender_id: 7, on: true },
    { type: "reaction", id: "m1", seq: 3, emoji: "x", sender_id: 7, on: false },
    { type: "reaction", id: "m1", seq: 4, emoji: "x", sender_id: 8, on: true },
    { type: "reaction", id: "m1", seq: 5, emoji: "x", sender_id: null, on: true },
    { type: "reaction", id: "m1", seq: 6, emoji: "x", sender_id: null, on: true },
    { type: "reaction", id: "m1", seq: 7, emoji: "x", sender_id: null, on: false },
  ];
  for (const order of [events, events.toReversed(), [...events, ...events]]) {
    const timeline = new Timeline();
    timeline.apply(said(1));
    for (const event of order) timeline.apply(event);
    assert.deepEqual(timeline.reactions("m1"), [{ emoji: "x", count: 2, users: [8] }]);
  }
});

test("what is held is bounded, the oldest go first", () => {
  const timeline = new Timeline();
  for (let seq = 1; seq <= HELD_MAX + 700; seq += 1) timeline.apply(said(seq));
  assert.equal(timeline.trim(), 700);
  assert.equal(timeline.items.length, HELD_MAX);
  assert.equal(timeline.first, 701);
  assert.equal(timeline.byId("m1"), undefined);
});

test("one name stands over messages that follow closely, and a day over its first", () => {
  const [first, soon, later, other] = [said(1), said(2), said(30), said(31, { sender: "ben", sender_id: 2 })]
    .map((event) => new Timeline().apply(event));
  assert.deepEqual(standing(first, undefined), { newDay: true, leads: true });
  assert.deepEqual(standing(soon, first), { newDay: false, leads: false });
  assert.equal(standing(later, soon).leads, true);
  assert.equal(standing(other, later).leads, true);
});
