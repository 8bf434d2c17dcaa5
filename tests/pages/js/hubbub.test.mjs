// hubbub.js under Node, against the server whose address stands in HUBBUB_AT. The test in node.rs starts
// both; "restart" asks it over stdin to start the server anew. Must not look into the module's inside.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import readline from "node:readline";
import test from "node:test";
import WebSocket from "ws";

import { Hubbub } from "../../../src/web/assets/hubbub.js";

const AT = new URL(process.env.HUBBUB_AT);
const open = [];
test.afterEach(() => { for (const end of open.splice(0)) end(); });

/** A connection; `at` may be a proxy's port. */
function connect(options = {}, port = AT.port) {
  const hub = new Hubbub({ url: `ws://127.0.0.1:${port}/ws/`, WebSocket, ...options });
  open.push(() => hub.close());
  return hub;
}

/** The next event of a name that fits. */
const next = (from, name, fits = () => true) => new Promise((resolve) => {
  const off = from.on(name, (what) => { if (fits(what)) { off(); resolve(what); } });
});

/** A TCP proxy whose network can go away: "cut" resets all, "mute" forwards nothing more. */
async function proxy() {
  const pairs = new Set();
  let muted = false;
  const server = net.createServer((near) => {
    const far = net.connect(AT.port, "127.0.0.1");
    const pair = [near, far];
    pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on("data", (bytes) => { if (!pair.muted) to.write(bytes); });
      from.on("error", () => {});
      from.on("close", () => { to.destroy(); pairs.delete(pair); });
    }
    pair.muted = muted;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(() => { for (const pair of pairs) pair[0].destroy(); server.close(); });
  return {
    port: server.address().port,
    cut() { for (const [near] of pairs) near.resetAndDestroy(); },
    mute() { muted = true; for (const pair of pairs) pair.muted = true; },
    heal() { muted = false; },
  };
}

const lines = readline.createInterface({ input: process.stdin });
async function restart() {
  console.log("please restart");
  await once(lines, "line");
}
test.after(() => lines.close());

test("what one says everybody hears, once and in order", async () => {
  const ann = connect({ nick: "Ann" }).join("order");
  const ben = connect({ nick: "Ben" }).join("order");
  await Promise.all([next(ann, "live"), next(ben, "live")]);
  const heard = [];
  ben.on("chat_message", ({ message, sender }) => heard.push(`${sender} ${message}`));
  const last = next(ben, "chat_message", ({ message }) => message === "19");
  for (let n = 0; n < 20; n += 1) ann.send(String(n));
  await last;
  assert.deepEqual(heard, Array.from({ length: 20 }, (_, n) => `Ann ${n}`));
});

test("a room that is entered brings its latest events before what is new", async () => {
  const ann = connect().join("latest");
  await next(ann, "live");
  for (let n = 1; n <= 30; n += 1) await ann.send(String(n));
  const ben = connect().join("latest", { last: 10 });
  const heard = [];
  ben.on("chat_message", ({ message, replay }) => heard.push([Number(message), Boolean(replay)]));
  await next(ben, "live");
  assert.deepEqual(heard, Array.from({ length: 10 }, (_, n) => [21 + n, true]));
  assert.equal(ben.more, true);
  const older = await ben.history({ before: 21, limit: 5 });
  assert.deepEqual(older.events.map(({ seq }) => seq), [16, 17, 18, 19, 20]);
});

test("after a reset connection what was missed comes, without a gap or a double", async () => {
  const net = await proxy();
  const ann = connect().join("cut");
  const hub = connect({}, net.port);
  const ben = hub.join("cut");
  await Promise.all([next(ann, "live"), next(ben, "live")]);
  const heard = [];
  ben.on("event", ({ seq }) => heard.push(seq));
  for (let n = 1; n <= 5; n += 1) await ann.send("before");
  const gone = next(hub, "state", ({ state }) => state === "waiting");
  net.cut();
  await gone;
  const back = next(ben, "chat_message", ({ message }) => message === "last");
  for (let n = 1; n <= 700; n += 1) ann.send("missed");
  await ann.send("last");
  await back;
  assert.deepEqual(heard, Array.from({ length: 706 }, (_, n) => n + 1));
});

test("what is sent while the server restarts is stored once", async () => {
  const hub = connect({ nick: "Ann" });
  const ann = hub.join("restart");
  await next(ann, "live");
  await ann.send("before");
  const restarted = restart();
  const sent = Array.from({ length: 50 }, (_, n) => ann.send(String(n)));
  await restarted;
  const oks = await Promise.all(sent);
  assert.deepEqual(oks.map(({ seq }) => seq), Array.from({ length: 50 }, (_, n) => n + 2));
  const { events } = await ann.history({ limit: 500 });
  assert.deepEqual(events.map(({ message }) => message), ["before", ...Array.from({ length: 50 }, (_, n) => String(n))]);
});

test("a network that falls silent is noticed, and a page that wakes is back", async () => {
  const net = await proxy();
  const ann = connect().join("silent");
  const hub = connect({}, net.port);
  const ben = hub.join("silent");
  await Promise.all([next(ann, "live"), next(ben, "live")]);
  net.mute();
  const gone = next(hub, "state", ({ state }) => state === "waiting");
  const unsaid = ben.send("into the void");
  hub.wake();
  await gone;
  await ann.send("while you were away");
  net.heal();
  const missed = next(ben, "chat_message", ({ message }) => message === "while you were away");
  hub.wake();
  await missed;
  assert.equal((await unsaid).duplicate, false);
});

test("a guest is the same guest on the next socket", async () => {
  const hub = connect({ nick: "Ann" });
  const given = next(hub, "guest");
  const room = hub.join("again");
  await next(room, "live");
  const { guest_token } = await given;
  const first = await room.send("mine", { client_id: "one" });
  hub.close();
  const later = connect({ nick: "Ann", guestToken: guest_token }).join("again");
  await next(later, "live");
  const again = await later.send("mine", { client_id: "one" });
  assert.deepEqual([again.id, again.duplicate], [first.id, true]);
  await later.edit(first.id, "mine, changed");
});

test("a guest's token that is worth nothing any more makes a new guest", async () => {
  const hub = connect({ guestToken: "eyJhbGciOiJIUzI1NiJ9.e30.nothing" });
  const dropped = next(hub, "guest", ({ guest_token }) => guest_token === undefined);
  const room = hub.join("anew");
  await dropped;
  await next(room, "live");
  await room.send("here I am");
});

test("edits, reactions, deletions and signals are events of the room", async () => {
  const ann = connect({ nick: "Ann" }).join("acts");
  const ben = connect({ nick: "Ben" }).join("acts");
  await Promise.all([next(ann, "live"), next(ben, "live")]);
  const typing = next(ben, "typing", ({ on }) => on);
  ann.typing(true);
  assert.equal((await typing).nick_name, "Ann");
  const { id } = await ann.send("teh");
  const seen = ["message_edited", "reaction", "message_deleted"].map((name) => next(ben, name));
  await ann.edit(id, "the");
  await ann.react(id, "👍");
  await ann.remove(id);
  const [edited, reaction, deleted] = await Promise.all(seen);
  assert.deepEqual([edited.message, reaction.emoji, deleted.id], ["the", "👍", id]);
  assert.equal((await ben.who()).guests, 2);
  await assert.rejects(ann.edit(id, "again"), (error) => typeof error.code === "string");
});

test("a room that is not for us says so, and what was sent there is refused", async () => {
  const hub = connect();
  const room = hub.join("00000000-0000-4000-8000-000000000000");
  const refused = next(room, "refused");
  const unsaid = room.send("hello?");
  const { code } = await next(room, "lost");
  assert.match(code, /forbidden|unauthorized|not_found/);
  assert.equal((await refused).code, code);
  await assert.rejects(unsaid, { code });
  const other = hub.join("open to all");
  await next(other, "live");
});

test("a token opens it as its user, and one that is wrong stops it with the reason", async () => {
  const body = (value) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
  const account = { username: "alice", password: "correct horse battery" };
  await fetch(new URL("/register/", AT), body(account));
  const { access } = await (await fetch(new URL("/api/token/", AT), body(account))).json();
  const hub = connect({ token: () => access });
  const { user } = await next(hub, "hello");
  assert.equal(user.username, "alice");
  const ticket = async () => (await (await fetch(new URL("/api/ws-ticket/", AT), {
    method: "POST", headers: { Authorization: `Bearer ${access}` },
  })).json()).ticket;
  assert.equal((await next(connect({ ticket }), "hello")).user.username, "alice");
  const { code } = await next(connect({ token: "wrong" }), "state", ({ state }) => state === "stopped");
  assert.equal(code, 4401);
  // With a way to get a better one it comes back by itself.
  let tried = 0;
  const renew = async () => { tried += 1; return access; };
  assert.equal((await next(connect({ token: "wrong", renew }), "hello")).user.username, "alice");
  assert.equal(tried, 1);
  // And doesn't ask for ever for one that is refused each time.
  let asked = 0;
  const vain = connect({ token: "wrong", renew: async () => { asked += 1; return "as wrong"; } });
  assert.equal((await next(vain, "state", ({ state }) => state === "stopped")).code, 4401);
  assert.equal(asked, 3);
});
