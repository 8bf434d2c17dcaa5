// Who is in a room, as a sheet over it; in a group also who belongs to it, and what it is called. Called by
// room.js. It must not keep a list of its own beyond the time it is open.

import { call, get, post } from "./api.js";
import { button, el, field, icon, sure } from "./dom.js";
import { me, names } from "./me.js";
import { tint } from "./row.js";

const REFRESH_MS = 1000;

const person = (id, name, ...more) => el("li", {},
  el("span", { class: "dot on", "aria-hidden": "true" }),
  id && me.user && id !== me.user.id
    ? el("a", { href: `/chat/${encodeURIComponent(name)}`, class: tint(name) }, el("bdi", { text: name }))
    : el("bdi", { class: tint(name), text: id === me.user?.id && id ? `${name} (you)` : name }),
  ...more);

/** Opens the sheet of a room's view. */
export function showPeople(view) {
  const list = el("ul", { class: "people" });
  const more = el("p", { class: "hint" });
  const trouble = el("p", { role: "alert", class: "trouble" });
  const group = el("div");
  const sheet = el("dialog", { class: "sheet", "aria-label": `People in ${view.title}` },
    el("header", { class: "bar" }, el("h2", { text: "Here now" }), icon("✕", "Close", () => sheet.close())),
    list, more, group, trouble);
  let timer = 0;

  const refresh = async () => {
    timer = 0;
    try {
      const { members, guests, guest_names = [], more: cut } = await view.room.who();
      for (const { user_id, username } of members) names.set(user_id, username);
      list.replaceChildren(...members.map(({ user_id, username }) => person(user_id, username)),
        ...guest_names.map((name) => person(null, name, el("small", { class: "guest", text: "guest" }))));
      const others = guests === 1 ? "1 guest" : `${guests} guests`;
      more.textContent = [guests > guest_names.length && others, cut && "and more people"].filter(Boolean).join(" ");
    } catch (error) { trouble.textContent = error.message; }
  };

  const change = async (act, user) => {
    trouble.textContent = "";
    try {
      draw(await post(`/api/chats/${view.room.id}/${act}-member/`, { user_id: user }));
    } catch (error) { trouble.textContent = error.message; }
  };

  const draw = (chat) => {
    if (!chat.is_group) return;
    const may = view.role === "owner" || view.role === "admin";
    const rows = chat.members.map(({ id, username }) => el("li", {},
      el("bdi", { class: tint(username), text: username }),
      id === me.user.id ? button("Leave", () => change("remove", id).then(() => sheet.close()))
        : may && button("Remove", () => change("remove", id), { "aria-label": `Remove ${username}` })));
    const choice = el("select", { id: "add-member" }, ...[...names]
      .filter(([id]) => !chat.members.some((member) => member.id === id))
      .map(([id, name]) => el("option", { value: id, text: name })));
    const add = el("form", { class: "inline", onsubmit: (event) => {
      event.preventDefault();
      if (choice.value) change("add", Number(choice.value));
    } }, el("label", { for: "add-member", text: "Add somebody" }), choice, el("button", { text: "Add" }));
    group.replaceChildren(el("h3", { text: `Members (${chat.members.length})` }),
      el("ul", { class: "people" }, ...rows), choice.length ? add : "", view.role === "owner" ? owning(chat) : "");
  };

  // What its owner alone may.
  const owning = (chat) => {
    const name = field("Name", { name: "group-name", value: chat.name, maxlength: "100", autocomplete: "off" });
    const attempt = async (method, body, then) => {
      trouble.textContent = "";
      try {
        await call(method, `/api/chats/${chat.id}/`, body);
        then();
        document.dispatchEvent(new Event("hubbub-chats"));
      } catch (error) { trouble.textContent = Object.values(error.fields ?? {})[0] ?? error.message; }
    };
    const rename = (event) => {
      event.preventDefault();
      attempt("PATCH", { name: name.input.value }, () => view.rename(name.input.value.trim()));
    };
    return el("div", {}, el("form", { class: "inline", onsubmit: rename }, ...name.box.childNodes, el("button", { text: "Rename" })),
      sure("Delete this group", () => attempt("DELETE", undefined, () => sheet.close()), { class: "remove" }));
  };

  view.whoChanged = () => { timer ||= setTimeout(refresh, REFRESH_MS); };
  sheet.addEventListener("close", () => { clearTimeout(timer); view.whoChanged = null; sheet.remove(); view.count.focus(); });
  document.body.append(sheet);
  sheet.showModal();
  refresh();
  if (view.kind === "chat") get(`/api/chats/${view.room.id}/`).then(draw, (error) => { trouble.textContent = error.message; });
}
