// What was said in a room, the latest first, and how a message is taken away. Called by admin-room.js. It must
// not show what is for members alone: the server gives it none of that.

import { act } from "./admin-acts.js";
import { call, get } from "./api.js";
import { button, el, field } from "./dom.js";
import { me } from "./me.js";

const ROWS = 20;
const SHORT = 400; // signs; the rest of a longer one is there to be opened

const remove = (id) => call("DELETE", `/api/admin/messages/${id}/`);

function body(text) {
  if (!text) return el("p", { class: "body gone", text: "It has no text, or none any more." });
  const signs = [...text];
  if (signs.length <= SHORT) return el("p", { class: "body", text });
  return el("details", { class: "body" }, el("summary", { text: signs.slice(0, SHORT).join("") }), signs.slice(SHORT).join(""));
}

/** The messages of a room, one page at a time. They stand still: nothing moves under who is about to delete. */
export function messages(room) {
  let asked = 0;
  let last;
  const list = el("ol", { class: "said" });
  const region = el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Messages" }, list);
  const older = button("Older messages", () => show(last, region), { hidden: true });

  const show = async (before, at) => {
    const now = asked += 1;
    let found;
    let words = before ? "There are none before these." : "Nothing to read here: what is said in chats and invited rooms is for their members.";
    try { found = await get(`/chat/history/${room}/?limit=${ROWS}${before ? `&before=${before}` : ""}`); } catch (error) { [found, words] = [[], error.message]; }
    if (now !== asked) return; // another page was asked for meanwhile
    last = found.at(-1)?.seq;
    older.hidden = found.length < ROWS;
    const row = ({ id, seq, sender, content, timestamp }) => el("li", { "data-seq": seq, tabindex: "-1" },
      el("div", { class: "head" }, el("bdi", { class: "who", text: sender }), el("time", { datetime: timestamp, text: new Date(timestamp).toLocaleString() }),
        el("small", { text: `event ${seq}` })), content && act("Delete", `delete message ${seq}`, async () => { await remove(id); await show(before, seq); }), body(content));
    list.replaceChildren(...found.length ? found.map(row) : [el("li", { text: words })]);
    // Whoever pressed something that is gone now goes on from here.
    (list.querySelector(`[data-seq="${at}"]`) ?? (at && region))?.focus();
  };

  const event = field("Event", { name: "delete", type: "number", min: "1" });
  const named = async () => {
    const found = await get(`/api/admin/rooms/${room}/delivery/?seq=${Number(event.input.value)}&user_id=${me.user.id}`);
    if (found.kind !== "message") throw new Error("That event is no message.");
    await remove(found.event_id);
    await show();
  };
  show();
  return el("section", { "aria-labelledby": "said" }, el("h3", { id: "said", text: "Messages" }), region,
    el("div", { class: "inline" }, button("Latest messages", () => show(undefined, region)), older),
    el("p", { class: "hint", text: "What only members read goes by its event number, which is in the title of its time in the chat." }),
    el("form", { class: "inline", onsubmit: (submit) => submit.preventDefault() }, ...event.box.childNodes, act("Delete", "delete the message of this number", named)));
}
