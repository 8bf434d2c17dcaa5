// Why somebody did not get an event: a question about a room, a user and an event's number, and the server's
// answer in words. Called by admin-room.js. It must not guess: what the server does not know, it says.

import { count } from "./admin-plots.js";
import { get } from "./api.js";
import { el, field } from "./dom.js";

const FATES = {
  written: "It was written", waiting: "It is still waiting", lagged: "The reader lagged", dropped: "It was dropped",
  not_said: "It is not told on that kind of socket", not_connected: "Not connected", past_keeping: "Not known any more",
};
const time = (at) => at && new Date(at).toLocaleString();

const stay = (one) => el("tr", {}, el("th", { scope: "row", text: one.session.slice(-6) }),
  ...[one.node, one.dialect, `${time(one.since)}, ${count(one.joined_seq)}`, one.replayed?.map(count).join(" to ") ?? "",
    one.left_at ? `${time(one.left_at)}, ${count(one.left_seq)}` : "is there"].map((text) => el("td", { text })),
  el("td", { class: "words", text: `${FATES[one.fate]}. ${one.why}` }));

/** The question as a form, with room for the answer below it. */
export function delivery(room) {
  const who = field("User", { name: "missed-by", required: true, autocomplete: "off", spellcheck: "false" });
  const seq = field("Event", { name: "missed", required: true, type: "number", min: "1" });
  const said = el("div", { role: "status" });
  const ask = async () => {
    const name = who.input.value.trim();
    const found = await get(`/api/users/?limit=500&q=${encodeURIComponent(name)}`);
    const user = found.find(({ username }) => username.toLowerCase() === name.toLowerCase());
    if (!user) throw new Error("There is no user of that name, or it is you.");
    return get(`/api/admin/rooms/${room}/delivery/?seq=${Number(seq.input.value)}&user_id=${user.id}`);
  };
  const show = (answer) => {
    const head = ["Session", "Node", "Speaks", "Joined, at event", "Sent then", "Left, at event", "What became of it"];
    said.replaceChildren(el("p", {}, el("strong", { text: FATES[answer.fate] }), ` (${answer.username}, ${answer.kind} ${count(answer.seq)} of ${time(answer.at)}). ${answer.why}`),
      answer.stays.length ? el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Sessions of that user in this room" },
        el("table", {}, el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col", text })))), el("tbody", {}, ...answer.stays.map(stay)))) : "");
  };
  const submit = (event) => {
    event.preventDefault();
    ask().then(show, (error) => said.replaceChildren(el("p", { class: "trouble", text: error.message })));
  };
  return el("section", { "aria-labelledby": "why" }, el("h3", { id: "why", text: "Why did somebody not get an event?" }),
    el("p", { class: "hint", text: "A message's event number is in the title of its time in the chat." }),
    el("form", { class: "inline", onsubmit: submit }, who.box, seq.box, el("button", { text: "Find out" })), said);
}
